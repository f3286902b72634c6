"""The rows that set a workload inside a container beside the same binary on the host, test by test.

Both are what ``wirt compare`` takes them to be: a container of the template, and the host's own processes with their
working files in a root made as the container's is. Both are on one CPU, which the rest of Wirt keeps clear of if there is
another.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rows import Bench, Row
from timing import Pair

from wirt import app
from wirt.bench.sample import HOST, Effort
from wirt.bench.session import MEMORY
from wirt.bench.subject import Definition, Subject, close_all, make_subject
from wirt.bench.workloads import WORKLOADS
from wirt.host import lock
from wirt.model.limits import Limits
from wirt.ops.secondhome import LOCK

_SECONDS = {"shell1": 2.0, "shell8": 4.0, "shell16": 8.0, "C": 2.0, "dc": 2.0}
"""Passes that hold too few turns in a second."""
_PAIRS = 30


@contextmanager
def in_container(bench: Bench, *, test: str) -> Iterator[Pair]:
    """A workload inside a container, against the same binary on the host."""
    cpus = frozenset({max(os.sched_getaffinity(0))})
    with (
        app.open_context(bench.wirt.place) as context,
        lock.hold(context.home.lock(LOCK), "bench/ratios.py", wait=0),
    ):
        definition = Definition(
            run="ratios",
            template=bench.template,
            limits=Limits(cpus=context.cpus, memory=MEMORY),
            bundle=app.find_workloads(),
        )
        guest, host = (make_subject(context, definition, name, 1) for name in ("lxc", HOST))
        try:
            for subject in (guest, host):
                subject.launch(0, _unnoted)
                subject.settle(0, _unnoted, workloads=True)
            yield Pair(
                ours=partial(_rate, guest, test, cpus), peer=partial(_rate, host, test, cpus)
            )
        finally:
            for subject, error in close_all([guest, host]):
                raise RuntimeError(f"{subject.subject} is not gone: {error}")


def _rate(subject: Subject, test: str, cpus: frozenset[int]) -> float:
    return subject.measure(test, _SECONDS.get(test, 1.0), cpus).value


def _unnoted(effort: Effort) -> None:
    """Note nothing of what a subject's setting up cost: it is no part of the row."""


def _row(test: str) -> Row:
    return Row(
        key=f"container-{test}",
        what=f"`{test}` inside a container",
        peer="the same binary on the host",
        least=0.98,
        limit=1.02,
        pairs=_PAIRS,
        open=partial(in_container, test=test),
        unit=WORKLOADS[test].unit,
    )


ROWS = tuple(_row(test) for test in WORKLOADS)
