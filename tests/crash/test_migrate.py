"""A guest on its way to another node, and either side killed at every point: one of them has it afterwards, whole."""

import glob
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests import fakes, homes
from tests.conftest import TINY
from tests.crash.nodes import run_forked
from tests.homes import HomeUnderTest
from tests.leaks import World
from tests.netns import enter_network, other_network

from wirt.cli.main import main
from wirt.errors import Error
from wirt.host import interrupts, pagemarks
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.migration import Mode
from wirt.model.node import Node
from wirt.ops.cleanup import clean_up
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE
from wirt.ops.migrate import MigrateRequest, migrate
from wirt.ops.nodes import add_node
from wirt.ops.start import start
from wirt.state.sqlite import SqliteStore
from wirt.transport.base import Link

SECONDS = 30.0
PAUSE = 0.05
THERE = "receive:"
"""What the points of the node that a guest goes to begin with."""
KILLED_TWICE = "receive:before-settle"
"""Here the other node dies once more when it is asked whose the guest is, so nobody starts it before somebody can say."""
WITH_CONTAINERS = {
    Mode.REFRESH: (
        "migrate:after-receive",
        "migrate:before-undo:engine",
        "handover:after-take",
        "handover:after-undo:root",
        "receive:after:engine",
    ),
    Mode.LIVE: (
        "migrate:after:card",
        "migrate:after:dump",
        "migrate:after-copy",
        "handover:after-intent",
        "handover:after-take",
        "receive:after:root",
        "receive:after:engine",
        "receive:after-settle",
    ),
}
"""A point of each kind: the fakes are killed at all of them."""
AHEAD = ("migrate:after:ahead", "migrate:after-round", "receive:before-room")
"""Those of memory that is sent ahead, where the kernel knows what changes."""


class Fakes:
    """Two nodes of fakes; a command is a forked child, and so is the other node."""

    def __init__(self, base: Path, approach: str = "fake") -> None:
        self._approach = approach
        self.lets_none_go_on = False
        """The other node cannot let a guest go on."""
        self.bases = {name: base / name for name in ("a", "b")}

    def run(self, node: str, *arguments: str, **environment: str) -> int:
        return run_forked(lambda: self._command(node, *arguments), environment)

    def guests(self) -> dict[str, list[Guest]]:
        found = {}
        for name, base in self.bases.items():
            with closing(SqliteStore(fakes.home_in(base).database)) as store:
                assert store.intents() == [], f"node {name} is not done"
                found[name] = store.guests()
        return found

    def engines(self) -> list[str]:
        return [
            name
            for name, base in self.bases.items()
            if os.path.isdir(base / "kernel/guests") and os.listdir(base / "kernel/guests")
        ]

    def going(self) -> list[str]:
        """Return the nodes on which the guest runs, and does not only stand still."""
        return [
            name
            for name, base in self.bases.items()
            for guest in (base / "kernel/guests").glob("*")
            if (guest / "init").exists() and not (guest / "still").exists()
        ]

    def roots(self) -> list[str]:
        return [
            name
            for name, base in self.bases.items()
            if os.path.isdir(pool := fakes.home_in(base).pool("fake")) and os.listdir(pool)
        ]

    def on_its_way(self) -> list[str]:
        return memory_on_its_way(*map(fakes.home_in, self.bases.values()))

    def _command(self, node: str, verb: str, *arguments: str) -> int:
        interrupts.install()
        base = self.bases[node]
        os.makedirs(fakes.home_in(base).data, exist_ok=True)

        def link(other: Node) -> Link:
            fail = "approach" if self.lets_none_go_on else ""
            return fakes.link_to(self.bases[other.name], other, fail=fail, fail_at_there=1)

        with closing(SqliteStore(fakes.home_in(base).database)) as store:
            context = fakes.open_context(base, store, link=link)
            clean_up(context)
            match verb:
                case "create":
                    create(
                        context, CreateRequest(name="web", template=TINY, approach=self._approach)
                    )
                case "start":
                    start(context, "web")
                case "destroy":
                    destroy(context, "web", force=True)
                case "add":
                    add_node(context, Node(name="b", home=fakes.home_in(self.bases["b"]).data))
                case "migrate":
                    mode = Mode(arguments[0])
                    request = MigrateRequest(guest="web", node="b", mode=mode)
                    try:
                        migrate(context, request, progress=lambda line: None)
                    except Error as error:
                        return error.exit_code
        return 0


