"""A guest's further disks as its engine is given them, once the node has been asked for each."""

import os
import stat

from wirt.approaches.base import TakesDisks
from wirt.errors import Conflict, InvalidInput, NotFound, Unsupported
from wirt.model.disk import Disk
from wirt.model.guest import Guest
from wirt.model.presence import Presence
from wirt.model.resources import Drive
from wirt.ops.context import Context
from wirt.storage.base import Disks, HoldsDisks
from wirt.storage.disks import nodedisks


def open_drives(context: Context, guest: Guest) -> tuple[Drive, ...]:
    """Return what a guest that is going to be started is given.

    Raises:
        Error: one of them cannot be; says which and why.
    """
    for disk in guest.disks:
        check_source(context, guest, disk)
    return tuple(drive_of(context, guest, disk) for disk in guest.disks)


def drive_of(context: Context, guest: Guest, disk: Disk) -> Drive:
    """Return a disk as its engine is given it; nothing is checked."""
    path, form = disk.source, disk.format
    if path is None:
        keeper = keeper_of(context, guest)
        path, form = keeper.path(guest.id, disk.name), keeper.format
    return Drive(
        name=disk.name,
        unit=disk.unit,
        path=path,
        format=form,
        is_device=os.path.exists(path) and stat.S_ISBLK(os.stat(path).st_mode),
        read_only=disk.read_only,
        is_cdrom=disk.is_cdrom,
    )


def check_source(context: Context, guest: Guest, disk: Disk) -> None:
    """Check that what a disk is made of is there, and is nobody else's.

    Raises:
        NotFound, InvalidInput, NotPermitted, Corrupt, Conflict, Failed: it cannot be used; says why.
    """
    if disk.source is None:
        if keeper_of(context, guest).probe(guest.id, disk.name) is Presence.ABSENT:
            raise NotFound(
                f"disk {disk.name} of guest {guest.name} is not in pool {guest.pool} any more",
                hint=f"remove it: wirt disk remove {guest.name} {disk.name}",
            )
        return
    if not os.path.isabs(disk.source):
        raise InvalidInput(f"{disk.source} is no absolute path", hint="begin it with /")
    if os.path.realpath(disk.source).startswith(f"{context.home.data}/"):
        raise Conflict(
            f"{disk.source} is the home's own", hint="choose a file outside of it, or give a --size"
        )
    nodedisks.examine(disk.source, disk.format, read_only=disk.read_only)


def check_free(context: Context, guest: Guest, disk: Disk) -> None:
    """Check that no guest of this home has the same disk of the node, unless all of them only read it.

    Raises:
        Conflict: one has.
    """
    if disk.source is None:
        return
    wanted = nodedisks.identity(disk.source)
    under_way = [intent.guest for intent in context.store.intents()]
    for other in [*context.store.guests(), *under_way]:
        for its in other.disks:
            if its.source is None or (its.read_only and disk.read_only):
                continue
            if its.source == disk.source or nodedisks.identity(its.source) == wanted:
                raise Conflict(
                    f"{disk.source} is disk {its.name} of guest {other.name} already",
                    hint="only with --read-only for all of them can several have it",
                )


def takes_disks(context: Context, guest: Guest) -> TakesDisks:
    """Return the guest's approach, whose guests can have further disks.

    Raises:
        Unsupported: they cannot.
    """
    approach = context.approach(guest.approach)
    if not isinstance(approach, TakesDisks):
        raise Unsupported(
            f"guest {guest.name} cannot have further disks: approach {guest.approach} has no kernel of "
            "its own that would drive them",
            hint="use the approach uml, qemu or kvm",
        )
    return approach


def keeper_of(context: Context, guest: Guest) -> Disks:
    """Return the keeper of the disks in a guest's pool.

    Raises:
        Unsupported: it holds none.
    """
    pool = context.pool(guest.pool)
    if not isinstance(pool, HoldsDisks):
        raise Unsupported(
            f"guest {guest.name} cannot have a disk of a pool: pool {guest.pool} holds none",
            hint="name a file or block device of the node instead",
        )
    return pool.disks()
