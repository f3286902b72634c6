"""``wirt wait``, and what Wirt sees of a guest that ends or restarts from inside."""

import dataclasses
import subprocess
import time

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.host import process


def test_guest_that_powers_off_from_inside_is_stopped_and_tidied_up(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "web", status=0)
    stopped = home.world()
    home.wirt("start", "web", status=0)
    handle = home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    home.wirt("exec", "web", "--", "kill", "-37", "1")
    gone = process.wait_gone(handle.pid, 10)
    listed = home.wirt("list", status=0).stdout.splitlines()[1]

    assert gone
    assert listed.split()[1] == "stopped"
    assert home.world().difference(stopped) == []
    home.wirt("start", "web", status=0)


FILES = "awk '/open files/ {print $4, $5}' /proc/1/limits"


def rates_of(home: HomeUnderTest, name: str) -> tuple[bool, bool]:
    """Return whether the kernel holds a guest's card to a rate in and out."""
    guest = next(guest for guest in home.guests() if guest.name == name)
    card = f"w{home.home.tag}{guest.id}"
    queue = subprocess.run(["tc", "qdisc", "show", "dev", card], capture_output=True, text=True)
    chain = ["nft", "list", "chain", "netdev", card, "from-guest"]
    rules = subprocess.run(chain, capture_output=True, text=True).stdout
    return "tbf" in queue.stdout, f'device "{card}"' in rules


def init_of(home: HomeUnderTest, name: str) -> str | None:
    """Return when the guest's first process began, None while there is none."""
    command = ["sh", "-c", "cut -d' ' -f22 /proc/1/stat"]
    return home.wirt("exec", name, "--", *command).stdout.strip() or None


def reboot(home: HomeUnderTest, name: str, *command: str) -> None:
    """Have a guest reboot by a command of its own, and return when it is up again."""
    before = init_of(home, name)
    home.wirt("exec", name, "--", *command)
    deadline = time.monotonic() + 30
    while init_of(home, name) in (before, None):
        assert time.monotonic() < deadline, f"{name} has not come back"


def things(world: World) -> World:
    """Return a world without what a reboot begins anew: processes, and where LXC puts its own and those that it ends."""
    of_lxc = ("/lxc.pivot", "/.lxc")
    lasting = frozenset(
        cgroup for cgroup in world.cgroups if not any(name in cgroup for name in of_lxc)
    )
    return dataclasses.replace(world, processes=frozenset(), cgroups=lasting)


def test_guest_that_reboots_has_its_limits_network_and_filter(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("create", "-t", TINY, "peer", status=0)
    for name in ("web", "peer"):
        home.wirt("start", name, status=0)
    # What it is held to since its start, and what LXC knows nothing of.
    limits = ["--memory", "96M", "--processes", "100", "--io-write", "2M", "--files", "300"]
    rates = ["--rate-in", "20mbit", "--rate-out", "20mbit"]
    home.wirt("set", "web", *limits, *rates, status=0)
    before = home.world()
    address = next(guest.address for guest in home.guests() if guest.name == "peer")
    reboot(home, "web", "reboot", "-f")
    # No command that might hold it again has run but exec, which does not.
    held = home.world()
    inside = home.wirt("exec", "web", "--", "sh", "-c", FILES, status=0).stdout
    listed = home.wirt("list", status=0).stdout.splitlines()[2].split()
    pinged = home.wirt("exec", "web", "--", "ping", "-c", "1", "-W", "5", address)

    assert listed[:2] == ["web", "running"]
    assert things(held).difference(things(before)) == []
    assert inside == "300 300\n"
    assert rates_of(home, "web") == (True, True)
    assert any("=100663296" in cgroup for cgroup in before.cgroups)
    assert pinged.returncode == 0
    home.wirt("restart", "web", status=0)
    assert not next(guest for guest in home.guests() if guest.name == "web").is_adjusted


def test_guest_that_powers_off_by_the_kernels_call_leaves_nothing(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "--force", "web", status=0)
    stopped = home.world()
    home.wirt("start", "web", status=0)
    handle = home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    home.wirt("exec", "web", "--", "poweroff", "-f")
    gone = process.wait_gone(handle.pid, 10)
    state = home.guests()[0].state

    assert gone
    assert state == "stopped"
    assert home.world().difference(stopped) == []


def test_wait_says_when_a_running_guest_is_ready(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    stopped = home.wirt("wait", "web", status=5)
    home.wirt("start", "--no-wait", "web", status=0)
    ready = home.wirt("wait", "web", status=0)

    assert stopped.stderr == "wirt: guest web is not running; start it first\n"
    assert ready.stdout == "guest web is ready\n"


@pytest.mark.parametrize("verb", ["wait", "enter", "password"])
def test_guest_that_is_not_there_is_not_found(home: HomeUnderTest, verb: str) -> None:
    done = home.wirt(verb, "nemo", stdin="x")

    assert done.returncode == (125 if verb == "enter" else 3)
