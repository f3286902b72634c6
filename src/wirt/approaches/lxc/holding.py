"""What holds a container to its limits: which of its cgroups, and what is written there.

LXC puts a container's processes into a cgroup of its own below the one that carries the guest's name. Bounds are on that
inner one, where LXC itself sets them before the first process runs. Shares are on the outer one, which has those of the
other guests beside it; the inner one has nobody to share with.
"""

from collections.abc import Sequence

from wirt.approaches import held
from wirt.approaches.lxc import build, control, reboots
from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import affinity, cgroup, files, openfiles, terminals
from wirt.host.bounds import Setting, build_bounds, build_shares
from wirt.model.capability import Capability, yes
from wirt.model.launch import Place
from wirt.model.limits import Limits, effective_weight
from wirt.units import UNBOUNDED


def probe() -> dict[str, Capability]:
    """Ask the kernel which limits it can hold a container to, beside those that every approach has."""
    answers = held.probe(cgroup.find_hierarchies())
    return {
        **answers,
        "files": yes("files", "RLIMIT_NOFILE of each process"),
        "terminals": yes("terminals", "the size of the guest's /dev/pts"),
    }


def of_fresh(limits: Limits, disks: Sequence[str]) -> tuple[list[Setting], list[Setting]]:
    """Return the bounds that a container is to be started with, and the shares that a fresh one lacks.

    Args:
        limits: what it is to be held to.
        disks: MAJOR:MINOR of those whose bandwidth is bounded.
    """
    versions = cgroup.find_versions(cgroup.find_hierarchies())
    bounds = build_bounds(
        versions,
        memory=limits.memory,
        cpus=limits.cpu_time,
        processes=limits.processes,
        cpu_pin=limits.cpu_pin,
        swap=None if limits.swap == UNBOUNDED else limits.swap,
        memory_guarantee=limits.memory_guarantee or None,
        bandwidth=held.bandwidth_of(limits, disks),
    )
    weight = _weight(limits)
    shares = build_shares(
        versions,
        cpu_weight=None if weight == _weight(Limits()) else weight,
        memory_guarantee=limits.memory_guarantee or None,
        io_weight=None if limits.io_weight == Limits().io_weight else limits.io_weight,
    )
    return bounds, shares


def hold(name: str, limits: Limits, disks: Sequence[str]) -> None:
    """Hold a running container to limits, whatever it was held to before.

    Args:
        name: the guest's name in the kernel.
        limits: what it is to be held to.
        disks: MAJOR:MINOR of those whose bandwidth is bounded, or was.

    Raises:
        NotPermitted, Failed: the kernel refused one; some may have been changed.
    """
    hierarchies = cgroup.find_hierarchies()
    bounds, shares = _of_running(limits, disks, hierarchies)
    cgroup.Cgroup(control.payload_group(name), hierarchies).apply(bounds)
    cgroup.Cgroup(name, hierarchies).apply(shares)


def remember(place: Place, limits: Limits, disks: Sequence[str]) -> None:
    """Have a container held to limits from its next start by itself on; arguments as for ``hold``.

    Its shares are not lost then: the group that they are on is that of its monitor, which stays.
    """
    hierarchies = cgroup.find_hierarchies()
    bounds, _ = _of_running(limits, disks, hierarchies)
    group = cgroup.Cgroup(control.payload_group(place.name), hierarchies)
    files_bound = openfiles.own() if limits.files == UNBOUNDED else (limits.files, limits.files)
    script = reboots.build_limits(group, bounds, files_bound, limits.terminals)
    reboots.remember(place, reboots.LIMITS, script)


def _of_running(
    limits: Limits, disks: Sequence[str], hierarchies: Sequence[cgroup.Hierarchy]
) -> tuple[list[Setting], list[Setting]]:
    """Return the bounds and shares of a container that may have been held to others."""
    versions = cgroup.find_versions(hierarchies)
    answers = held.probe(hierarchies, ("memory_guarantee", "swap"))
    can = {limit for limit, answer in answers.items() if answer.available}
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
        bandwidth=held.bandwidth_of(limits, disks),
    )
    shares = build_shares(
        versions,
        cpu_weight=_weight(limits),
        memory_guarantee=guarantee,
        io_weight=limits.io_weight,
    )
    return bounds, shares


def _weight(limits: Limits) -> int:
    return effective_weight(limits, node_cpus=len(affinity.usable()))


def bound_files(name: str, config: str, number: int) -> None:
    """Hold the processes of a running container, and those to come, to a number of open files.

    Those that run are not given more than they have: they may have been bounded by whoever started them in the container.

    Args:
        name: the guest's name in the kernel.
        config: path of the configuration that the container was started with.
        number: of each process; UNBOUNDED for that of the node's own.
    """
    with open(config) as file:
        text = file.read()
    files.replace(config, build.with_files(text, number))
    if number != UNBOUNDED:
        openfiles.bound(cgroup.Cgroup(control.payload_group(name)).pids, number)


def bound_terminals(name: str, number: int) -> None:
    """Hold a running container to a number of terminals; those beyond that are open stay.

    Raises:
        Failed: the kernel refused.
    """
    terminals.bound(find_init(name), number)
