"""Whether this node can hold a guest to what it is to be held to, asked before anything is changed."""

from collections.abc import Collection

from wirt.approaches.base import Adjustable, Approach
from wirt.errors import Unsupported
from wirt.host import openfiles
from wirt.model.capability import no
from wirt.model.guest import Guest
from wirt.model.limits import HELD_BY_THE_NODE, Limits, check_files, check_pin
from wirt.ops import inodes, softlimit
from wirt.ops.checks.sizes import processors_for
from wirt.ops.context import Context
from wirt.ops.steps import bandwidth
from wirt.units import UNBOUNDED


def check_holdable(
    context: Context, guest: Guest, limits: Limits, *, wanted: Collection[str]
) -> None:
    """Check that the node can hold a guest to limits.

    Args:
        context: the home.
        guest: whose they are to be.
        limits: all of them.
        wanted: the names of those that somebody asked for; the others are as they were, or as usual.

    Raises:
        Unsupported: the approach or the node cannot.
        InvalidInput: the node has not so much.
    """
    approach = context.approach(guest.approach)
    for limit in wanted:
        # The usual weight can be given back where no other can be given.
        is_usual = limit == "io_weight" and limits.io_weight == Limits().io_weight
        if limit in HELD_BY_THE_NODE and not is_usual:
            _check_held(context, approach, guest, limit)
    on_disks = {"io_read", "io_write", "iops_read", "iops_write"}
    if on_disks & set(wanted) and not bandwidth.find_disks(context, guest):
        raise Unsupported(
            f"the bandwidth of guest {guest.name} cannot be bounded: pool {guest.pool} is on no disk "
            "of this node",
            hint="put the home on a disk",
        )
    if "disk_soft" in wanted and limits.disk_soft != UNBOUNDED:
        soft = softlimit.probe(context, guest)
        if not soft.available:
            raise Unsupported(
                f"the disk of guest {guest.name} cannot be given a soft limit: {soft.reason}",
                hint=soft.hint,
            )
    if {"disk_inodes", "disk_inodes_soft"} & set(wanted):
        inodes.check_holdable(context, guest, limits)
    if "user_quotas" in wanted and limits.user_quotas:
        # Loaded here: few guests are asked for it.
        from wirt.ops import quotas

        quotas.check_holdable(context, guest)
    if "files" in wanted:
        check_files(limits.files, openfiles.most())
    if "cpu_pin" in wanted:
        check_pin(limits.cpu_pin, processors_for(approach))


def check_maximum(approach: Approach, guest: Guest, limits: Limits) -> None:
    """Check that a guest can be made with more memory than it has.

    Raises:
        Unsupported: the approach knows no such thing.
    """
    if limits.memory_max and not approach.needs.balloon:
        raise Unsupported(
            f"guest {guest.name} cannot have a maximum of memory beside its memory: approach "
            f"{approach.name} has no machines that grow",
            hint="change its memory with wirt set --memory, or use the approach qemu or kvm",
        )


def _check_held(context: Context, approach: Approach, guest: Guest, limit: str) -> None:
    if isinstance(approach, Adjustable):
        capability = approach.probe_limits()[limit]
        if limit == "io_weight" and not approach.needs.own_kernel:
            # Whether the guest's own disk knows weights says more than whether one of the node's does.
            on_disk = bandwidth.probe_weights(context, guest)
            capability = capability if on_disk.available else on_disk
    else:
        capability = no(
            limit,
            f"approach {approach.name} holds its guests to CPUs, memory and disk alone",
            "containers (approach lxc) are held to more",
        )
    if not capability.available:
        raise Unsupported(
            f"the {HELD_BY_THE_NODE[limit]} of guest {guest.name} cannot be set: {capability.reason}",
            hint=capability.hint,
        )
