"""What holds a container to its limits: which of its cgroups, and what is written there.

LXC puts a container's processes into a cgroup of its own below the one that carries the guest's name. Bounds are on that
inner one, where LXC itself sets them before the first process runs. Shares are on the outer one, which has those of the
other guests beside it; the inner one has nobody to share with.
"""

from collections.abc import Sequence

from wirt.approaches.lxc import control
from wirt.host import affinity, cgroup
from wirt.host.bounds import Setting, build_bounds, build_shares
from wirt.model.capability import Capability, no, yes
from wirt.model.limits import Limits, effective_weight
from wirt.units import UNBOUNDED

_HELD_BY = {
    "processes": ("pids", {1: "pids.max", 2: "pids.max"}),
    "cpu_weight": ("cpu", {1: "cpu.shares", 2: "cpu.weight"}),
    "cpu_guarantee": ("cpu", {1: "cpu.shares", 2: "cpu.weight"}),
    "cpu_pin": ("cpuset", {1: "cpuset.cpus", 2: "cpuset.cpus"}),
    "cpu_limit": ("cpu", {1: "cpu.cfs_quota_us", 2: "cpu.max"}),
    "swap": ("memory", {1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"}),
    "memory_guarantee": ("memory", {1: "memory.soft_limit_in_bytes", 2: "memory.low"}),
}
"""Limit -> its controller, and the file of either version."""


def probe() -> dict[str, Capability]:
    """Ask the kernel which limits it can hold a container to, beside those that every approach has."""
    return _probe(cgroup.find_hierarchies())


def of_fresh(limits: Limits) -> tuple[list[Setting], list[Setting]]:
    """Return the bounds that a container is to be started with, and the shares that a fresh one lacks."""
    versions = cgroup.find_versions(cgroup.find_hierarchies())
    bounds = build_bounds(
        versions,
        memory=limits.memory,
        cpus=limits.cpu_time,
        processes=limits.processes,
        cpu_pin=limits.cpu_pin,
        swap=None if limits.swap == UNBOUNDED else limits.swap,
        memory_guarantee=limits.memory_guarantee or None,
    )
    weight = _weight(limits)
    shares = build_shares(
        versions,
        cpu_weight=None if weight == _weight(Limits()) else weight,
        memory_guarantee=limits.memory_guarantee or None,
    )
    return bounds, shares


def hold(name: str, limits: Limits) -> None:
    """Hold a running container to limits, whatever it was held to before.

    Raises:
        NotPermitted, Failed: the kernel refused one; some may have been changed.
    """
    hierarchies = cgroup.find_hierarchies()
    versions = cgroup.find_versions(hierarchies)
    can = {limit for limit, answer in _probe(hierarchies).items() if answer.available}
    guarantee = limits.memory_guarantee if "memory_guarantee" in can else None
    bounds = build_bounds(
        versions,
        memory=limits.memory,
        cpus=limits.cpu_time,
        processes=limits.processes,
        # One that is not pinned any more has to be given back what it was kept from.
        cpu_pin=limits.cpu_pin or affinity.usable(),
        swap=limits.swap if "swap" in can else None,
        memory_guarantee=guarantee,
    )
    shares = build_shares(versions, cpu_weight=_weight(limits), memory_guarantee=guarantee)
    cgroup.Cgroup(control.payload_group(name), hierarchies).apply(bounds)
    cgroup.Cgroup(name, hierarchies).apply(shares)


def _weight(limits: Limits) -> int:
    return effective_weight(limits, node_cpus=len(affinity.usable()))


def _probe(hierarchies: Sequence[cgroup.Hierarchy]) -> dict[str, Capability]:
    versions = cgroup.find_versions(hierarchies)
    answers = {}
    for limit, (controller, files) in _HELD_BY.items():
        name = limit.replace("_", "-")
        version = versions.get(controller)
        if version is None:
            answers[limit] = no(
                name,
                f"the node has no cgroup controller {controller}",
                "see cgroup_disable= in /proc/cmdline, or mount the controller",
            )
        elif not cgroup.has_file(controller, files[version], hierarchies):
            answers[limit] = no(
                name, f"the kernel's controller {controller} has no {files[version]}"
            )
        else:
            answers[limit] = yes(name, f"{files[version]} of cgroup v{version}")
    return answers
