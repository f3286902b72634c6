"""Which limits the node's control groups can hold a guest to, whatever engine runs it."""

from collections.abc import Collection, Mapping, Sequence

from wirt.host import cgroup, disks
from wirt.host.bounds import IO_WEIGHTS, Bandwidth
from wirt.model.capability import Capability, no, yes
from wirt.model.limits import Limits

_HELD_BY: dict[str, dict[int, tuple[str, ...]]] = {
    "processes": {1: ("pids", "pids.max"), 2: ("pids", "pids.max")},
    "cpu_weight": {1: ("cpu", "cpu.shares"), 2: ("cpu", "cpu.weight")},
    "cpu_guarantee": {1: ("cpu", "cpu.shares"), 2: ("cpu", "cpu.weight")},
    "cpu_pin": {1: ("cpuset", "cpuset.cpus"), 2: ("cpuset", "cpuset.cpus")},
    "cpu_limit": {1: ("cpu", "cpu.cfs_quota_us"), 2: ("cpu", "cpu.max")},
    "swap": {1: ("memory", "memory.memsw.limit_in_bytes"), 2: ("memory", "memory.swap.max")},
    "memory_guarantee": {1: ("memory", "memory.soft_limit_in_bytes"), 2: ("memory", "memory.low")},
    "io_read": {1: ("blkio", "blkio.throttle.read_bps_device"), 2: ("io", "io.max")},
    "io_write": {1: ("blkio", "blkio.throttle.write_bps_device"), 2: ("io", "io.max")},
    "iops_read": {1: ("blkio", "blkio.throttle.read_iops_device"), 2: ("io", "io.max")},
    "iops_write": {1: ("blkio", "blkio.throttle.write_iops_device"), 2: ("io", "io.max")},
    "io_weight": {1: ("blkio", *IO_WEIGHTS[1]), 2: ("io", *IO_WEIGHTS[2])},
}
"""Limit -> version -> its controller, and the files, of which one is enough."""


def probe(
    hierarchies: Sequence[cgroup.Hierarchy], only: Collection[str] = tuple(_HELD_BY)
) -> dict[str, Capability]:
    """Ask the kernel which limits its groups have: all, or some of them by their names."""
    versions = cgroup.find_versions(hierarchies)
    answers = {limit: _answer(limit, versions, hierarchies) for limit in only}
    weight = answers.get("io_weight")
    if weight is not None and weight.available and not disks.find_weighing():
        answers["io_weight"] = no(
            weight.name,
            "no disk of this node has a scheduler that knows weights",
            "give a disk that guests lie on the scheduler bfq: echo bfq > /sys/block/DISK/queue/scheduler",
        )
    return answers


def bandwidth_of(limits: Limits, disks: Sequence[str]) -> Bandwidth | None:
    """Return what limits make of the bandwidth of some of the node's disks; of none, nothing."""
    if not disks:
        return None
    return Bandwidth(
        disks=disks,
        read=limits.io_read,
        write=limits.io_write,
        reads=limits.iops_read,
        writes=limits.iops_write,
    )


def _answer(
    limit: str, versions: Mapping[str, int], hierarchies: Sequence[cgroup.Hierarchy]
) -> Capability:
    name = limit.replace("_", "-")
    for version, (controller, *files) in _HELD_BY[limit].items():
        if versions.get(controller) == version:
            for file in files:
                if cgroup.has_file(controller, file, hierarchies):
                    return yes(name, f"{file} of cgroup v{version}")
            return no(name, f"the kernel's controller {controller} has no {files[0]}")
    controller = _HELD_BY[limit][2][0]
    return no(
        name,
        f"the node has no cgroup controller {controller}",
        "see cgroup_disable= in /proc/cmdline, or mount the controller",
    )
