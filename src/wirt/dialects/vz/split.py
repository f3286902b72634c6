"""A node divided among so many containers: the formulas of ``vzsplit``. Pure.

There are three levels of commitment, from a node that has plenty for each to one that is promised more than it has. The first
at which the values are consistent is taken: the rules are those of ``vzcfgvalidate``.
"""

from collections.abc import Mapping

import msgspec

from wirt.dialects.vz.capacity import LOW_SHARE, Node
from wirt.dialects.vz.ubc import UNLIMITED, Pair
from wirt.dialects.vz.validation import Rules, Severity, find
from wirt.errors import InvalidInput
from wirt.model.counter import PAGE
from wirt.units import GIB, MIB

_SYSTEM = 50 * MIB
"""What the node's own programs get."""
_HOST_DISK = 10 * GIB
_MOST_THREADS = 8000
_FEWEST_PROCESSES = 30
_KIB = 1024


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How closely the node is divided."""

    said: str
    low: float
    """How much of the node's low memory the containers are promised together."""
    processes: float
    processes_of_average: int
    """The most processes for each one that is expected."""
    kernel_of_process: int
    """Bytes of kernel memory for each process that is expected."""
    buffer_of_socket: int
    cache_of_file: float
    private: float
    """What may be asked for, in what is guaranteed."""
    locked: int
    signals: int


LEVELS = (
    Level(
        said="there is plenty: every parameter may be raised",
        low=1.0,
        processes=1.0,
        processes_of_average=8,
        kernel_of_process=81920,
        buffer_of_socket=4096,
        cache_of_file=1.5 * 384,
        private=6.0,
        locked=10,
        signals=1024,
    ),
    Level(
        said="there is enough: secondary parameters may be raised",
        low=1.2,
        processes=1.5,
        processes_of_average=5,
        kernel_of_process=65536,
        buffer_of_socket=3036,
        cache_of_file=1.2 * 384,
        private=3.0,
        locked=3,
        signals=512,
    ),
    Level(
        said="there is little: auxiliary parameters may be raised",
        low=1.8,
        processes=2.0,
        processes_of_average=3,
        kernel_of_process=53248,
        buffer_of_socket=2560,
        cache_of_file=384.0,
        private=1.5,
        locked=1,
        signals=256,
    ),
)

PRIMARY = ("NUMPROC", "AVNUMPROC", "NUMTCPSOCK", "NUMOTHERSOCK", "VMGUARPAGES")
SECONDARY = (
    "KMEMSIZE",
    "TCPSNDBUF",
    "TCPRCVBUF",
    "OTHERSOCKBUF",
    "DGRAMRCVBUF",
    "OOMGUARPAGES",
    "PRIVVMPAGES",
)


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """What each container gets."""

    level: int
    """From 0 on."""
    values: Mapping[str, Pair]
    """By the keys of a file, in its order."""


def split(node: Node, *, count: int, threads: int, disk: int, inodes: int) -> Split:
    """Divide a node among ``count`` containers.

    Args:
        node: its memory.
        count: how many containers.
        threads: how many the kernel has at most.
        disk: bytes of the file system that the containers are on.
        inodes: inodes of it; 0 if it has no fixed number.

    Raises:
        InvalidInput: the node has too little for so many.
    """
    for number, level in enumerate(LEVELS):
        values = _values(node, level, count=count, threads=min(threads, _MOST_THREADS))
        values |= _disk(count, disk, inodes)
        if _is_consistent(values):
            return Split(level=number, values=values)
    raise InvalidInput(
        f"this node has too little memory for {count} containers", hint="ask for fewer"
    )


def split_vswap(node: Node, *, count: int, disk: int, inodes: int) -> Split:
    """Divide a node into memory and swap alone (VSwap)."""
    private = max(_private(node, LEVELS[0], _guaranteed(node, LEVELS[0], count)), 1)
    values = {"PHYSPAGES": Pair(0, private), "SWAPPAGES": Pair(0, 2 * private)}
    return Split(level=0, values=values | _disk(count, disk, inodes))


def render_value(key: str, pair: Pair) -> str:
    """Return the line of a file that gives a key its value."""
    ends = ("unlimited" if end == UNLIMITED else str(end) for end in (pair.barrier, pair.limit))
    return f'{key}="{":".join(ends)}"'


def _low(node: Node, level: Level, count: int) -> int:
    return int(node.low * LOW_SHARE * level.low / count)


def _guaranteed(node: Node, level: Level, count: int) -> int:
    """Return the pages that each container can count on."""
    total = max(node.memory + node.swap - _SYSTEM, 0) // count
    return max(total - _low(node, level, count), 0) // PAGE


def _private(node: Node, level: Level, guaranteed: int) -> int:
    return min(int(guaranteed * level.private), int(0.6 * node.memory) // PAGE)


def _values(node: Node, level: Level, *, count: int, threads: int) -> dict[str, Pair]:
    low = _low(node, level, count)
    kernel = low // 2
    average = kernel // level.kernel_of_process
    processes = max(int(level.processes * threads / count), _FEWEST_PROCESSES, 2 * average)
    processes = min(processes, level.processes_of_average * average)
    buffer, gap = (low - kernel) // 3, level.buffer_of_socket * processes
    least = max(buffer - gap, 0)
    files = 32 * average
    cache = int(files * level.cache_of_file)
    locks = min(files // 10, 1000)
    guaranteed = _guaranteed(node, level, count)
    private = _private(node, level, guaranteed)
    guaranteed = min(guaranteed, private)
    return {
        "NUMPROC": _both(processes),
        "AVNUMPROC": _both(average),
        "NUMTCPSOCK": _both(processes),
        "NUMOTHERSOCK": _both(processes),
        "VMGUARPAGES": Pair(guaranteed, UNLIMITED),
        "KMEMSIZE": Pair(kernel, int(kernel * 1.1)),
        "TCPSNDBUF": Pair(least, buffer),
        "TCPRCVBUF": Pair(least, buffer),
        "OTHERSOCKBUF": Pair(least // 2, least // 2 + gap),
        "DGRAMRCVBUF": _both(least // 2),
        "OOMGUARPAGES": Pair(guaranteed, UNLIMITED),
        "PRIVVMPAGES": Pair(private, int(private * 1.1)),
        "LOCKEDPAGES": _both(max(kernel * level.locked // 204800, 4)),
        "SHMPAGES": _both(private // 10),
        "PHYSPAGES": Pair(0, UNLIMITED),
        "NUMFILE": _both(files),
        "NUMFLOCK": Pair(locks, int(locks * 1.1)),
        "NUMPTY": _both(min(max(processes // 10, 4), 512)),
        "NUMSIGINFO": _both(level.signals),
        "DCACHESIZE": Pair(int(cache / 1.03), cache),
        "NUMIPTENT": _both(min(max(2000 // count, 4), 200)),
    }


def _disk(count: int, disk: int, inodes: int) -> dict[str, Pair]:
    """Return what each gets of half of the disk that the node itself does not need."""
    space = max(disk - _HOST_DISK, 0) // (2 * count) // _KIB
    found = {"DISKSPACE": Pair(int(space / 1.1), space)} if space else {}
    if inodes:
        each = inodes // (2 * count)
        found["DISKINODES"] = Pair(int(each / 1.1), each)
    return found


def _both(value: int) -> Pair:
    return Pair(value, value)


def _is_consistent(values: Mapping[str, Pair]) -> bool:
    if values["NUMPROC"].limit < _FEWEST_PROCESSES:
        return False
    found = find({key.lower(): pair for key, pair in values.items()}, Rules())
    return all(finding.severity is Severity.RECOMMENDATION for finding in found)
