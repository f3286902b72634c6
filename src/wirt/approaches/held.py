"""Which limits the node's control groups can hold a guest to, whatever engine runs it."""

from collections.abc import Mapping, Sequence

from wirt.host import cgroup
from wirt.model.capability import Capability, no, yes

_HELD_BY = {
    "processes": {1: ("pids", "pids.max"), 2: ("pids", "pids.max")},
    "cpu_weight": {1: ("cpu", "cpu.shares"), 2: ("cpu", "cpu.weight")},
    "cpu_guarantee": {1: ("cpu", "cpu.shares"), 2: ("cpu", "cpu.weight")},
    "cpu_pin": {1: ("cpuset", "cpuset.cpus"), 2: ("cpuset", "cpuset.cpus")},
    "cpu_limit": {1: ("cpu", "cpu.cfs_quota_us"), 2: ("cpu", "cpu.max")},
    "swap": {1: ("memory", "memory.memsw.limit_in_bytes"), 2: ("memory", "memory.swap.max")},
    "memory_guarantee": {1: ("memory", "memory.soft_limit_in_bytes"), 2: ("memory", "memory.low")},
    "io_read": {1: ("blkio", "blkio.throttle.read_bps_device"), 2: ("io", "io.max")},
    "io_write": {1: ("blkio", "blkio.throttle.write_bps_device"), 2: ("io", "io.max")},
}
"""Limit -> version -> its controller, and the file."""


def probe(hierarchies: Sequence[cgroup.Hierarchy]) -> dict[str, Capability]:
    """Ask the kernel which limits its groups have."""
    versions = cgroup.find_versions(hierarchies)
    return {limit: _answer(limit, versions, hierarchies) for limit in _HELD_BY}


def _answer(
    limit: str, versions: Mapping[str, int], hierarchies: Sequence[cgroup.Hierarchy]
) -> Capability:
    name = limit.replace("_", "-")
    for version, (controller, file) in _HELD_BY[limit].items():
        if versions.get(controller) == version:
            if cgroup.has_file(controller, file, hierarchies):
                return yes(name, f"{file} of cgroup v{version}")
            return no(name, f"the kernel's controller {controller} has no {file}")
    controller, _ = _HELD_BY[limit][2]
    return no(
        name,
        f"the node has no cgroup controller {controller}",
        "see cgroup_disable= in /proc/cmdline, or mount the controller",
    )
