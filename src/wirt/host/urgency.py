"""Going before others on a processor while somebody stands still for us.

What is done for a guest that stands still is short and always the same, and every process that happens to be in line for a
processor would make the guest wait for longer. So it goes first: at the lowest priority of those that the kernel runs in real
time, of whose time it keeps a part for all others. Where the kernel does not allow that, it waits its turn.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOWEST = os.sched_param(1)
PREFIX = ("chrt", "--reset-on-fork", "--rr", "1")
"""Put before a program that is to go first, but not what it starts."""


def hurry(pid: int) -> None:
    """Have a process go first, and whatever it starts from now on, until it ends."""
    # It may have ended, or belong to a group of processes that is given no such time.
    with suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_RR, _LOWEST)


def is_hurrying() -> bool:
    """Return whether this thread goes first."""
    return bool(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR)


@contextmanager
def hurrying(*, what_it_starts: bool = False) -> Iterator[None]:
    """Have this thread go first as long as the block runs.

    Args:
        what_it_starts: True to have that go first too, until it ends; else it waits its turn, for it may stay.
    """
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    policy = os.SCHED_RR | (0 if what_it_starts else os.SCHED_RESET_ON_FORK)
    with suppress(OSError):
        os.sched_setscheduler(0, policy, _LOWEST)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, before, parameters)
