"""Which processors the threads of running processes may use, this one's first of all."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def usable() -> tuple[int, ...]:
    """Return the numbers of the node's processors that this process may use, and so whatever it starts."""
    return tuple(sorted(os.sched_getaffinity(0)))


def mask(cpus: frozenset[int]) -> str:
    """Return processors as the mask that every ``taskset`` reads: {0, 2} is "0x5"."""
    return hex(sum(1 << cpu for cpu in cpus))


@contextmanager
def bound(find: Callable[[], list[int]], cpus: frozenset[int] | None) -> Iterator[None]:
    """Bind every thread of some processes to ``cpus`` for as long as the block runs; None: leave them.

    What they start meanwhile inherits the binding. At the end all get back what the first of them was allowed before.

    Args:
        find: returns the process ids; asked again at the end, for those that came meanwhile.
        cpus: numbers of the node's processors.
    """
    leaders = find() if cpus is not None else []
    if cpus is None or not leaders:
        yield
        return
    before = os.sched_getaffinity(leaders[0])
    _bind(leaders, cpus)
    _bind(find(), cpus)  # a thread started by one that was not yet bound
    try:
        yield
    finally:
        _bind(find(), frozenset(before))


def _bind(pids: list[int], cpus: frozenset[int]) -> None:
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for thread in threads:
            try:
                os.sched_setaffinity(int(thread), cpus)
            except ProcessLookupError:
                continue
