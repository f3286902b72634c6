"""Locks on files: how many a set of processes holds."""

import os
from collections.abc import Sequence

from wirt.host.processusage import Descriptor

_KINDS = frozenset({"FLOCK", "POSIX", "OFDLCK"})
"""Leases and the like are no locks that a process waits for."""


def count_locks(pids: Sequence[int], files: Sequence[Descriptor]) -> int:
    """Return how many locks processes hold, those that they wait for left out.

    The kernel lists each lock with the process that took it. One that was taken by a process that has ended since, or by
    no process but an open file (F_OFD_SETLK), is told only with the descriptors of that file; so these are looked through
    if there is such a lock on the node at all.

    Args:
        pids: the processes.
        files: their descriptors of files.
    """
    ours = set(pids)
    held, is_unowned = 0, False
    with open("/proc/locks") as listed:
        for line in listed:
            lock = _parse_lock(line)
            if lock is None:
                continue
            _, taker = lock
            held += taker in ours
            is_unowned = is_unowned or not _is_process(taker)
    if not is_unowned:
        return held
    unowned: set[str] = set()
    for descriptor in files:
        unowned.update(text for text, taker in _locks_of(descriptor) if not _is_process(taker))
    return held + len(unowned)


def _parse_lock(line: str) -> tuple[str, int] | None:
    """Return a lock without its place in the list, and who took it; None for what is none or not held yet ("->")."""
    place, _, text = line.strip().partition(": ")
    fields = text.split()
    if not place.isdigit() or len(fields) < 6 or fields[0] not in _KINDS:
        return None
    return " ".join(fields), int(fields[3])


def _is_process(pid: int) -> bool:
    return pid > 0 and os.path.exists(f"/proc/{pid}")


def _locks_of(descriptor: Descriptor) -> list[tuple[str, int]]:
    """Return the locks that an open file holds."""
    pid, number = descriptor
    try:
        with open(f"/proc/{pid}/fdinfo/{number}") as file:
            lines = [line.removeprefix("lock:") for line in file if line.startswith("lock:")]
    except OSError:
        return []
    return [lock for line in lines if (lock := _parse_lock(line)) is not None]
