"""What a set of processes holds: one pass over their directories in /proc."""

import ctypes
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cmp_to_key
from itertools import pairwise

import msgspec

_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272}
"""The number of ``kcmp``, for which the C library has no name."""
_KCMP_FILE = 0
_MOST_COMPARED = 20_000
"""Descriptors: what a guest can open is bounded by its memory alone, and to compare so many takes a second."""

_libc = ctypes.CDLL(None, use_errno=True)

Descriptor = tuple[int, int]
"""A process and the number of one of its open files."""


class ProcessUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What processes hold together."""

    first: int | None
    """The first process of their namespace, None if it is not among them."""
    private: int
    """Bytes of address space that only one process can write to: data and stacks, used or not."""
    locked: int
    """Bytes of address space locked in memory by mlock(2)."""
    signals: int
    """Signals that wait to be delivered, those of timers included."""
    files: int | None
    """Open files and sockets, each once, whoever shares it, unless they are too many to be compared; None where the kernel
    cannot say which are one."""
    tcp_sockets: int
    other_sockets: int
    paths: list[Descriptor]
    """The descriptors of files that have a path."""


def count_memory(pids: Sequence[int]) -> int:
    """Return the bytes of memory that processes hold and no file does; what two share is counted twice.

    Source: proc(5), ``RssAnon`` and ``RssShmem`` in ``/proc/PID/status``.
    """
    told = [_read_status(pid) for pid in pids]
    return sum(
        1024 * (_number(status, "RssAnon") + _number(status, "RssShmem"))
        for status in told
        if status
    )


def count_active(pids: Sequence[int]) -> int:
    """Return how many threads of processes run, want to, or wait for what cannot be interrupted, as a disk.

    Source: proc(5), the third field of ``/proc/PID/task/TID/stat``, behind the name in brackets, which may hold anything.
    """
    found = 0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue  # it has ended
        for thread in threads:
            try:
                with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                    found += file.read().rpartition(b") ")[2][:1] in (b"R", b"D")
            except OSError:
                continue
    return found


def measure(pids: Sequence[int]) -> ProcessUsage:
    """Return what processes hold; those that end meanwhile are left out.

    Source: proc(5). Of two processes that share their memory (vfork(2)), both are counted.
    """
    first: int | None = None
    private = locked = 0
    signals: dict[str, int] = {}
    opened: dict[str, list[Descriptor]] = {}
    for pid in pids:
        status = _read_status(pid)
        if not status:
            continue
        if status["NSpid"][-1] == "1" and (first is None or pid < first):
            first = pid
        private += 1024 * (_number(status, "VmData") + _number(status, "VmStk"))
        locked += 1024 * _number(status, "VmLck")
        # The kernel counts them by user, so that every process of one says the same.
        user = status["Uid"][0]
        waiting = int(status["SigQ"][0].partition("/")[0])
        signals[user] = max(waiting, signals.get(user, 0))
        for number, target in _list_descriptors(pid):
            opened.setdefault(target, []).append((pid, number))
    sockets = {target: shared[0] for target, shared in opened.items() if target[:7] == "socket:"}
    tcp = sum(_is_tcp(descriptor) for descriptor in sockets.values())
    files = [shared for target, shared in opened.items() if target not in sockets]
    return ProcessUsage(
        first=first,
        private=private,
        locked=locked,
        signals=sum(signals.values()),
        # A socket is one file as long as it lives.
        files=len(sockets) + _count_files(files) if _can_compare() else None,
        tcp_sockets=tcp,
        other_sockets=len(sockets) - tcp,
        paths=[shared for target in opened if target[:1] == "/" for shared in opened[target]],
    )


def _read_status(pid: int) -> dict[str, list[str]]:
    """Return the fields of ``/proc/PID/status``; none if the process is gone or ending."""
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:
            lines = (line.partition(":") for line in file)
            fields = {name: value.split() for name, _, value in lines}
    except OSError:
        return {}
    return fields if fields.keys() >= {"NSpid", "Uid", "SigQ"} else {}


def _number(status: dict[str, list[str]], name: str) -> int:
    """Return a figure of ``/proc/PID/status``; a process without memory of its own has none."""
    return int(status[name][0]) if name in status else 0


def _list_descriptors(pid: int) -> Iterator[tuple[int, str]]:
    directory = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(directory):
            try:
                yield int(name), os.readlink(f"{directory}/{name}")
            except OSError:
                continue  # closed meanwhile
    except OSError:
        return


def _is_tcp(descriptor: Descriptor) -> bool:
    """Return whether a socket is one of TCP; the kernel tells its protocol as an attribute of the file."""
    pid, number = descriptor
    try:
        protocol = os.getxattr(f"/proc/{pid}/fd/{number}", "system.sockprotoname")
    except OSError:
        return False
    return protocol.startswith((b"TCP", b"MPTCP"))


def _count_files(by_path: Iterable[list[Descriptor]]) -> int:
    """Return how many open files these descriptors are: what is inherited or duplicated is one.

    Only those of one path can be; the paths with few come first, so that one with very many leaves the rest exact.
    """
    count = compared = 0
    for descriptors in sorted(by_path, key=len):
        if len(descriptors) > 1:
            compared += len(descriptors)
        if compared > _MOST_COMPARED or len(descriptors) == 1:
            count += len(descriptors)
        else:
            ordered = sorted(descriptors, key=cmp_to_key(_compare))
            count += 1 + sum(_compare(one, other) != 0 for one, other in pairwise(ordered))
    return count


def _compare(one: Descriptor, other: Descriptor) -> int:
    """Return the order of two open files, 0 if they are one; see kcmp(2)."""
    order = _kcmp(one, other)
    # Negative is an error: one of them has been closed. 2 is "greater", 3 "not equal".
    return {0: 0, 1: -1}.get(order, 1)


def _can_compare() -> bool:
    """Return whether the kernel can tell whether two descriptors are one open file."""
    with open("/proc/self/status") as file:
        ours = (os.getpid(), file.fileno())
        return _kcmp(ours, ours) == 0


def _kcmp(one: Descriptor, other: Descriptor) -> int:
    number = _KCMP.get(os.uname().machine)
    if number is None:
        return -1
    result: int = _libc.syscall(number, one[0], other[0], _KCMP_FILE, one[1], other[1])
    return result
