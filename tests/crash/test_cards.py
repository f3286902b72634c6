"""A command that changes the cards of a container, killed at every point: it is before or after, inside and in the filter."""

import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from tests.crash import nodes
from tests.crash.nodes import LxcNode, must
from tests.crash.test_kill_at_trace_points import CREATE, START, Case, Scene
from tests.leaks import World

ADD = ["set", "web", "--ip-add", "IP4", "--ip-add", "IP6", "--mtu", "1400"]
REMOVE = ["set", "web", "--ip-remove", "all", "--mtu", "none"]
CARD, BACK = ["card", "add", "web", "--network", "back"], ["card", "remove", "web", "eth1"]
ROUTED = [*CREATE, "--routed"]
FAR, FAR_GONE = (
    [["set", "web", "--ip-add", "203.0.113.9", "--ip-add", "2001:db8::9"]],
    [["set", "web", "--ip-remove", "all"]],
)
END = ["stop", "--force", "web"]
ROUTED_CARD = ["card", "add", "web", "--routed", "--address", "203.0.113.9"]
WAYS, NO_WAYS = (
    ["set", "web", "--route-add", "198.51.100.0/24=IP4", "--route-add", "2001:db8::/32=IP6"],
    ["set", "web", "--route-remove", "all"],
)
PACED = [*CARD, "--rate-in", "4mbit", "--rate-out", "4mbit"]
PACE, FREE = (["card", "set", "web", "eth1", "--rate-out", rate] for rate in ("2mbit", "unlimited"))
CASES = {
    # A private network's bridge stays until the last guest goes.
    "card": Case([CREATE, START, CARD, BACK], CARD, [BACK]),
    "paced-card": Case([CREATE, START, PACED, BACK], PACED, [BACK]),
    "paced-card-gone": Case([CREATE, START, PACED], BACK, [PACED]),
    "pace": Case([CREATE, START, CARD, PACE, FREE], PACE, [FREE]),
    "paced-start": Case([CREATE, PACED, START, END], START, [END]),
    "card-gone": Case([CREATE, START, CARD], BACK, [CARD]),
    "start": Case([CREATE, CARD, START, END], START, [END]),
    # Changed once, a guest has what is done when it reboots by itself.
    # As above, of the bridge of routed cards.
    "routed-start": Case([ROUTED, START, END], START, [END]),
    "routed-card": Case([CREATE, START, ROUTED_CARD, BACK], ROUTED_CARD, [BACK]),
    "routed-card-gone": Case([CREATE, START, ROUTED_CARD], BACK, [ROUTED_CARD]),
    "routed-addresses": Case([ROUTED, START, *FAR, *FAR_GONE], FAR[0], FAR_GONE),
    "addresses": Case([CREATE, START, ADD, REMOVE], ADD, [REMOVE]),
    "routes": Case([CREATE, START, WAYS, NO_WAYS], WAYS, [NO_WAYS]),
    "routes-gone": Case([CREATE, START, WAYS], NO_WAYS, [WAYS]),
    "start-with-routes": Case([CREATE, WAYS, START, END], START, [END]),
}


class Cards:
    """A node whose world shows what its container has inside, too, and what of it is let through."""

    def __init__(self, node: LxcNode) -> None:
        self._node = node
        shown = node.home.wirt("network", "show", "--json", status=0).stdout
        reach = msgspec.json.decode(shown)["reach"]
        self._words = {"IP4": f"{reach['subnet'].rpartition('.')[0]}.77"}
        self._words["IP6"] = reach["range6"].replace("/64", "77")

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        told = list(arguments)
        for word, meant in self._words.items():
            told = [re.sub(rf"\b{word}$", meant, one) for one in told]
        return self._node.run(*told, environment=environment)

    def world(self) -> World:
        world = self._node.world()
        guests = {guest.name: guest for guest in self._node.home.guests()}
        found: set[str] = set()
        if "web" in guests and guests["web"].state.is_up:
            for line in self._inside("ip", "-oneline", "address", "show").splitlines():
                found |= {f"inside: {line.split()[1]} {line.split()[3]}"}
            for line in self._inside("ip", "-oneline", "link", "show").splitlines():
                name, mtu = re.match(r"\d+: (\w+)\S* .*? mtu (\d+)", line).groups()  # type: ignore[union-attr]
                found |= {f"inside: {name} of {mtu} bytes"}
            for family in ("-4", "-6"):
                ways = (
                    ["ip", family, "rule", "show"],
                    ["ip", family, "route", "show", "table", "all"],
                )
                for asked in ways:
                    found |= {
                        f"inside: {line.strip()}"
                        for line in self._inside(*asked).splitlines()
                        if re.search(r"7001|198\.51\.100\.|2001:db8::/32", line)
                    }
        rules = subprocess.check_output(["nft", "list", "ruleset", "bridge"], text=True)
        found |= {f"let through: {word}" for word in self._words.values() if word in rules}
        tag = self._node.home.home.tag
        found |= {f"held: {line}" for line in self._rates(f"w{tag}")}
        for family in ("-4", "-6"):
            for thing in ("route", "neighbour show nud permanent", "neighbour show proxy"):
                said = subprocess.check_output(["ip", family, *thing.split()], text=True)
                found |= {
                    f"leads: {line.strip()}"
                    for line in said.splitlines()
                    # What the kernel makes of the bridges' own addresses comes and goes with their ports.
                    if f"wirt-{tag}" in line and "proto kernel" not in line
                }
        return dataclasses.replace(world, interfaces=world.interfaces | found)

    def _rates(self, ours: str) -> Iterator[str]:
        """Yield what holds each of our cards to a rate."""
        for line in subprocess.check_output(["tc", "qdisc", "show"], text=True).splitlines():
            # Each queue has another handle.
            if "tbf" in line and f"dev {ours}" in line:
                yield line.partition("dev ")[2]
        for table in self._node.home.world().tables:
            if table.startswith("table netdev ") and ours in table:
                shown = subprocess.check_output(["nft", "list", *table.split()], text=True)
                yield from (line.strip() for line in shown.splitlines() if "rate over" in line)

    def _inside(self, *argv: str) -> str:
        guest = self._node.home.guests()[0]
        assert guest.handle is not None
        monitor = guest.handle.pid
        init = Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0]
        enter = ["nsenter", f"--target={init}", "--net", *argv]
        return subprocess.check_output(enter, text=True)


@pytest.fixture(scope="module")
def node(tiny_templates: Path) -> Iterator[Cards]:
    with nodes.open_node("lxc", tiny_templates) as opened:
        assert isinstance(opened, LxcNode)
        must(opened, "network", "add", "back")
        yield Cards(opened)


@pytest.mark.parametrize("verb", CASES)
def test_change_of_cards_killed_at_every_point_leaves_before_or_after(
    node: Cards, verb: str, tmp_path: Path
) -> None:
    scene = Scene(node, CASES[verb], tmp_path / "points")
    found = scene.problems_if_killed_anywhere()

    assert found == []
    assert scene.before != scene.after
    assert len(scene.points) >= 4
