"""The control groups that this process is in: what they allow it, and how often they made it wait.

Limits may lie in any group from its own up to the top that is mounted; the smallest counts. Only read, never changed; what
Wirt sets for guests is in ``cgroup``.
"""

from collections.abc import Iterator

import msgspec

from wirt.host.kerneltree import KernelTree
from wirt.host.mountinfo import Mount, parse_mounts

_NO_LIMIT = 1 << 60
"""Bytes: v1 writes a number beyond this for a group without a limit."""


class OwnLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the groups of a process allow it; None: as much as there is."""

    cpus: float | None = None
    """CPU time by quota, in processors."""
    cpuset: str | None = None
    """Processors, as the kernel lists them: "0-1,4"."""
    memory: int | None = None
    """Bytes."""


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """How often the CPU quota of its groups has made a process and those beside it wait, since the groups were made."""

    times: int
    seconds: float


def probe_limits(tree: KernelTree | None = None) -> OwnLimits:
    """Return what the groups that this process is in allow it."""
    tree = tree or KernelTree()
    cpus = [
        quota for group, version in _groups(tree, "cpu") if (quota := _quota(tree, group, version))
    ]
    memory = [
        limit
        for group, version in _groups(tree, "memory")
        if (
            limit := tree.number(
                f"{group}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}"
            )
        )
        is not None
        and limit < _NO_LIMIT
    ]
    sets = (
        tree.text(f"{group}/{name}")
        for group, version in _groups(tree, "cpuset")
        for name in (
            ("cpuset.cpus.effective",) if version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
        )
    )
    return OwnLimits(
        cpus=min(cpus, default=None),
        cpuset=next((text for text in sets if text), None),
        memory=min(memory, default=None),
    )


def probe_throttling(tree: KernelTree | None = None) -> Throttling | None:
    """Return how often the groups that this process is in were throttled; None if the kernel does not count it."""
    tree = tree or KernelTree()
    times, seconds, known = 0, 0.0, False
    for group, version in _groups(tree, "cpu"):
        said = dict(line.split()[:2] for line in tree.lines(f"{group}/cpu.stat") if " " in line)
        if "nr_throttled" in said:
            known = True
            times += int(said["nr_throttled"])
            seconds += (
                int(said.get("throttled_usec", "0")) / 1e6
                if version == 2
                else int(said.get("throttled_time", "0")) / 1e9
            )
    return Throttling(times=times, seconds=seconds) if known else None


def _quota(tree: KernelTree, group: str, version: int) -> float | None:
    """Return the CPU time that a group may use, in processors; None without a limit."""
    if version == 2:
        quota, _, period = (tree.text(f"{group}/cpu.max") or "max 100000").partition(" ")
        return None if quota == "max" else int(quota) / int(period or 100000)
    found = tree.number(f"{group}/cpu.cfs_quota_us")
    every = tree.number(f"{group}/cpu.cfs_period_us")
    return found / every if found is not None and found > 0 and every else None


def _groups(tree: KernelTree, controller: str) -> Iterator[tuple[str, int]]:
    """Yield the directory and the version of each group from this process's own up to the top, for one controller."""
    mounts = parse_mounts(tree.lines("/proc/self/mountinfo"))
    for line in tree.lines("/proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        version = 1 if controllers else 2
        if version == 1 and controller not in controllers.split(","):
            continue
        mount = next((m for m in mounts if _shows(m, controller, version)), None)
        if mount is None:
            continue
        # A container may see its own part of the tree only, under the path that the whole tree has.
        below = path.removeprefix(mount.root).strip("/") if mount.root != "/" else path.strip("/")
        parts = [part for part in below.split("/") if part not in ("", "..")]
        for length in range(len(parts), -1, -1):
            yield "/".join([mount.mount_point, *parts[:length]]), version


def _shows(mount: Mount, controller: str, version: int) -> bool:
    if version == 2:
        return mount.type == "cgroup2"
    return mount.type == "cgroup" and controller in mount.super_options.split(",")
