"""What holds a container to its limits: which of its cgroups, and what is written there.

LXC puts a container's processes into a cgroup of its own below the one that carries the guest's name. Bounds are on that
inner one, where LXC itself sets them before the first process runs. Shares are on the outer one, which has those of the
other guests beside it; the inner one has nobody to share with.
"""

from collections.abc import Mapping

from wirt.approaches.lxc import control
from wirt.host import affinity, cgroup
from wirt.host.bounds import Setting, build_bounds, build_shares
from wirt.model.capability import Capability, no, yes
from wirt.model.limits import Limits

_HELD_BY = {
    "processes": ("pids", {1: "pids.max", 2: "pids.max"}),
    "cpu_weight": ("cpu", {1: "cpu.shares", 2: "cpu.weight"}),
    "cpu_pin": ("cpuset", {1: "cpuset.cpus", 2: "cpuset.cpus"}),
}
"""Limit -> its controller, and the file of either version."""


def probe() -> dict[str, Capability]:
    """Ask the kernel which limits it can hold a container to, beside those that every approach has."""
    versions = cgroup.find_versions()
    answers = {}
    for limit, (controller, files) in _HELD_BY.items():
        name = limit.replace("_", "-")
        if controller in versions:
            version = versions[controller]
            answers[limit] = yes(name, f"{files[version]} of cgroup v{version}")
        else:
            answers[limit] = no(
                name,
                f"the node has no cgroup controller {controller}",
                "see cgroup_disable= in /proc/cmdline, or mount the controller",
            )
    return answers


def of_fresh(limits: Limits) -> tuple[list[Setting], list[Setting]]:
    """Return the bounds that a container is to be started with, and the shares that a fresh one lacks."""
    versions = cgroup.find_versions()
    fresh = _shares(versions, Limits())
    missing = [setting for setting in _shares(versions, limits) if setting not in fresh]
    return _bounds(versions, limits, pin=limits.cpu_pin), missing


def hold(name: str, limits: Limits) -> None:
    """Hold a running container to limits, whatever it was held to before.

    Raises:
        NotPermitted, Failed: the kernel refused one; some may have been changed.
    """
    versions = cgroup.find_versions()
    # One that is not pinned any more has to be given back what it was kept from.
    bounds = _bounds(versions, limits, pin=limits.cpu_pin or affinity.usable())
    cgroup.Cgroup(control.payload_group(name)).apply(bounds)
    cgroup.Cgroup(name).apply(_shares(versions, limits))


def _bounds(versions: Mapping[str, int], limits: Limits, *, pin: tuple[int, ...]) -> list[Setting]:
    return build_bounds(
        versions,
        memory=limits.memory,
        cpus=limits.cpus,
        processes=limits.processes,
        cpu_pin=pin,
    )


def _shares(versions: Mapping[str, int], limits: Limits) -> list[Setting]:
    return build_shares(versions, cpu_weight=limits.cpu_weight)
