"""The soft limit of a guest's disk: it may hold more for a time, the grace, and then no more than it has until it holds less.

No kernel has that for what a guest's root lies on. So whoever reads counters looks at the disk too (``wirt counters --sample``, by a
timer): since when a guest holds too much is kept in its row, and when its grace is over, its pool takes what is free away from it.
Every look brings the pool to what the row and the disk say, so one that was killed is made good by the next.
"""

import time

import msgspec

from wirt.errors import Error
from wirt.model.capability import Capability, no
from wirt.model.guest import Guest
from wirt.ops import guests, inodes
from wirt.ops.context import Context
from wirt.storage.base import MeasuresRoots
from wirt.storage.powers import BoundsInodes, Closable
from wirt.units import UNBOUNDED


def probe(context: Context, guest: Guest) -> Capability:
    """Ask whether the guest's pool can hold it to a soft limit."""
    pool = context.pool(guest.pool)
    if not isinstance(pool, Closable):
        return no(
            "disk-soft",
            f"pool {guest.pool} does not count what a root holds",
            "pools image and btrfs do",
        )
    return pool.probe_closing(guest.id)


def review(context: Context, name: str) -> Guest:
    """Look at a guest's disk, let it have what its limits allow it now, and return the guest.

    One whose disk cannot be measured now, as an image that is not mounted, is left as it is.

    Raises:
        NotFound, Busy: nothing was done.
        Failed: the pool could not.
    """
    with guests.held(context, name) as found:
        guest = found
        pool = context.pool(guest.pool)
        if not isinstance(pool, Closable) or not isinstance(pool, MeasuresRoots):
            return guest
        used = pool.measure(guest.id)
        if used is None:
            return guest
        limits = guest.limits
        seen = msgspec.structs.replace(
            guest,
            over_soft_since=_over_since(guest.over_soft_since, used.bytes, limits.disk_soft),
            over_inodes_since=_over_since(
                guest.over_inodes_since, used.inodes or 0, limits.disk_inodes_soft
            ),
        )
        if seen != guest:
            guest = seen
            context.store.settle(guest.id, guest)
        if is_over(guest):
            pool.close(guest.id, limits.disk_soft)
        else:
            pool.reopen(guest.id, limits.disk)
        if isinstance(pool, BoundsInodes):
            pool.hold_inodes(guest.id, inodes.bound_of(guest))
        return guest


def _over_since(since: float | None, used: int, soft: int) -> float | None:
    """Return since when a guest holds more than its soft limit, None if it does not."""
    if soft == UNBOUNDED or used <= soft:
        return None
    return time.time() if since is None else since


def is_over(guest: Guest) -> bool:
    """Return whether a guest's grace is over."""
    left = grace_left(guest)
    return left is not None and left <= 0


def grace_left(guest: Guest) -> float | None:
    """Return the seconds that a guest may hold more than its soft limit for, None if it does not."""
    return guest.limits.grace_left(guest.over_soft_since, time.time())


def review_all(context: Context) -> list[Error]:
    """Look at every guest with such a limit and return what went wrong; a guest that fails keeps none from being looked at."""
    failed: list[Error] = []
    for guest in context.store.guests():
        limits = guest.limits
        # What a guest deletes that has more inodes than it is to have is taken from it here.
        bounds = (limits.disk_soft, limits.disk_inodes_soft, limits.disk_inodes)
        if set(bounds) != {UNBOUNDED} or (guest.over_soft_since, guest.over_inodes_since) != (
            None,
            None,
        ):
            try:
                review(context, guest.name)
            except Error as error:
                failed.append(error)
    return failed
