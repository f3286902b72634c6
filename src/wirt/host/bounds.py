"""What holds a control group to its limits, as files of either version and what is written to them.

Bounds and shares are told apart because they belong on different groups. A bound holds its group wherever that is. A
share says what a group gets of what several want, and the kernel weighs a group against those beside it only: it has to
stand on a group that the others' are beside.
"""

from collections.abc import Mapping, Sequence

import msgspec

from wirt.units import UNBOUNDED


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a group and what is to be written to it."""

    controller: str
    version: int
    file: str
    value: str
    is_optional: bool = False
    """A kernel may be without the file."""


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """How much may go to and from each of some disks in a second; UNBOUNDED: as much as there is."""

    disks: Sequence[str]
    """MAJOR:MINOR of each."""
    read: int
    """Bytes."""
    write: int
    """Bytes."""
    reads: int = UNBOUNDED
    writes: int = UNBOUNDED


CONTROLLERS = ("memory", "cpuset", "blkio", "io", "cpu", "pids")
"""The controllers that limits are set by, the one that a kernel may refuse first; that of disks has two names."""

IO_WEIGHTS = {1: ("blkio.bfq.weight",), 2: ("io.bfq.weight", "io.weight")}
"""Version -> the files of a disk's weight: those of the scheduler bfq, and of io.cost."""

_File = tuple[str, str]
"""A file's name and what is to be written to it."""
_CPU_PERIOD = 100_000
"""Microseconds in which a group may use its share of processor time."""
_SHARES_OF_WEIGHT = 1024 / 100
"""cpu.shares (v1) for each unit of cpu.weight (v2): what a fresh group has of both."""


def build_bounds(
    versions: Mapping[str, int],
    *,
    memory: int,
    cpus: float,
    processes: int,
    cpu_pin: Sequence[int] = (),
    swap: int | None = None,
    memory_guarantee: int | None = None,
    bandwidth: Bandwidth | None = None,
) -> list[Setting]:
    """Return what holds a group to these bounds, the one that a kernel may refuse first.

    Source: the kernel's admin-guide/cgroup-v1 (memory, cpusets, pids, blkio), scheduler/sched-bwc and
    admin-guide/cgroup-v2.

    Args:
        versions: of the tree that each controller is in; what the node has no controller for is not bounded.
        memory: bytes.
        cpus: processors' worth of time.
        processes: processes and threads.
        cpu_pin: numbers of the node's processors that it runs on; none: those of the group above, as a fresh group.
        swap: bytes beside those of the memory; UNBOUNDED for all that there is; None: as a fresh group.
        memory_guarantee: bytes, part of the guarantee that ``build_shares`` gives to a group above; None: as that one.
        bandwidth: of disks; None: as a fresh group. Version 1 counts what a process itself sends to the disk, and not
            what the kernel writes for it later.
    """
    opened, closed, own = _build_swap(memory, swap)
    low = [] if memory_guarantee is None else [("memory.low", str(memory_guarantee))]
    files = {
        ("memory", 1): [*opened, ("memory.limit_in_bytes", str(memory)), *closed],
        ("memory", 2): [("memory.max", str(memory)), *own, *low],
        **_build_cpu(cpus, cpu_pin),
        **_build_bandwidth(bandwidth),
        ("pids", 1): [("pids.max", str(processes))],
        ("pids", 2): [("pids.max", str(processes))],
    }
    return _settings(versions, files)


def build_cpu_bounds(
    versions: Mapping[str, int], *, cpus: float | None, cpu_pin: Sequence[int]
) -> list[Setting]:
    """Return what holds a group to a part of the node's processors alone.

    Args:
        versions: as for ``build_bounds``.
        cpus: processors' worth of time; None for all that it can take.
        cpu_pin: numbers of the node's processors that it runs on.
    """
    return _settings(versions, _build_cpu(cpus, cpu_pin))


def build_bandwidth_bounds(
    versions: Mapping[str, int], bandwidth: Bandwidth | None
) -> list[Setting]:
    """Return what holds a group to a part of disks' bandwidth alone; None: nothing. See ``build_bounds``."""
    return _settings(versions, _build_bandwidth(bandwidth))


