"""How many inodes a guest may have on its disk now, and what of that its pool can hold it to."""

import time

from wirt.errors import Unsupported
from wirt.model.capability import Capability, no, yes
from wirt.model.guest import Guest
from wirt.model.limits import Limits
from wirt.ops.context import Context
from wirt.storage.powers import BoundsInodes
from wirt.units import UNBOUNDED


def bound_of(guest: Guest) -> int:
    """Return how many it may have now: when its grace is over, its soft limit."""
    left = grace_left(guest)
    return guest.limits.disk_inodes if left is None or left > 0 else guest.limits.disk_inodes_soft


def grace_left(guest: Guest) -> float | None:
    """Return the seconds that a guest may have more inodes than its soft limit for, None if it has not."""
    return guest.limits.grace_left(guest.over_inodes_since, time.time())


def probe(context: Context, guest: Guest) -> Capability:
    """Ask whether the guest's pool can hold it to a number of inodes."""
    pool = context.pool(guest.pool)
    if context.approach(guest.approach).needs.own_kernel:
        return no("inodes", "the file system on its disk is its own affair")
    if not isinstance(pool, BoundsInodes):
        return no("inodes", f"pool {guest.pool} does not bound them", "pools of kind image do")
    return yes("inodes", "those of its file system that it is not to have are taken")


def check_holdable(context: Context, guest: Guest, limits: Limits, *, is_new: bool = False) -> None:
    """Check that a guest's pool can hold it to what its limits say of inodes.

    Args:
        context: the home.
        guest: whose limits they are to be.
        limits: all of them.
        is_new: True if its root is to be made, with as many as are asked for.

    Raises:
        Unsupported: it cannot.
    """
    if limits.disk_inodes == limits.disk_inodes_soft == UNBOUNDED:
        return
    capability, pool = probe(context, guest), context.pool(guest.pool)
    if not is_new and isinstance(pool, BoundsInodes) and capability.available:
        most = pool.most_inodes(guest.id)
        if most is not None and limits.disk_inodes > most:
            capability = no(
                "inodes",
                f"its file system was made with {most}",
                "ask for less, or give it a larger disk, which has more: wirt set --disk",
            )
    if not capability.available:
        raise Unsupported(
            f"the inodes of guest {guest.name} cannot be bounded: {capability.reason}",
            hint=capability.hint,
        )
