"""The control group that the engine of a guest with a kernel of its own is in: what of its limits the node holds.

It carries the guest's name and stands beside those of containers, so that weights of all kinds of guests count against
each other. Memory and processes of such a guest are its own kernel's affair and the machine's that it runs on; how much its disks read
and write a second is the node's where the engine does not see to that itself.
"""

from collections.abc import Sequence

from wirt.approaches import held
from wirt.host import affinity, cgroup, process
from wirt.host.bounds import Setting, build_bandwidth_bounds, build_cpu_bounds, build_shares
from wirt.model.capability import Capability, no
from wirt.model.limits import HELD_BY_THE_NODE, Limits, effective_weight

_CPU = ("cpu_weight", "cpu_guarantee", "cpu_pin", "cpu_limit")
_READS, _WRITES = ("io_read", "iops_read"), ("io_write", "iops_write")


def probe(*, with_disks: bool = False) -> dict[str, Capability]:
    """Ask the kernel which limits it can hold an engine to; no to all that the guest's own kernel has in its hands.

    Args:
        with_disks: whether this engine reads and writes its disks by itself, through the node's page cache, and bounds nothing.
    """
    hierarchies = cgroup.find_hierarchies()
    answers = held.probe(hierarchies)
    more = (*_READS, *_WRITES) if with_disks else ()
    if with_disks and "blkio" in cgroup.find_versions(hierarchies):
        for limit in _WRITES:
            answers[limit] = no(
                limit.replace("_", "-"),
                "what a guest's engine writes lies in the node's page cache, and control groups of version 1 do not count "
                "who it was that the kernel writes it for",
                "bound what it reads, use the approach qemu, or boot the node with cgroup v2",
            )
    return {
        limit: answers[limit]
        if limit in (*_CPU, *more)
        else no(
            limit.replace("_", "-"),
            "a guest with its own kernel is held to CPUs, memory and disk alone",
            "containers (approach lxc) are held to more",
        )
        for limit in HELD_BY_THE_NODE
    }


def make(name: str, limits: Limits, *, disks: Sequence[str] = ()) -> list[str]:
    """Make the group, held to limits, and return the files that whoever enters it writes its process id to.

    A crash leaves an empty group, which ``is_there`` finds.

    Args:
        name: the guest's name in the kernel.
        limits: what it is to be held to.
        disks: MAJOR:MINOR of those of the node's whose bandwidth is bounded.

    Raises:
        NotPermitted, Failed: the kernel refused.
    """
    group = cgroup.Cgroup(name)
    group.ensure()
    plain = Limits(
        cpus=limits.cpus, memory=limits.memory, memory_max=limits.memory_max, disk=limits.disk
    )
    if limits != plain:
        group.apply(_settings(limits, group.hierarchies, disks))
    return group.entrances()


def hold(name: str, limits: Limits, *, disks: Sequence[str] = ()) -> None:
    """Hold an engine that runs to limits, whatever it was held to before; arguments as for ``make``.

    Raises:
        NotPermitted, Failed: the kernel refused one, or the group is gone; some may have been changed.
    """
    group = cgroup.Cgroup(name)
    group.apply(_settings(limits, group.hierarchies, disks))


def freeze(name: str) -> None:
    """Hold every process of an engine still, and return once all are.

    Raises:
        Failed, TimedOut: they could not be held; they go on.
    """
    cgroup.Cgroup(name).freeze()


def thaw(name: str) -> None:
    """Let the processes of an engine go on; no error if they do, or if there are none.

    Raises:
        Failed: the kernel refused.
    """
    group = cgroup.Cgroup(name)
    if group.is_freezing():
        group.thaw()


def is_frozen(name: str) -> bool:
    """Return whether an engine is held still; whoever was killed while it froze has left it so."""
    return cgroup.Cgroup(name).is_freezing()


def is_there(name: str) -> bool:
    """Return whether there is such a group."""
    return cgroup.Cgroup(name).exists()


def find(name: str, identity: str) -> list[int]:
    """Return the processes of an engine, which have an argument that names the guest.

    Anyone can write anything on a command line, but nobody but root comes into the group; so an engine that is not root any more
    is told from others by being there. One that enters it, or leaves it by ending, is still known as root's own.
    """
    inside = [pid for pid in cgroup.Cgroup(name).pids() if identity in process.command_line(pid)]
    return inside or process.find_by_argument(identity)


def remove(name: str) -> None:
    """Remove the group, whose engine has ended; no error if there is none."""
    cgroup.Cgroup(name).remove()


def _settings(
    limits: Limits, hierarchies: Sequence[cgroup.Hierarchy], disks: Sequence[str]
) -> list[Setting]:
    versions = cgroup.find_versions(hierarchies)
    usable = affinity.usable()
    return [
        # One that is not pinned any more has to be given back what it was kept from. Without a limit it has all that its
        # CPUs can take, and what the engine itself does beside them.
        *build_cpu_bounds(
            versions, cpus=limits.cpu_limit or None, cpu_pin=limits.cpu_pin or usable
        ),
        *build_bandwidth_bounds(versions, held.bandwidth_of(limits, disks)),
        *build_shares(versions, cpu_weight=effective_weight(limits, node_cpus=len(usable))),
    ]
