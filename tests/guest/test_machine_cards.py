"""Cards of machines that run: commands that are killed, guests that do not answer, and what an engine refuses."""

import json
from pathlib import Path

import pytest
from tests.guest.conftest import MakeTiny
from tests.guest.test_faults import STANDS, kernel_objects, start_standing
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.model.lifecycle import State
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

MACHINES = ["uml", pytest.param("qemu", marks=pytest.mark.long)]
SHOW = "ip -oneline address show scope global; cat /sys/class/net/*/mtu | sort"
ADD = ["card", "add", "web", "--network", "back", "--mtu", "1400"]
REMOVE = ["card", "remove", "web", "eth1"]
MORE, LESS = ["set", "web", "--mtu", "1300"], ["set", "web", "--mtu", "none"]


def seen(home: HomeUnderTest) -> dict[str, object]:
    """Return what there is of the cards of "web": in the state, on the node, and inside."""
    guest = next(one for one in home.guests() if one.name == "web")
    inside = home.wirt("exec", "web", "--", "sh", "-c", SHOW, status=0).stdout
    return {
        "cards": [repr(one) for one in guest.all_cards],
        "node": sorted(kernel_objects(home).interfaces),
        "inside": [line.partition(" ")[2].strip() for line in inside.splitlines()],
    }


def serves(home: HomeUnderTest, address: str) -> bool:
    """Return whether the web server of "web" takes a connection from "db"."""
    asked = f"for i in $(seq 100); do echo </dev/tcp/{address}/80 && exit; sleep 0.2; done; exit 1"
    return home.wirt("exec", "db", "--", "bash", "-c", asked).returncode == 0


@pytest.mark.parametrize("approach", MACHINES)
def test_change_of_cards_killed_at_every_point_leaves_before_or_after(
    guest_home: HomeUnderTest, tmp_path: Path, approach: str
) -> None:
    guest_home.wirt("network", "add", "back", status=0)
    guest_home.wirt("create", "-a", approach, "--memory", "256M", "web", status=0)
    guest_home.wirt("start", "web", status=0)
    problems, count = [], 0
    for command, back in ((ADD, REMOVE), (REMOVE, ADD), (MORE, LESS)):
        if command is not ADD:
            guest_home.wirt(*(ADD if command is REMOVE else LESS), status=0)
        trace = tmp_path / command[-1]
        # Once before: what stays, as a bridge does, is there before as after.
        guest_home.wirt(*command, environment={TRACE_VARIABLE: str(trace)}, status=0)
        guest_home.wirt(*back, status=0)
        before = seen(guest_home)
        guest_home.wirt(*command, status=0)
        after = seen(guest_home)
        guest_home.wirt(*back, status=0)
        points = list(dict.fromkeys(trace.read_text().split()))
        for point in points:
            guest_home.wirt(*command, environment={KILL_VARIABLE: point}, status=-9)
            guest_home.wirt("exec", "web", "true", status=0)
            begun = not point.endswith(":before-intent")
            found, wanted = seen(guest_home), after if begun else before
            problems += [
                f"{point}: {found[key]} and not {wanted[key]}"
                for key in wanted
                if found[key] != wanted[key]
            ]
            if begun:
                guest_home.wirt(*back, status=0)
        count += len(points)
        assert before != after
        if command is REMOVE:
            guest_home.wirt(*command, status=0)
    guest_home.wirt("destroy", "--force", "web", status=0)

    assert problems == []
    assert count >= 12


@pytest.mark.parametrize("approach", MACHINES)
def test_card_that_was_plugged_is_there_after_the_next_start_and_can_be_taken_out(
    guest_home: HomeUnderTest, approach: str
) -> None:
    guest_home.wirt("network", "add", "back", status=0)
    guest_home.wirt("create", "-a", "lxc", "db", status=0)
    guest_home.wirt("card", "add", "db", "--network", "back", status=0)
    for name, kind in (("web", approach), ("db", None)):
        if kind is not None:
            guest_home.wirt("create", "-a", kind, "--memory", "256M", name, status=0)
        guest_home.wirt("start", name, status=0)
    said = guest_home.wirt("card", "add", "web", "--network", "back", status=0).stdout
    listed = json.loads(guest_home.wirt("card", "list", "web", "--json", status=0).stdout)
    addresses = [one.partition("/")[0] for one in listed[1]["all_addresses"]]
    reached = [serves(guest_home, one) for one in addresses]
    guest_home.wirt("freeze", "web", status=0)
    refused = [guest_home.wirt(*command).stderr for command in (["card", "add", "web"], REMOVE)]
    guest_home.wirt("thaw", "web", status=0)
    guest_home.wirt("restart", "web", status=0)
    reached += [serves(guest_home, one) for one in addresses]
    guest_home.wirt(*REMOVE, status=0)
    left = guest_home.wirt("exec", "web", "--", "ls", "/sys/class/net", status=0).stdout
    device = guest_home.wirt("card", "add", "web", "--device", "lo9").stderr

    assert said == f"guest web has the card eth1 now: {addresses[0]}\n"
    assert set(reached) == {True}
    assert refused == ["wirt: guest web is frozen; thaw it first\n"] * 2
    assert len(left.split()) == 2
    assert device == (
        f"wirt: guest web cannot have a device of the node: approach {approach} hands over none; use "
        "the approach lxc\n"
    )


@pytest.mark.parametrize("approach", MACHINES)
def test_guest_whose_agent_never_answers_gets_no_card_and_can_be_stopped(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str
) -> None:
    make_tiny(approach, STANDS)
    start_standing(guest_home)
    before = kernel_objects(guest_home).interfaces
    guest = guest_home.guests()[0]
    refused = guest_home.wirt("card", "add", "web")
    after = kernel_objects(guest_home).interfaces
    stopped = guest_home.wirt("stop", "web", "--force")

    assert refused.stderr == (
        "wirt: the guest's agent did not answer in time; see what the guest said last: "
        f"{guest_home.home.place(guest.id).log}\n"
    )
    assert after == before
    assert guest_home.guests()[0].cards == ()
    assert (stopped.returncode, guest_home.guests()[0].state) == (0, State.STOPPED)
    guest_home.wirt("destroy", "web", status=0)
    assert kernel_objects(guest_home).difference(World.empty()) == []
