"""``wirt wait``, and what Wirt sees of a guest that ends or restarts from inside."""

import dataclasses
import json
import re
import subprocess
import time
from pathlib import Path

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
    home.wirt("set", "web", *limits, *rates, "--hostname", "www.example", status=0)
    before = home.world()
    address = next(guest.address for guest in home.guests() if guest.name == "peer")
    reboot(home, "web", "reboot", "-f")
    # No command that might hold it again has run but exec, which does not.
    held = home.world()
    inside = home.wirt("exec", "web", "--", "sh", "-c", FILES, status=0).stdout
    called = home.wirt("exec", "web", "--", "hostname", status=0).stdout
    listed = home.wirt("list", status=0).stdout.splitlines()[2].split()
    pinged = home.wirt("exec", "web", "--", "ping", "-c", "1", "-W", "5", address)

    assert listed[:2] == ["web", "running"]
    assert things(held).difference(things(before)) == []
    assert inside == "300 300\n"
    assert called == "www.example\n"
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


def inside(home: HomeUnderTest, *argv: str) -> str:
    return home.wirt("exec", "web", "--", *argv, status=0).stdout


def test_guest_whose_init_is_ended_for_want_of_memory_says_so(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--memory", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    # The kernel takes init first, for none of the others is large, and the container ends with it.
    hog = "{ head -c 20m /dev/zero; sleep 60; } | tail -c 20m >/dev/null &"
    hog = f"echo 1000 >/proc/1/oom_score_adj; for n in 1 2 3 4 5 6; do {hog} done; wait"
    home.wirt("exec", "web", "--", "sh", "-c", hog)
    deadline = time.monotonic() + 30
    while "running" in (listed := home.wirt("list", status=0).stdout):
        assert time.monotonic() < deadline
    shown = home.wirt("show", "web", status=0).stdout
    refused = home.wirt("exec", "web", "true")
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "poweroff", "-f")
    while "running" in home.wirt("list", status=0).stdout:
        assert time.monotonic() < deadline

    assert "stopped" in listed
    words = r"it had run out of memory, for which the kernel ended (a process|\d+ processes) of it"
    assert re.search(rf"^ended +{words}$", shown, re.MULTILINE)
    assert re.match(rf"wirt: guest web has ended: {words}; see ", refused.stderr)
    assert "ended" not in home.wirt("show", "web", status=0).stdout


def test_guest_that_reboots_keeps_the_cards_and_addresses_that_it_has_now(
    home: HomeUnderTest,
) -> None:
    for name in ("web", "db"):
        home.wirt("create", "-t", TINY, name, status=0)
    for network in ("back", "old"):
        home.wirt("network", "add", network, status=0)
        home.wirt("card", "add", "web", "--network", network, status=0)
    home.wirt("card", "add", "db", "--network", "back", status=0)
    for name in ("web", "db"):
        home.wirt("start", name, status=0)
    reach = json.loads(home.wirt("network", "show", "--json", status=0).stdout)["reach"]
    more = f"{reach['subnet'].rpartition('.')[0]}.77", reach["range6"].replace("/64", "77")
    device = f"d{home.home.tag}"
    subprocess.run(["ip", "link", "add", device, "type", "veth", "peer", f"p{device}"], check=True)
    try:
        # eth2 of its start goes, eth0 changes, others come.
        home.wirt("card", "remove", "web", "eth2", status=0)
        for address in more:
            home.wirt("set", "web", "--ip-add", address, status=0)
        home.wirt("set", "web", "--mtu", "1400", status=0)
        home.wirt("card", "add", "web", "--network", "back", "--name", "lan", status=0)
        home.wirt("card", "add", "web", "--device", device, "--address", "192.0.2.7/24", status=0)
        before, world = cards_in(home), home.world()
        reboot(home, "web", "reboot", "-f")
        after, world_after = cards_in(home), home.world()
        db = next(guest for guest in home.guests() if guest.name == "db").cards[0]
        pinged = home.wirt("exec", "web", "--", "ping", "-c1", "-W5", "-I", "lan", db.addresses[0])
        handle = next(guest for guest in home.guests() if guest.name == "web").handle
        assert handle is not None
        assert handle.pid is not None
        home.wirt("exec", "web", "--", "poweroff", "-f")
        assert process.wait_gone(handle.pid, 20)
        is_back = Path(f"/sys/class/net/{device}").exists()
    finally:
        subprocess.run(["ip", "link", "delete", device], check=True)

    assert any("192.0.2.7/24" in line for line in before)
    assert after == before
    assert things(world_after).difference(things(world)) == []
    assert pinged.returncode == 0
    assert is_back


def cards_in(home: HomeUnderTest) -> list[str]:
    """Return the cards of the guest ``web`` with their MTUs, MACs, addresses and routes, as they are inside."""
    cards = inside(home, "ip", "-oneline", "link").splitlines()
    found = [
        line.partition(": ")[2].split("@")[0]
        + re.sub(r".*( mtu \d+).*( link/\S+ \S+).*", r"\1\2", line)
        for line in cards
    ]
    addresses = inside(home, "ip", "-oneline", "address").splitlines()
    found += [" ".join(line.split()[1:4]) for line in addresses]
    return sorted(found) + sorted(inside(home, "ip", "route").splitlines())


@pytest.mark.parametrize("how", ["poweroff -f", "kill -37 1"])
def test_guest_that_is_powered_off_after_the_kernel_ended_some_of_it_has_not_run_out_of_memory(
    home: HomeUnderTest, how: str
) -> None:
    home.wirt("create", "-t", TINY, "--memory", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    hog = "echo 1000 >/proc/self/oom_score_adj; exec head -c 80m /dev/zero | tail -c 80m >/dev/null"
    home.wirt("exec", "web", "--", "sh", "-c", hog)
    counted = json.loads(home.wirt("show", "--json", "web", status=0).stdout)["memory_kills"]
    home.wirt("exec", "web", "--", "sh", "-c", how)
    deadline = time.monotonic() + 30
    while "running" in home.wirt("list", status=0).stdout:
        assert time.monotonic() < deadline
    shown = home.wirt("show", "web", status=0).stdout

    assert counted > 0
    assert "ended" not in shown


def test_guest_without_a_first_program_says_so_and_keeps_what_lxc_complained_of(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    root = home.wirt("mount", "web", status=0).stdout.split()[-1]
    Path(root, "sbin/init").unlink()
    home.wirt("unmount", "web", status=0)
    refused = home.wirt("start", "web", status=10).stderr
    log = Path(home.home.place(home.guests()[0].id).log).read_text()

    assert "LXC could not start container" in refused
    assert " ERROR " in log
    assert " INFO " not in log
