"""A container of the shipped template, with systemd, that reboots and powers off by its own commands."""

import json
import os
import signal
import subprocess
import time

from tests.homes import HomeUnderTest

from wirt.host import process


def boot_of(home: HomeUnderTest) -> str | None:
    """Return when the guest's systemd began, None while there is none that answers.

    LXC's own command may wait for ever for a container that goes down just then.
    """
    asking = home.spawn("exec", "web", "--", "cut", "-d ", "-f22", "/proc/1/stat")
    try:
        said, _ = asking.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(asking.pid, signal.SIGKILL)
        asking.communicate()
        return None
    return said.strip() if asking.returncode == 0 else None


def addresses_in(home: HomeUnderTest) -> set[str]:
    """Return the addresses of the guest's cards, as they are inside."""
    said = home.wirt("exec", "web", "--", "ip", "-oneline", "address", status=0).stdout
    fields = [line.split() for line in said.splitlines()]
    return {f"{name} {address}" for _, name, _, address, *_ in fields}


def test_debian_that_reboots_comes_back_and_that_powers_off_is_stopped(
    guest_home: HomeUnderTest,
) -> None:
    guest_home.wirt("create", "web", status=0)
    guest_home.wirt("start", "web", status=0)
    guest_home.wirt("set", "web", "--memory", "300M", status=0)
    guest_home.wirt("network", "add", "back", status=0)
    guest_home.wirt("card", "add", "web", "--network", "back", status=0)
    reach = json.loads(guest_home.wirt("network", "show", "--json", status=0).stdout)["reach"]
    more = [f"{reach['subnet'].rpartition('.')[0]}.77", reach["range6"].replace("/64", "77")]
    guest_home.wirt("set", "web", "--ip-add", more[0], "--ip-add", more[1], status=0)
    ready = "systemctl is-system-running --wait; systemctl is-active apache2"
    # Until it has its bus, nobody can ask it for anything.
    bus = "until systemctl is-system-running --wait 2>/dev/null | grep -q .; do sleep 0.1; done; "
    guest_home.wirt("exec", "web", "--", "sh", "-c", bus + ready, status=0)
    before, running, addresses = boot_of(guest_home), guest_home.world(), addresses_in(guest_home)
    guest_home.wirt("exec", "web", "--", "systemctl", "reboot")
    deadline = time.monotonic() + 60
    while boot_of(guest_home) in (before, None):
        assert time.monotonic() < deadline, "it has not come back"
    state = guest_home.guests()[0].state
    active = guest_home.wirt("exec", "web", "--", "sh", "-c", bus + ready).stdout.split()
    back, addresses_back = guest_home.world(), addresses_in(guest_home)
    handle = guest_home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    guest_home.wirt("exec", "web", "--", "systemctl", "poweroff")
    gone = process.wait_gone(handle.pid, 60)
    guest_home.wirt("list", status=0)
    left = guest_home.world()

    assert state == "running"
    assert active[-1] == "active"
    assert (back.interfaces, back.tables, back.mounts) == (
        running.interfaces,
        running.tables,
        running.mounts,
    )
    assert addresses_back == addresses
    assert {f"eth0 {more[0]}/20", f"eth0 {more[1]}/64"} < addresses
    assert any("=314572800" in cgroup for cgroup in back.cgroups)
    assert gone
    assert guest_home.guests()[0].state == "stopped"
    assert (left.processes, left.cgroups, left.mounts) == (frozenset(),) * 3
