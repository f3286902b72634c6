"""What holds a control group to its limits, as files of either version and what is written to them.

Bounds and shares are told apart because they belong on different groups. A bound holds its group wherever that is. A
share says what a group gets of what several want, and the kernel weighs a group against those beside it only: it has to
stand on a group that the others' are beside.
"""

from collections.abc import Mapping, Sequence

import msgspec


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a group and what is to be written to it."""

    controller: str
    version: int
    file: str
    value: str


CONTROLLERS = ("memory", "cpuset", "cpu", "pids")
"""The controllers that limits are set by, the one that a kernel may refuse first."""

_CPU_PERIOD = 100_000
"""Microseconds in which a group may use its share of processor time."""
_SHARES_OF_WEIGHT = 1024 / 100
"""cpu.shares (v1) for each unit of cpu.weight (v2): what a fresh group has of both."""


def build_bounds(
    versions: Mapping[str, int],
    *,
    memory: int,
    cpus: int,
    processes: int,
    cpu_pin: Sequence[int] = (),
) -> list[Setting]:
    """Return what holds a group to these bounds, the one that a kernel may refuse first.

    Source: the kernel's admin-guide/cgroup-v1 (memory, cpusets, pids), scheduler/sched-bwc and admin-guide/cgroup-v2.

    Args:
        versions: of the tree that each controller is in; what the node has no controller for is not bounded.
        memory: bytes.
        cpus: processors' worth of time.
        processes: processes and threads.
        cpu_pin: numbers of the node's processors that it runs on; none: those of the group above, as a fresh group.
    """
    quota = cpus * _CPU_PERIOD
    pin = [("cpuset.cpus", ",".join(map(str, cpu_pin)))] if cpu_pin else []
    files = {
        ("memory", 1): [("memory.limit_in_bytes", str(memory))],
        ("memory", 2): [("memory.max", str(memory))],
        ("cpuset", 1): pin,
        ("cpuset", 2): pin,
        ("cpu", 1): [("cpu.cfs_period_us", str(_CPU_PERIOD)), ("cpu.cfs_quota_us", str(quota))],
        ("cpu", 2): [("cpu.max", f"{quota} {_CPU_PERIOD}")],
        ("pids", 1): [("pids.max", str(processes))],
        ("pids", 2): [("pids.max", str(processes))],
    }
    return _settings(versions, files)


def build_shares(versions: Mapping[str, int], *, cpu_weight: int) -> list[Setting]:
    """Return what gives a group its shares.

    Source: the kernel's admin-guide/cgroup-v2 (cpu.weight), and sched_weight_from_cgroup() for what it is in v1.

    Args:
        versions: as for ``build_bounds``.
        cpu_weight: 1 to 10000; a fresh group has 100.
    """
    files = {
        ("cpu", 1): [("cpu.shares", str(round(cpu_weight * _SHARES_OF_WEIGHT)))],
        ("cpu", 2): [("cpu.weight", str(cpu_weight))],
    }
    return _settings(versions, files)


def _settings(
    versions: Mapping[str, int], files: Mapping[tuple[str, int], Sequence[tuple[str, str]]]
) -> list[Setting]:
    return [
        Setting(controller=name, version=versions[name], file=file, value=value)
        for name in CONTROLLERS
        if name in versions
        for file, value in files.get((name, versions[name]), ())
    ]