class Real:
    """Two homes of this machine, the second in a network of its own, and containers."""

    def __init__(self, base: Path, templates: Path, netns: str) -> None:
        self.homes = {}
        for name in ("a", "b"):
            os.makedirs(base / name, mode=0o711)
            self.homes[name] = HomeUnderTest(base / name)
            self.homes[name].give_templates(templates)
        self._netns = netns

    def run(self, node: str, *arguments: str, **environment: str) -> int:
        verb, *rest = arguments
        match verb:
            case "create":
                argv = ["create", "-t", TINY, "web"]
            case "start":
                argv = ["start", "web"]
            case "destroy":
                argv = ["destroy", "--force", "web"]
            case "add":
                home = self.homes["b"].home
                places = ["--home", home.data, "--run", home.run, "--netns", self._netns]
                argv = ["node", "add", "b", *places]
            case "migrate":
                argv = ["migrate", "web", "b", "--timeout", "1s", "--mode", rest[0]]
            case _:
                argv = [verb, *rest]

        def command() -> int:
            if node == "b":
                enter_network(self._netns)
            sys.argv = ["wirt", *argv]
            return main()

        return run_forked(command, {**self.homes[node].environment, **environment})

    def guests(self) -> dict[str, list[Guest]]:
        found = {}
        for name, home in self.homes.items():
            with closing(SqliteStore(home.home.database)) as store:
                assert store.intents() == [], f"node {name} is not done"
                found[name] = store.guests()
        return found

    def engines(self) -> list[str]:
        return [name for name, home in self.homes.items() if home.world().cgroups]

    def going(self) -> list[str]:
        return self.engines()

    def roots(self) -> list[str]:
        return [
            name
            for name, home in self.homes.items()
            if os.path.isdir(pool := home.home.pool("directory")) and os.listdir(pool)
        ]

    def on_its_way(self) -> list[str]:
        return memory_on_its_way(*(home.home for home in self.homes.values()))


def memory_on_its_way(*homes: Home) -> list[str]:
    """Return what lies in the node's memory of the guests of homes."""
    return [path for home in homes for path in glob.glob(f"/dev/shm/wirt-w{home.tag}-*")]


Nodes = Fakes | Real


@pytest.fixture
def fake_nodes(root_user: None) -> Iterator[Fakes]:
    with homes.open_base("/dev/shm") as base:
        yield Fakes(base)


@pytest.fixture
def real_nodes(tiny_templates: Path) -> Iterator[Real]:
    with homes.open_base() as base, other_network() as netns:
        nodes = Real(base, tiny_templates, netns)
        yield nodes
        for name, home in nodes.homes.items():
            nodes.run(name, "destroy")
            left = home.world().difference(World.empty())
            assert [line for line in left if not line.startswith("files:")] == []


