"""``vzctl`` killed at every trace point: a container that is there has its file, and one that is not can be made."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import TINY
from tests.crash.nodes import run_forked
from tests.homes import HomeUnderTest
from tests.reach import is_reached, pings

from wirt.dialects.vz.vzctl.main import main
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

NOTHING: Mapping[str, str] = {}


def vzctl(home: HomeUnderTest, *arguments: str, environment: Mapping[str, str] = NOTHING) -> int:
    return run_forked(lambda: main(arguments), {**home.environment, **environment})


def points_of(home: HomeUnderTest, trace: Path, *arguments: str) -> list[str]:
    assert vzctl(home, *arguments, environment={TRACE_VARIABLE: str(trace)}) == 0
    points = list(dict.fromkeys(trace.read_text().split()))
    assert points
    return points


def test_create_and_destroy_killed_leave_a_container_with_its_file_or_none(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    create = ["create", "101", "--ostemplate", TINY]
    file = Path(home.home.data, "vz", "conf", "101.conf")
    making = points_of(home, tmp_path / "create", *create)
    ending = points_of(home, tmp_path / "destroy", "destroy", "101")
    problems = []
    for point in making:
        problems += (
            [point] if vzctl(home, *create, environment={KILL_VARIABLE: point}) != -9 else []
        )
        is_there = [guest.name for guest in home.guests()] == ["101"]
        problems += [f"{point}: no file"] if is_there and not file.exists() else []
        expected = 44 if is_there else 0
        problems += [f"{point}: next"] if vzctl(home, *create) != expected else []
        problems += [f"{point}: last"] if vzctl(home, "destroy", "101") != 0 else []
    for point in ending:
        vzctl(home, *create)
        environment = {KILL_VARIABLE: point}
        problems += [point] if vzctl(home, "destroy", "101", environment=environment) != -9 else []
        is_there = home.guests() != []
        problems += [f"{point}: no file"] if is_there and not file.exists() else []
        expected = 0 if is_there else 14
        problems += [f"{point}: next"] if vzctl(home, "destroy", "101") != expected else []

    assert problems == []


def test_set_killed_leaves_limits_that_the_next_start_makes_those_of_the_file(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    file = Path(home.home.data, "vz", "conf", "101.conf")
    vzctl(home, "create", "101", "--ostemplate", TINY)
    problems = []
    setting = ["set", "101", "--save", "--numproc"]
    points = points_of(home, tmp_path / "set", *setting, "71")
    for number, point in enumerate(points, 100):
        killed = vzctl(home, *setting, str(number), environment={KILL_VARIABLE: point})
        problems += [point] if killed != -9 else []
        problems += [f"{point}: file"] if 'NUMPROC="71:71"' not in file.read_text() else []
        problems += [f"{point}: start"] if vzctl(home, "start", "101") != 0 else []
        problems += [f"{point}: limit"] if home.guests()[0].limits.processes != 71 else []
        vzctl(home, "stop", "101", "--fast")

    assert problems == []


def test_set_of_addresses_killed_leaves_a_running_container_with_those_before_or_those_after(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    vzctl(home, "create", "101", "--ostemplate", TINY)
    vzctl(home, "start", "101")
    after = ".".join([*home.guests()[0].address.split(".")[:3], "250"])
    adding, taking = (
        ["set", "101", "--save", "--ipadd", after],
        ["set", "101", "--save", "--ipdel", "all"],
    )
    problems = []
    for command, undoing, was, is_to_be in (
        (adding, taking, [], [after]),
        (taking, adding, [after], []),
    ):
        points = points_of(home, tmp_path / command[3], *command)
        vzctl(home, *undoing)
        for point in points:
            killed = vzctl(home, *command, environment={KILL_VARIABLE: point})
            problems += [point] if killed != -9 else []
            # The next command finds one or the other, and the container has it.
            home.wirt("show", "101", status=0)
            has = list(home.guests()[0].card.addresses)
            problems += [f"{point}: {has}"] if has not in (was, is_to_be) else []
            problems += (
                [f"{point}: {after}"] if (is_reached if has else pings)(after) != bool(has) else []
            )
            vzctl(home, *undoing)
            problems += [f"{point}: back"] if list(home.guests()[0].card.addresses) != was else []
        vzctl(home, *command)
    vzctl(home, "stop", "101", "--fast")

    assert problems == []


def test_exchange_of_an_interface_killed_leaves_a_running_container_with_the_one_or_the_other(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    vzctl(home, "create", "101", "--ostemplate", TINY)
    vzctl(home, "start", "101")
    named = f"v{home.home.tag}.1"
    was, is_to_be = (
        ("02:00:5e:00:53:01", "02:00:5e:00:53:02"),
        (
            "02:00:5e:00:53:03",
            "02:00:5e:00:53:04",
        ),
    )
    vzctl(home, "set", "101", "--save", "--netif_add", f"eth1,{was[0]},{named},{was[1]}")
    exchanging, undoing = (
        ["set", "101", "--save", "--ifname", "eth1", "--mac", mac, "--host_mac", host_mac]
        for mac, host_mac in (is_to_be, was)
    )
    points = points_of(home, tmp_path / "exchange", *exchanging)
    address = home.guests()[0].cards[0].addresses[0]
    problems = [] if is_reached(address) else ["it is not reached"]
    vzctl(home, *undoing)
    for point in points:
        killed = vzctl(home, *exchanging, environment={KILL_VARIABLE: point})
        problems += [point] if killed != -9 else []
        # The next command finds the one or the other, at both ends.
        home.wirt("show", "101", status=0)
        card = home.guests()[0].cards[0]
        said = home.wirt("exec", "101", "cat", "/sys/class/net/eth1/address", status=0).stdout
        on_node = subprocess.run(
            ["ip", "-oneline", "link", "show", "dev", named], capture_output=True, text=True
        ).stdout
        has = (said.strip(), on_node.partition("link/ether ")[2][:17])
        problems += [f"{point}: {has}"] if has not in (was, is_to_be) else []
        problems += [f"{point}: {card}"] if has != (card.mac, card.node_mac) else []
        problems += [f"{point}: back"] if vzctl(home, *undoing) != 0 else []
    vzctl(home, "stop", "101", "--fast")

    assert problems == []
    assert len(points) >= 4
