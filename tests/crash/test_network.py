"""A command that changes what leads out of the bridge or into it, killed at every point, on a node with a network of its own."""

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import netns
from tests.crash import nodes
from tests.crash.nodes import Node
from tests.crash.test_kill_at_trace_points import CREATE, DESTROY, END, START, Case, Scene
from tests.leaks import World

FORWARD, TAKE_BACK = ["forward", "add", "web", "8080:80"], ["forward", "remove", "web", "8080:80"]
ON, OFF = ["network", "nat", "on"], ["network", "nat", "off"]
CASES = {
    "forward": Case([CREATE, START], FORWARD, [TAKE_BACK]),
    "take-back": Case([CREATE, START, FORWARD], TAKE_BACK, [FORWARD]),
    "nat-on": Case([CREATE, START, FORWARD], ON, [OFF]),
    "nat-off": Case([CREATE, START, ON], OFF, [ON]),
    "start": Case([CREATE, FORWARD, START, END], START, [END]),
    "stop": Case([CREATE, FORWARD, START], END, [START]),
    "destroy-last-with-nat": Case([CREATE, ON, START, END], DESTROY, [CREATE, START, END]),
}
ON_LXC = ["forward", "take-back", "nat-on", "nat-off", "start"]
"""Where the kernel's part is something else than at a stop."""
_LED = re.compile(r"(tcp \. \d+) : 10\.[\d.]+ \. (\d+)")


class Forwarding:
    """A node whose world shows what leads out and in, too."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        return self._node.run(*arguments, environment=environment)

    def world(self) -> World:
        world = self._node.world()
        rules = subprocess.check_output(["nft", "list", "ruleset", "ip"], text=True)
        found = {f"{port} to {to}" for port, to in _LED.findall(rules)}
        found |= {f"{rules.count('masquerade')} masquerades"}
        switches = Path("/proc/sys/net/ipv4/conf").glob("*/forwarding")
        found |= {str(switch) for switch in switches if switch.read_text() == "1\n"}
        remembered = {name for name in os.listdir("/run") if name.startswith("wirt-forwarding")}
        return dataclasses.replace(world, tables=world.tables | found | remembered)


@contextmanager
def open_node(kind: str, templates: Path) -> Iterator[Forwarding]:
    with netns.own_network(), netns.outside(), nodes.open_node(kind, templates) as opened:
        yield Forwarding(opened)


@pytest.fixture(scope="module")
def node_of_files(tiny_templates: Path) -> Iterator[Forwarding]:
    with open_node("fake", tiny_templates) as opened:
        yield opened


@pytest.fixture(scope="module")
def node_of_containers(tiny_templates: Path) -> Iterator[Forwarding]:
    with open_node("lxc", tiny_templates) as opened:
        yield opened


def problems(node: Forwarding, verb: str, trace: Path) -> list[str]:
    node.run(*OFF)
    scene = Scene(node, CASES[verb], trace)
    found = scene.problems_if_killed_anywhere()
    assert scene.before != scene.after
    assert len(scene.points) >= 4
    return found


@pytest.mark.parametrize("verb", CASES)
def test_command_killed_at_every_point_leaves_before_or_after(
    node_of_files: Forwarding, verb: str, tmp_path: Path
) -> None:
    assert problems(node_of_files, verb, tmp_path / "points") == []


@pytest.mark.parametrize("verb", ON_LXC)
def test_command_on_containers_killed_at_every_point_leaves_before_or_after(
    node_of_containers: Forwarding, verb: str, tmp_path: Path
) -> None:
    assert problems(node_of_containers, verb, tmp_path / "points") == []