def settled(look: Callable[[], list[str]]) -> list[str]:
    """Return what is wrong, once whatever the dead process had begun over there has ended."""
    deadline = time.monotonic() + SECONDS
    while (wrong := look()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return wrong


def problems(nodes: Nodes, point: str, mode: Mode) -> list[str]:
    """Return what is wrong when both nodes have had their next command.

    What goes on from its memory goes on whoever died; what is stopped for it does so if nothing died here.
    """
    goes_on = mode is Mode.LIVE or (mode is Mode.REFRESH and point.startswith(THERE))

    def look() -> list[str]:
        for name in ("a", "b"):
            nodes.run(name, "list")
        try:
            found = nodes.guests()
        except AssertionError as error:
            return [f"{point}: {error}"]
        owners = [name for name, there in found.items() if there]
        if len(owners) != 1:
            return [f"{point}: guest web is on {owners}"]
        if nodes.roots() != owners:
            return [f"{point}: its root is on {nodes.roots()}, and it on {owners}"]
        running = [name for name in owners if found[name][0].state.is_up]
        if on_its_way := nodes.on_its_way():
            return [f"{point}: its memory is still on its way: {on_its_way}"]
        if nodes.engines() != running:
            return [f"{point}: it runs on {nodes.engines()}, and is said to on {running}"]
        if goes_on and not running and point != KILLED_TWICE:
            return [f"{point}: it does not run any more"]
        return []

    wrong = settled(look)
    owner = (
        next((name for name, there in nodes.guests().items() if there), None) if not wrong else None
    )
    if owner is not None and not nodes.guests()[owner][0].state.is_up:
        status = nodes.run(owner, "start")
        wrong += [f"{point}: it does not start on {owner}: {status}"] if status else []
    return wrong


def points_of(nodes: Nodes, trace: Path, mode: Mode) -> list[str]:
    trace.touch()
    assert nodes.run("a", "migrate", mode, **{TRACE_VARIABLE: str(trace)}) == 0
    return list(dict.fromkeys(trace.read_text().split()))


def prepare(nodes: Nodes, mode: Mode) -> None:
    for name in ("a", "b"):
        nodes.run(name, "destroy")
    commands = ["create", *(["start"] if mode is not Mode.COLD else [])]
    assert [nodes.run("a", command) for command in commands] == [0] * len(commands)


def kill_at(nodes: Nodes, points: list[str], mode: Mode) -> list[str]:
    wrong = []
    for point in points:
        prepare(nodes, mode)
        nodes.run("a", "migrate", mode, **{KILL_VARIABLE: point})
        if len(nodes.going()) > 1:
            wrong.append(f"{point}: it runs on both")
        wrong += problems(nodes, point, mode)
    return wrong


@pytest.mark.parametrize("mode", [*Mode])
def test_migration_killed_at_every_point_leaves_one_guest(
    fake_nodes: Fakes, tmp_path: Path, mode: Mode
) -> None:
    fake_nodes.run("b", "list")
    assert fake_nodes.run("a", "add") == 0
    prepare(fake_nodes, mode)
    points = points_of(fake_nodes, tmp_path / "points", mode)

    assert kill_at(fake_nodes, points, mode) == []
    assert set(AHEAD) <= set(points) or mode is not Mode.LIVE
    assert len([point for point in points if point.startswith(THERE)]) >= 8
    assert len([point for point in points if not point.startswith(THERE)]) >= 12


def test_migration_of_a_machine_killed_at_every_point_leaves_one_guest(
    root_user: None, tmp_path: Path
) -> None:
    with homes.open_base("/dev/shm") as base:
        nodes = Fakes(base, "fakemachine")
        nodes.run("b", "list")
        assert nodes.run("a", "add") == 0
        prepare(nodes, Mode.LIVE)
        points = points_of(nodes, tmp_path / "points", Mode.LIVE)

        assert kill_at(nodes, points, Mode.LIVE) == []
    assert {"migrate:before:send", "handover:after-intent", "receive:after:engine"} <= set(points)
    assert {"receive:after:go-on", "handover:after-take"} <= set(points)


def test_guest_that_came_to_nobody_killed_while_it_goes_on_here_goes_on(
    fake_nodes: Fakes, tmp_path: Path
) -> None:
    fake_nodes.run("b", "list")
    assert fake_nodes.run("a", "add") == 0
    prepare(fake_nodes, Mode.LIVE)
    fake_nodes.lets_none_go_on = True
    trace = tmp_path / "points"
    trace.touch()
    assert fake_nodes.run("a", "migrate", Mode.LIVE, **{TRACE_VARIABLE: str(trace)}) > 0
    reached = dict.fromkeys(trace.read_text().split())
    points = [point for point in reached if point.startswith(("go-on:", "forget:"))]

    assert fake_nodes.on_its_way() == []
    assert kill_at(fake_nodes, points, Mode.LIVE) == []
    assert {"go-on:after-intent", "go-on:after:engine", "forget:before-settle"} <= set(points)


@pytest.mark.parametrize("mode", WITH_CONTAINERS)
def test_migration_of_a_container_killed_leaves_one_guest(
    real_nodes: Real, tmp_path: Path, mode: Mode
) -> None:
    real_nodes.run("b", "list")
    assert real_nodes.run("a", "add") == 0
    prepare(real_nodes, mode)
    reached = points_of(real_nodes, tmp_path / "points", mode)
    is_ahead = mode is Mode.LIVE and pagemarks.are_made()
    points = [*WITH_CONTAINERS[mode], *(AHEAD if is_ahead else ())]

    assert set(points) <= set(reached)
    assert kill_at(real_nodes, points, mode) == []