def _build_cpu(cpus: float | None, cpu_pin: Sequence[int]) -> dict[tuple[str, int], list[_File]]:
    first, second = ("-1", "max") if cpus is None else (str(round(cpus * _CPU_PERIOD)),) * 2
    pin = [("cpuset.cpus", ",".join(map(str, cpu_pin)))] if cpu_pin else []
    return {
        ("cpuset", 1): pin,
        ("cpuset", 2): pin,
        ("cpu", 1): [("cpu.cfs_period_us", str(_CPU_PERIOD)), ("cpu.cfs_quota_us", first)],
        ("cpu", 2): [("cpu.max", f"{second} {_CPU_PERIOD}")],
    }


def _build_swap(memory: int, swap: int | None) -> tuple[list[_File], list[_File], list[_File]]:
    """Return what bounds swap: before and after the memory in version 1, and in version 2."""
    if swap is None:
        return [], [], []
    # Version 1 counts both together and never lets that be less than the memory alone, not between two writes either.
    opened = [("memory.memsw.limit_in_bytes", "-1")]
    if swap == UNBOUNDED:
        return opened, [], [("memory.swap.max", "max")]
    closed = [("memory.memsw.limit_in_bytes", str(memory + swap))]
    return opened, closed, [("memory.swap.max", str(swap))]


def _build_bandwidth(bandwidth: Bandwidth | None) -> dict[tuple[str, int], list[_File]]:
    if bandwidth is None:
        return {}
    bounds = (
        ("read_bps", "rbps", bandwidth.read),
        ("write_bps", "wbps", bandwidth.write),
        ("read_iops", "riops", bandwidth.reads),
        ("write_iops", "wiops", bandwidth.writes),
    )
    first = [
        (f"blkio.throttle.{name}_device", f"{disk} {0 if bound == UNBOUNDED else bound}")
        for disk in bandwidth.disks
        for name, _, bound in bounds
    ]
    second = " ".join(
        f"{name}={'max' if bound == UNBOUNDED else bound}" for _, name, bound in bounds
    )
    return {
        ("blkio", 1): first,
        ("io", 2): [("io.max", f"{disk} {second}") for disk in bandwidth.disks],
    }


def build_shares(
    versions: Mapping[str, int],
    *,
    cpu_weight: int | None = None,
    memory_guarantee: int | None = None,
    io_weight: int | None = None,
) -> list[Setting]:
    """Return what gives a group its shares; None: those of a fresh group.

    Source: the kernel's admin-guide/cgroup-v2 (cpu.weight, memory.low, io.weight), block/bfq-iosched (weights of groups),
    sched_weight_from_cgroup() for what the weight is in version 1, and admin-guide/cgroup-v1 (memory, soft limits).

    Args:
        versions: as for ``build_bounds``.
        cpu_weight: 1 to 10000; a fresh group has 100.
        memory_guarantee: bytes that are taken last when memory is short; 0 for none. In version 1 it says instead what
            is taken first: all beyond it, of those that have one.
        io_weight: 1 to 1000; a fresh group has 100. Each of the kernel's ways to weigh has a file of its own, which is
            there with it.
    """
    files: dict[tuple[str, int], list[_File]] = {}
    if memory_guarantee is not None:
        files["memory", 1] = [("memory.soft_limit_in_bytes", str(memory_guarantee or -1))]
        files["memory", 2] = [("memory.low", str(memory_guarantee))]
    if cpu_weight is not None:
        files["cpu", 1] = [("cpu.shares", str(round(cpu_weight * _SHARES_OF_WEIGHT)))]
        files["cpu", 2] = [("cpu.weight", str(cpu_weight))]
    if io_weight is not None:
        files["blkio", 1] = [(file, str(io_weight)) for file in IO_WEIGHTS[1]]
        files["io", 2] = [(file, str(io_weight)) for file in IO_WEIGHTS[2]]
    return _settings(versions, files)


def _settings(
    versions: Mapping[str, int], files: Mapping[tuple[str, int], Sequence[_File]]
) -> list[Setting]:
    return [
        Setting(
            controller=name,
            version=versions[name],
            file=file,
            value=value,
            is_optional=file in IO_WEIGHTS[versions[name]],
        )
        for name in CONTROLLERS
        if name in versions
        for file, value in files.get((name, versions[name]), ())
    ]
