"""Machines that go to another node while they run: how long they stand still, beside what QEMU says, and how long nobody sees them."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import msgspec
from moving import Away, destroy, own_network
from peers import need
from rows import Bench, Row
from timing import Pair

from wirt.model.migration import Migration

MACHINE = "bench-machine"


def machine(bench: Bench) -> AbstractContextManager[Pair]:
    """How long a machine stands still when it goes to another node, against what QEMU says of the same move."""
    return _moves(bench, lambda moved: moved.downtime_seconds, lambda moved: moved.engine_seconds)


def machine_seen(bench: Bench) -> AbstractContextManager[Pair]:
    """How long nobody sees a machine when it goes to another node, against how long it stood still in the same move."""
    return _moves(bench, lambda moved: moved.unseen_seconds, lambda moved: moved.downtime_seconds)


@contextmanager
def _moves(
    bench: Bench,
    ours: Callable[[Migration], float | None],
    peer: Callable[[Migration], float | None],
) -> Iterator[Pair]:
    """Give two figures of each move; one that was not taken is 0."""
    with _going_machine(bench) as go:
        moves: list[Migration] = []

        def move() -> float:
            moves.append(go())
            return ours(moves[-1]) or 0.0

        yield Pair(ours=move, peer=lambda: peer(moves[-1]) or 0.0)


@contextmanager
def _going_machine(bench: Bench) -> Iterator[Callable[[], Migration]]:
    """Give what has a booted machine go to a second node, and the next time back."""
    need("nsenter")
    with ExitStack() as held:
        away = Away(bench.wirt.home / "m", held.enter_context(own_network()))
        bench.wirt.call("node", "add", "m", *away.places)
        held.callback(bench.wirt.call, "node", "remove", "m")
        own = ["--home", bench.wirt.place.data, "--run", bench.wirt.place.run]
        away.call("node", "add", "a", *own, "--netns", f"/proc/{os.getpid()}/ns/net")
        bench.wirt.create(MACHINE, bench.template, "qemu", "--cpus", "1", "--memory", "256M")
        for side in (away, bench.wirt):
            held.callback(destroy, side, MACHINE)
        bench.wirt.call("start", MACHINE)
        bench.wirt.call("exec", MACHINE, "--", "systemctl", "is-system-running", "--wait")
        ways = itertools.cycle([(bench.wirt, "m"), (away, "a")])

        def go() -> Migration:
            side, node = next(ways)
            said = side.call("migrate", MACHINE, node, "--mode", "live", "--json")
            return msgspec.json.decode(said, type=Migration)

        yield go


ROWS = (
    Row(
        key="machine",
        what="live migration of an emulated machine with 256 MiB: how long it stands still",
        peer="what QEMU's `query-migrate` says of the same move",
        limit=1.5,
        pairs=20,
        open=machine,
    ),
    Row(
        key="machine-seen",
        what="the same: how long it is not seen from outside, asked every 2 ms",
        peer="how long it stood still in the same move",
        limit=None,
        pairs=20,
        open=machine_seen,
    ),
)
