"""Two nodes to die on: one played by files, and this one with LXC."""

import dataclasses
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from tests import fakes, homes
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.cli.main import main
from wirt.host import interrupts
from wirt.model.forward import parse_forward
from wirt.ops.checkpoint import checkpoint
from wirt.ops.cleanup import clean_up
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.copy import copy, parse_end
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.disk import DiskRequest, add_disk, grow_disk, remove_disk
from wirt.ops.forward import add_forward, remove_forward
from wirt.ops.freeze import freeze, thaw
from wirt.ops.mount import mount, unmount
from wirt.ops.network import set_outbound
from wirt.ops.resume import resume
from wirt.ops.run import run
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.snapshot import create_snapshot, delete_snapshot, restore_snapshot
from wirt.ops.snapshotfiles import export_snapshot, import_snapshot
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.ops.template import take_template
from wirt.state.sqlite import SqliteStore
from wirt.units import MIB, parse_bytes

_LOOP = re.compile(r"\bloop\d+\b")
_PROCESS = re.compile(r"^\d+ (.*) \(started at tick \d+\)$", re.DOTALL)


class Node(Protocol):
    """Where commands are killed."""

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        """Run a command to its end and return its exit status, minus the signal if it was killed."""
        ...

    def world(self) -> World:
        """Return what there is, without what differs between two guests of one definition."""
        ...


_ACCIDENTAL = re.compile("/images/|/layer/work/work")
"""CRIU calls its images by numbers of processes and mounts; an overlay has that directory once it was mounted."""


def alike(world: World, tag: str) -> World:
    """Return a world in which every guest has the same id, and every process and loop device the same number."""
    guest_id = re.compile(
        rf"((?<=/)|(?<=w{tag})|(?<=w{tag}-)|(?<=-guests-))[0-9a-f]{{6}}(?![0-9a-z])"
    )

    def plain(thing: str) -> str:
        return guest_id.sub("ID", _LOOP.sub("loop", _PROCESS.sub(r"\1", thing)))

    # What there is of two guests is there twice.
    counted = {
        field.name: Counter(
            plain(thing) for thing in getattr(world, field.name) if not _ACCIDENTAL.search(thing)
        )
        for field in dataclasses.fields(world)
    }
    return World(
        **{
            kind: frozenset(
                f"{thing} x{count}" if count > 1 else thing for thing, count in things.items()
            )
            for kind, things in counted.items()
        }
    )


def run_forked(command: Callable[[], int], environment: Mapping[str, str]) -> int:
    """Run a command in a forked child: all that a process of its own does, without its start-up time.

    Returns:
        Its exit status, minus the signal if it was killed.
    """
    child = os.fork()
    if child == 0:
        status = 70
        try:
            with open(os.devnull, "r+") as nothing:
                for descriptor in range(3):
                    os.dup2(nothing.fileno(), descriptor)
            os.environ.clear()
            os.environ.update(environment)
            status = command()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class LxcNode:
    """This node: the command line, and containers."""

    def __init__(self, home: HomeUnderTest, pool: str | None = None) -> None:
        self.home = home
        self._pool = ["--pool", pool] if pool else []

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        def command() -> int:
            verb, *rest = arguments
            sys.argv = ["wirt", verb, *(self._pool if verb == "create" else []), *rest]
            return main()

        return run_forked(command, {**self.home.environment, **(environment or {})})

    def world(self) -> World:
        return alike(self.home.world(), self.home.home.tag)


class FakeNode:
    """A node whose kernel is a directory; a command is a forked child of the test's."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._home = fakes.home_in(base)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        return run_forked(lambda: self._command(*arguments), environment or {})

    def world(self) -> World:
        below = frozenset(str(path) for path in self._base.rglob("*"))
        return alike(dataclasses.replace(World.empty(), files=below), self._home.tag)

    def _command(self, verb: str, *arguments: str) -> int:
        interrupts.install()
        os.makedirs(self._home.data, exist_ok=True)
        with closing(SqliteStore(self._home.database)) as store:
            self._do(fakes.open_context(self._base, store), verb, *arguments)
        return 0

    def _do(self, context: Context, verb: str, *arguments: str) -> None:
        name, force = arguments[-1] if arguments else "", "--force" in arguments
        clean_up(context)
        request = CreateRequest(name=name, template=TINY, approach="fake")
        match verb:
            case "create":
                create(context, request)
            case "start":
                start(context, name)
            case "stop":
                stop(context, name, force=force)
            case "destroy":
                destroy(context, name, force=force)
            case "set":
                set_limits(context, arguments[0], SetRequest(memory=parse_bytes(arguments[2])))
            case "forward" if arguments[0] == "add":
                add_forward(context, arguments[1], parse_forward(name))
            case "forward":
                remove_forward(context, arguments[1], parse_forward(name))
            case "disk" if arguments[0] == "add":
                add_disk(context, arguments[1], DiskRequest(name=name, size=MIB))
            case "disk" if arguments[0] == "grow":
                grow_disk(context, arguments[1], name, 2 * MIB)
            case "disk":
                remove_disk(context, arguments[1], name)
            case "network":
                set_outbound(context, wanted=name == "on")
            case "freeze":
                freeze(context, name)
            case "thaw":
                thaw(context, name)
            case "exec":
                # As touch(1) in the guest would.
                guest = context.store.find(arguments[0])
                Path(self._home.pool("fake"), guest.id, f"root/{arguments[-1]}").touch()
            case "checkpoint":
                keep_running = "--keep-running" in arguments
                checkpoint(context, *arguments[:2], keep_running=keep_running)
            case "resume":
                resume(context, name)
            case "clone":
                clone(context, *arguments, progress=lambda text: None)
            case "mount":
                mount(context, name)
            case "unmount":
                unmount(context, name)
            case "copy":
                copy(context, *map(parse_end, arguments))
            case "snapshot":
                self._do_snapshot(context, *arguments)
            case "template" if arguments[0] == "from-guest":
                take_template(context, arguments[1], name, progress=lambda text: None)
            case "run":
                run(context, CreateRequest(name="brief", template=TINY, approach="fake"), ["true"])

    def _do_snapshot(
        self, context: Context, verb: str, name: str, snapshot: str = "", *force: str
    ) -> None:
        match verb:
            case "export":
                export_snapshot(context, name, snapshot, force[0], force=True)
            case "import":
                import_snapshot(context, name, progress=lambda text: None)
            case "create":
                create_snapshot(context, name, snapshot)
            case "restore":
                restore_snapshot(context, name, snapshot, force=bool(force))
            case "delete":
                delete_snapshot(context, name, snapshot)


@contextmanager
def open_node(kind: str, templates: Path) -> Iterator[Node]:
    """Give a node on which every directory that outlasts a guest has been made."""
    if kind == "fake":
        # In memory: a command's two synced writes would take most of the time.
        with homes.open_base("/dev/shm") as base:
            node: Node = FakeNode(base)
            warm_up(node)
            yield node
    else:
        where = str(templates.parent) if kind == "lxc-btrfs" else "/var/tmp"
        with homes.open_home(templates, where=where) as home:
            node = LxcNode(home, "image" if kind == "lxc-image" else None)
            warm_up(node)
            yield node


def warm_up(node: Node) -> None:
    for command in (
        ["create", "-t", TINY, "web"],
        ["start", "web"],
        ["stop", "web"],
        ["destroy", "web"],
    ):
        must(node, *command)


def must(node: Node, *arguments: str) -> None:
    """Run a command that must succeed."""
    status = node.run(*arguments)
    assert status == 0, f"{' '.join(arguments)} ended {status}"
