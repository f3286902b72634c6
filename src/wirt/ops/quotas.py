"""What users and groups of a guest may hold of its disk. The file system keeps it; nothing of it is in the state."""

from wirt.errors import Unsupported, WrongState
from wirt.host import quotas
from wirt.model.capability import Capability, no
from wirt.model.guest import Guest
from wirt.model.quota import Bounds, Owner, Quota, check_quota
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.storage.powers import CountsUsers
from wirt.units import UNBOUNDED

_KINDS = {Owner.USER: quotas.USER, Owner.GROUP: quotas.GROUP}


def probe(context: Context, guest: Guest) -> Capability:
    """Ask whether the guest's users can be held to quotas here."""
    pool = context.pool(guest.pool)
    if not isinstance(pool, CountsUsers):
        return no(
            "user-quotas",
            f"pool {guest.pool} does not count what they hold",
            "pools of kind image do, where the kernel can",
        )
    return pool.probe_users(context.approach(guest.approach).needs.root)


def check_holdable(context: Context, guest: Guest) -> None:
    """Check that the guest's users can be held to quotas here.

    Raises:
        Unsupported: they cannot.
    """
    capability = probe(context, guest)
    if not capability.available:
        raise Unsupported(
            f"the users of guest {guest.name} cannot be held to quotas: {capability.reason}",
            hint=capability.hint,
        )


def list_quotas(context: Context, name: str) -> list[Quota]:
    """Return what each user and group of a guest holds and may hold.

    Raises:
        NotFound, WrongState: there is no such guest, or nothing counts what they hold now.
        Failed: the kernel refused.
    """
    guest = guests.observed(context, context.store.find(name))
    place = _place(context, guest)
    return [
        Quota(
            owner=owner,
            number=entry.number,
            bytes=entry.bytes,
            inodes=entry.inodes,
            bounds=Bounds(
                bytes_soft=entry.bytes_soft or UNBOUNDED,
                bytes=entry.bytes_hard or UNBOUNDED,
                inodes_soft=entry.inodes_soft or UNBOUNDED,
                inodes=entry.inodes_hard or UNBOUNDED,
            ),
        )
        for owner, kind in _KINDS.items()
        for entry in quotas.read(place, kind)
    ]


def set_quota(context: Context, name: str, owner: Owner, number: int, bounds: Bounds) -> Guest:
    """Hold a user or group of a guest to what it may have, at once, and return the guest.

    Killed on the way, the kernel has done it or not.

    Raises:
        InvalidInput, NotFound, WrongState, Busy: nothing was changed.
        Failed: the kernel refused.
    """
    check_quota(owner, number, bounds)
    with guests.held(context, name) as guest:
        entry = quotas.Entry(
            number=number,
            bytes_soft=_told(bounds.bytes_soft),
            bytes_hard=_told(bounds.bytes),
            inodes_soft=_told(bounds.inodes_soft),
            inodes_hard=_told(bounds.inodes),
        )
        quotas.set_bounds(_place(context, guest), _KINDS[owner], entry)
        return guest


def _told(bound: int) -> int:
    """Return a bound as the kernel has it."""
    return 0 if bound == UNBOUNDED else bound


def _place(context: Context, guest: Guest) -> str:
    """Return where the file system is that counts.

    Raises:
        Unsupported, WrongState: none does, or not now.
    """
    pool = context.pool(guest.pool)
    place = pool.counted_at(guest.id) if isinstance(pool, CountsUsers) else None
    if place is not None:
        return place
    if not guest.limits.user_quotas:
        check_holdable(context, guest)
        raise WrongState(
            f"nothing counts what users of guest {guest.name} hold",
            hint=f"switch it on, for its next start: wirt set {guest.name} --user-quotas on",
        )
    raise WrongState(
        f"it is not known what users of guest {guest.name} hold: its disk is not mounted since that "
        "was switched on",
        hint=f"start it: wirt restart {guest.name}" if guest.state.is_up else "start it first",
    )
