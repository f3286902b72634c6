"""What the kernel holds a container to, read back from its cgroups."""

import re

from tests.homes import HomeUnderTest
from wirt.host.cgroup import Hierarchy, find_hierarchies

_HUGE = 0x7FFF_FFFF_FFFF_F000
"""Bytes that version 1 says for no limit: all whole pages that it can count."""


def kernel_says(
    home: HomeUnderTest, controller: str, first: str, second: str, *, outer: bool = False
) -> str:
    """Return the first word of a file of the home's one container.

    Args:
        home: it has one guest, and that runs.
        controller: in whose tree the file is.
        first: its name in version 1.
        second: its name in version 2.
        outer: True for the cgroup that has other guests' beside it, else the one with the processes.
    """
    hierarchy = next(h for h in find_hierarchies() if controller in h.controllers)
    return _read(home, hierarchy, first if hierarchy.version == 1 else second, outer).split()[0]


def _read(home: HomeUnderTest, hierarchy: Hierarchy, file: str, outer: bool = False) -> str:
    name = f"w{home.home.tag}-{home.guests()[0].id}"
    below = "" if outer else f"/lxc.payload.{name}"
    with open(f"{hierarchy.path}/{name}{below}/{file}") as text:
        return text.read()


def cpu_weight(home: HomeUnderTest) -> int:
    """Return the weight that the home's one container has, as of version 2, rounded down."""
    said = int(kernel_says(home, "cpu", "cpu.shares", "cpu.weight", outer=True))
    version = next(h.version for h in find_hierarchies() if "cpu" in h.controllers)
    return said * 100 // 1024 if version == 1 else said


def cpu_limit(home: HomeUnderTest) -> float:
    """Return the processors' worth of time that the home's one container gets at most."""
    return int(kernel_says(home, "cpu", "cpu.cfs_quota_us", "cpu.max")) / 100_000


def memory_guarantee(home: HomeUnderTest) -> int:
    """Return the bytes that are guaranteed to the home's one container; without a guarantee version 1 has a huge number."""
    said = kernel_says(home, "memory", "memory.soft_limit_in_bytes", "memory.low", outer=True)
    return int(said) % _HUGE


def swap(home: HomeUnderTest) -> int | None:
    """Return the bytes of swap that the home's one container may use, None if all."""
    said = kernel_says(home, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    if said == "max" or int(said) >= _HUGE:
        return None
    both = next(h.version for h in find_hierarchies() if "memory" in h.controllers) == 1
    memory = kernel_says(home, "memory", "memory.limit_in_bytes", "memory.max")
    return int(said) - (int(memory) if both else 0)


def io_write(home: HomeUnderTest) -> int | None:
    """Return the bytes that the home's one container may write to its disk in a second, None if it is not bounded."""
    hierarchy = next(h for h in find_hierarchies() if {"blkio", "io"} & h.controllers)
    file = "blkio.throttle.write_bps_device" if hierarchy.version == 1 else "io.max"
    said = re.search(r"(?:^[0-9:]+ |wbps=)([0-9]+)", _read(home, hierarchy, file))
    return int(said[1]) if said else None


def io_weight(home: HomeUnderTest) -> int:
    """Return the weight that the home's one container has at a disk with the scheduler bfq."""
    hierarchy = next(h for h in find_hierarchies() if {"blkio", "io"} & h.controllers)
    file = "blkio.bfq.weight" if hierarchy.version == 1 else "io.bfq.weight"
    return int(_read(home, hierarchy, file, outer=True).split()[-1])


def cpu_pin(home: HomeUnderTest) -> str:
    """Return the processors that the home's one container runs on."""
    return kernel_says(home, "cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective")
