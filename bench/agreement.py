"""The rows that set our workloads beside UnixBench's own programs: do they ask the same question?

On the host, each of the operating-system tests: our program and UnixBench's, built with the same flags, on one CPU, in
one directory, in turn. Beside them what UnixBench builds by itself: linked dynamically, with the node's user land.

In a guest, the two CPU tests. There the programs need not be equally fast; they must lose the same share of their speed.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from peers import PeerMissingError
from rows import Bench, Row, adopting_orphans, guest
from timing import Pair, run
from unixbench import UnixBench, parse_result, program_of

from wirt import app
from wirt.bench.workloads import WORKLOADS, build_argv, load_manifest, parse_line
from wirt.ops.copy_in import copy_in

BUNDLE = Path(__file__).resolve().parents[1] / "build" / "workloads"
IN_GUEST = "/root/agreement"
"""Where the programs are put in a guest."""
GUEST_SECONDS = 2

_SECONDS = {
    # UnixBench drops the turn that the alarm falls in, ours ends it and counts it. In its own minute that is nothing.
    "shell1": 4,
    "shell8": 8,
    # UnixBench prepares for 14 s, however short the pass.
    "fstime": 2,
    "fsbuffer": 2,
    "fsdisk": 2,
    # By its clock of whole seconds a pass of 2 takes 1 to 2.
    "execl": 2,
}
_PAIRS = {"shell1": 16, "shell8": 10, "fstime": 12, "fsbuffer": 12, "fsdisk": 12}


@contextmanager
def one_cpu() -> Iterator[None]:
    """Keep this process and all that it starts, guests too, on the last CPU it may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def prepared(bench: Bench, test: str, *, as_shipped: bool) -> Iterator[tuple[UnixBench, Path]]:
    """Build UnixBench's program for ``test``; give it and a directory for working files, and take both away."""
    if bench.unixbench is None:
        raise PeerMissingError("no copy of UnixBench 5.1.3 was named (--unixbench DIR)")
    compiler = load_manifest(BUNDLE).compiler
    with tempfile.TemporaryDirectory(prefix="agreement-", dir=bench.wirt.home) as directory:
        place = Path(directory, "unixbench")
        work = Path(directory, "work")
        work.mkdir()
        copy = UnixBench(bench.unixbench, place, compiler, as_shipped=as_shipped)
        copy.build(test)
        if program_of(test) == "looper":
            copy.take_scripts(BUNDLE, work)
        yield copy, work


def ours(test: str, seconds: int, work: Path) -> float:
    """Return the figure of one pass of our program on this node."""
    return parse_line(run(build_argv(test, seconds, str(BUNDLE), str(work))), test).value


@contextmanager
def on_host(bench: Bench, *, test: str, as_shipped: bool) -> Iterator[Pair]:
    """Our program against UnixBench's, on this node."""
    seconds = _SECONDS.get(test, 1)
    with (
        one_cpu(),
        adopting_orphans(),
        prepared(bench, test, as_shipped=as_shipped) as (copy, work),
    ):
        yield Pair(
            ours=lambda: ours(test, seconds, work),
            peer=lambda: copy.measure(test, seconds, BUNDLE, work),
        )


@contextmanager
def in_guest(bench: Bench, *, test: str, approach: str) -> Iterator[Pair]:
    """What is left of our program's speed in a guest, against what is left of UnixBench's."""
    with (
        one_cpu(),
        prepared(bench, test, as_shipped=False) as (copy, work),
        guest(bench, approach) as name,
    ):
        bench.wirt.call("start", name)
        put(bench, name, work, ours=BUNDLE / WORKLOADS[test].program, theirs=copy.build(test))
        our_argv = build_argv(test, GUEST_SECONDS, "", "/tmp")[1:]

        def ours_inside() -> float:
            argv = [f"{IN_GUEST}/ours", *our_argv]
            return parse_line(bench.wirt.call("exec", name, "--", *argv), test).value

        def theirs_inside() -> float:
            command = f"{IN_GUEST}/theirs {GUEST_SECONDS} 2>&1"
            said = bench.wirt.call("exec", name, "--", "sh", "-c", command)
            return parse_result(said).rate(GUEST_SECONDS)

        yield Pair(
            ours=lambda: ours_inside() / ours(test, GUEST_SECONDS, work),
            peer=lambda: theirs_inside() / copy.measure(test, GUEST_SECONDS, BUNDLE, work),
        )


def put(bench: Bench, name: str, work: Path, **programs: Path) -> None:
    """Copy programs into a guest, under the names that are given, the way ``wirt compare`` copies workloads."""
    directory = work / "programs"
    directory.mkdir()
    for called, program in programs.items():
        shutil.copy(program, directory / called)
    with app.open_context(bench.wirt.place) as context:
        copy_in(context, context.store.find(name), str(directory), IN_GUEST)


def _host_row(test: str, *, as_shipped: bool = False) -> Row:
    opened: Callable[[Bench], AbstractContextManager[Pair]] = partial(
        on_host, test=test, as_shipped=as_shipped
    )
    return Row(
        key=f"unixbench-{test}{'-shipped' if as_shipped else ''}",
        what=f"`{test}` on the host",
        peer="UnixBench as shipped (dynamic, the node's user land)"
        if as_shipped
        else "UnixBench, same flags and user land",
        least=None if as_shipped else 0.95,
        limit=None if as_shipped else 1.05,
        pairs=_PAIRS.get(test, 30),
        open=opened,
        unit=WORKLOADS[test].unit,
    )


def _guest_row(test: str, approach: str) -> Row:
    opened: Callable[[Bench], AbstractContextManager[Pair]] = partial(
        in_guest, test=test, approach=approach
    )
    return Row(
        key=f"unixbench-{test}-{approach}",
        what=f"`{test}` in `{approach}`, share of its speed on the host",
        peer="the same share of UnixBench's",
        points=3.0,
        limit=None,
        pairs=12 if test == "dhry2reg" else 6,
        open=opened,
        unit="of host",
    )


_ON_HOST = (
    "execl",
    "fstime",
    "fsbuffer",
    "fsdisk",
    "pipe",
    "context1",
    "spawn",
    "syscall",
    "shell1",
    "shell8",
)

ROWS = (
    *(_host_row(test) for test in _ON_HOST),
    *(_host_row(test, as_shipped=True) for test in ("execl", "spawn", "shell1", "shell8")),
    *(
        _guest_row(test, approach)
        for approach in ("lxc", "uml", "qemu")
        for test in ("dhry2reg", "whetstone")
    ),
)
