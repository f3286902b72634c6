"""One definition, every approach: the shipped template's web server runs as a guest of each, by the command line."""

import dataclasses
import subprocess
import time
import urllib.request
from urllib.error import URLError

import pytest
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.ops.create import DEFAULT_TEMPLATE

APPROACHES = ["chroot", "lxc", "uml", "qemu"]
WITH_INIT = [name for name in APPROACHES if name != "chroot"]
SERVING_SECONDS = 60.0


def kernel_objects(home: HomeUnderTest) -> World:
    """Return all that is of this home but its files."""
    return dataclasses.replace(home.world(), files=frozenset())


def page_of(address: str) -> str:
    """Return the front page of a guest's web server, as soon as it serves one."""
    deadline = time.monotonic() + SERVING_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise


@pytest.mark.parametrize("approach", APPROACHES)
def test_run_is_the_command_and_leaves_nothing(guest_home: HomeUnderTest, approach: str) -> None:
    done = guest_home.wirt(
        "run", "-a", approach, "sh", "-c", "cat; . /etc/os-release; echo $ID; exit 3", stdin="in\n"
    )

    assert (done.stdout, done.returncode) == ("in\ndebian\n", 3), done.stderr
    assert guest_home.guests() == []
    assert kernel_objects(guest_home).difference(World.empty()) == []


@pytest.mark.parametrize("approach", WITH_INIT)
def test_guest_serves_web_pages_to_the_node_and_stops_in_order(
    guest_home: HomeUnderTest, approach: str
) -> None:
    guest_home.wirt("create", "-a", approach, "web", status=0)
    guest_home.wirt("start", "web", status=0)
    guest = guest_home.guests()[0]
    guest_home.wirt("exec", "web", "sh", "-c", "echo $(hostname) > /var/www/html/index.html")
    page = page_of(guest.address)
    stopped = guest_home.wirt("stop", "web")

    assert guest.template == DEFAULT_TEMPLATE
    assert page == "web\n"
    assert (stopped.stdout, stopped.returncode) == ("guest web stopped\n", 0)
    assert guest_home.guests()[0].state.value == "stopped"
    assert kernel_objects(guest_home).processes == frozenset()


def test_container_boots_the_templates_systemd_without_a_failed_unit(
    guest_home: HomeUnderTest,
) -> None:
    guest_home.wirt("create", "web", status=0)
    guest_home.wirt("start", "web", status=0)
    # A command can be run as soon as there is an init; its bus comes a moment later.
    asked = "until [ -S /run/systemd/private ]; do :; done; systemctl is-system-running --wait"
    said = guest_home.wirt("exec", "web", "sh", "-c", asked)
    failed = guest_home.wirt("exec", "web", "systemctl", "--failed", "--plain", "--no-legend")

    assert (said.stdout, failed.stdout) == ("running\n", "")


def test_guests_of_different_approaches_reach_each_other(guest_home: HomeUnderTest) -> None:
    for approach in ("lxc", "uml"):
        guest_home.wirt("create", "-a", approach, approach, status=0)
        guest_home.wirt("start", approach, status=0)
    addresses = {guest.name: guest.address for guest in guest_home.guests()}
    port = f"/dev/tcp/{addresses['uml']}/22"
    script = f"until (exec 3<>{port}) 2>/dev/null; do :; done; exec 3<>{port}; head -c 4 <&3"
    done = guest_home.wirt("exec", "lxc", "timeout", "60", "bash", "-c", script)

    assert done.stdout == "SSH-", done.stderr


def test_disk_of_a_stopped_guest_is_a_copy_on_write_layer(guest_home: HomeUnderTest) -> None:
    for approach in APPROACHES:
        guest_home.wirt("create", "-a", approach, approach, status=0)
    used = subprocess.run(
        ["du", "-sxk", f"{guest_home.home.data}/pools"], capture_output=True, text=True, check=True
    )

    assert int(used.stdout.split()[0]) < 4096
