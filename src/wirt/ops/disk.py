"""``disk``: further disks of a guest, put in and taken out, at once if it runs, and kept."""

from collections.abc import Sequence

import msgspec

from wirt.errors import Conflict, Failed, InvalidInput, NotFound, Unsupported
from wirt.model.disk import (
    MOST_CDROMS,
    RAW,
    Disk,
    check_disk_name,
    check_size,
    free_unit,
    letter_of,
)
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.presence import Presence
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.drives import check_free, check_source, drive_of, keeper_of, takes_disks
from wirt.ops.steps.step import Step
from wirt.storage.disks import nodedisks
from wirt.units import render_bytes


class DiskRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A disk that a guest is to have: of its pool, or of the node."""

    size: int | None = None
    """Bytes of a new one in the guest's pool."""
    source: str | None = None
    """A file or block device of the node."""
    format: str | None = None
    """What that is in."""
    name: str | None = None
    """None: one is chosen."""
    read_only: bool = False
    is_cdrom: bool = False
    """It is a CD, which can only be read, in a drive of its own."""


class DiskReport(msgspec.Struct, frozen=True, kw_only=True):
    """A disk, and what is found out about it."""

    guest: str
    disk: Disk
    size: int | None
    """Bytes that the guest has on it; None: it is not there, or nobody may look."""
    device: str
    """How programs in the guest open it."""


def add_disk(context: Context, name: str, request: DiskRequest) -> Disk:
    """Give a guest a further disk, at once if it runs, and return it; it is kept.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Corrupt, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; everything is as before.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "disk", guest.name)
        disk = plan_disk(context, guest, request)
        after = msgspec.structs.replace(guest, disks=(*guest.disks, disk))
        # Two commands may want one file for two guests: the intent of the first is there before the second looks.
        with context.disks_lock():
            check_free(context, guest, disk)
            journal.begin(context, after, "attach")
        what = f"disk {disk.name} to guest {guest.name}"
        _change(context, "attach", what, after, _making(context, after, disk))
    return disk


def remove_disk(context: Context, name: str, disk_name: str) -> Disk:
    """Take a disk out of a guest, at once if it runs, and return it; one of its pool is deleted.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: the guest does not let go of it; it has it as before.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "disk", guest.name)
        disk = find_disk(guest, disk_name)
        after = _without(guest, disk)
        journal.begin(context, after, "detach")
        steps = [_reversed(step) for step in reversed(_making(context, guest, disk))]
        _change(context, "detach", f"disk {disk.name} from guest {guest.name}", after, steps)
    return disk


def grow_disk(context: Context, name: str, disk_name: str, size: int) -> Disk:
    """Make a disk in a guest's pool larger, at once if it runs, and return it.

    Raises:
        InvalidInput, NotFound, WrongState, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; it is as before.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "disk", guest.name)
        disk = find_disk(guest, disk_name)
        size = check_size(size)
        if disk.source is not None or disk.size is None:
            raise Unsupported(
                f"disk {disk.name} of guest {guest.name} is the node's: {disk.source}",
                hint="stop the guest and give that another size",
            )
        if size < disk.size:
            raise InvalidInput(
                f"disk {disk.name} of guest {guest.name} has {render_bytes(disk.size)} and cannot be "
                "made smaller",
                hint="add another one, copy what is on it, and remove this",
            )
        can = takes_disks(context, guest).grows_disks()
        if guest.state.is_up and not can.available:
            raise Unsupported(
                f"disk {disk.name} of guest {guest.name} cannot grow while it runs: {can.reason}",
                hint=can.hint,
            )
        larger = msgspec.structs.replace(disk, size=size)
        others = tuple(larger if one == disk else one for one in guest.disks)
        after = msgspec.structs.replace(guest, disks=others)
        journal.begin(context, after, "grow")
        journal.build(context, "grow", after, [to_grow(context, after)], otherwise=guest)
        journal.settle(context, "grow", after, after)
    return larger


def list_disks(context: Context, name: str | None = None) -> list[DiskReport]:
    """Return the further disks of a guest, or of all.

    Raises:
        NotFound: there is no such guest.
    """
    found = [context.store.find(name)] if name else context.store.guests()
    return [
        DiskReport(
            guest=guest.name,
            disk=disk,
            size=disk.size if disk.source is None else nodedisks.size_of(disk.source, disk.format),
            device=takes_disks(context, guest).device_of(drive_of(context, guest, disk)),
        )
        for guest in found
        for disk in guest.disks
    ]


def find_disk(guest: Guest, name: str) -> Disk:
    """Return a guest's disk by its name.

    Raises:
        NotFound: it has none of that name.
    """
    for disk in guest.disks:
        if disk.name == name:
            return disk
    raise NotFound(
        f"guest {guest.name} has no disk {name}", hint=f"see wirt disk list {guest.name}"
    )


def recover_disks(context: Context, wanted: Guest) -> Guest:
    """Settle a change of a guest's disks that failed or died, and return the guest.

    A disk that a running guest has at that time stays with it, whether it was being put in or taken out; else it goes.
    """
    before = context.store.find(wanted.name)
    with_it, without = (
        (before, wanted) if len(before.disks) > len(wanted.disks) else (wanted, before)
    )
    disk = next(one for one in with_it.disks if one not in without.disks)
    steps = _making(context, with_it, disk)
    after = with_it
    if not with_it.state.is_up or steps[-1].probe() is not Presence.PRESENT:
        journal.dismantle("detach", steps)
        after = without
    journal.settle(context, "detach" if after is without else "attach", wanted, after)
    return after


def recover_growth(context: Context, wanted: Guest) -> Guest:
    """Finish to make a guest's disks larger, and return the guest; if that cannot be, it is said to have what it had."""
    after = wanted
    try:
        to_grow(context, wanted).do()
    except Failed:
        after = context.store.find(wanted.name)
    journal.settle(context, "grow", wanted, after)
    return after


def to_grow(context: Context, guest: Guest) -> Step:
    """Return the step that makes the disks in a guest's pool as large as they are to be; it can be done again."""
    approach, place = takes_disks(context, guest), context.home.place(guest.id)

    def grow() -> None:
        for disk in guest.disks:
            if disk.source is not None or disk.size is None:
                continue
            keeper_of(context, guest).grow(guest.id, disk.name, disk.size)
            drive = drive_of(context, guest, disk)
            if guest.state.is_up and approach.probe_disk(place, drive) is Presence.PRESENT:
                approach.grow_disk(place, drive, disk.size)

    return Step(
        name="size",
        do=grow,
        # What has grown stays so: nobody knows yet whether the guest has used it.
        undo=lambda: None,
        probe=lambda: Presence.PRESENT,
    )


def _change(context: Context, verb: str, what: str, after: Guest, steps: Sequence[Step]) -> None:
    """Do what was written down, or find out how far that went."""
    try:
        journal.perform(verb, what, list(steps))
    except BaseException:
        recover_disks(context, after)
        raise
    journal.settle(context, verb, after, after)


def plan_disk(context: Context, guest: Guest, request: DiskRequest) -> Disk:
    """Return the disk that is asked for, once it has been found to be possible; changes nothing.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, Corrupt: it cannot be.
    """
    approach = takes_disks(context, guest)
    if request.is_cdrom and sum(disk.is_cdrom for disk in guest.disks) == MOST_CDROMS:
        raise Conflict(
            f"guest {guest.name} has {MOST_CDROMS} CD drives already",
            hint=f"remove one first: wirt disk list {guest.name}",
        )
    unit = free_unit(guest.name, guest.disks)
    taken = {disk.name for disk in guest.disks}
    kind = "cd" if request.is_cdrom else "disk"
    name = check_disk_name(request.name or f"{kind}-{letter_of(unit)}")
    if name in taken:
        raise Conflict(
            f"guest {guest.name} has a disk {name} already", hint="choose another with --name"
        )
    if (request.size is None) == (request.source is None) or (request.is_cdrom and request.size):
        raise InvalidInput(
            "a disk is either of the guest's pool or of the node",
            hint="give a --size, or name a file or block device",
        )
    if request.source is None:
        assert request.size is not None
        if request.format is not None:
            raise InvalidInput(
                "a disk of the guest's pool has the pool's format", hint="leave --format out"
            )
        size = check_size(request.size)
        return Disk(
            name=name,
            unit=unit,
            size=size,
            format=keeper_of(context, guest).format,
            read_only=request.read_only,
        )
    if request.format is None:
        raise InvalidInput(
            f"it has to be said what format {request.source} is in",
            hint=f"pass --format {RAW}, or what it is: a guest may have written anything",
        )
    if request.format not in approach.disk_formats:
        raise Unsupported(
            f"guest {guest.name} cannot have a disk in {request.format}: approach {guest.approach} reads "
            f"{', '.join(sorted(approach.disk_formats))}",
            hint=f"convert it: qemu-img convert -f {request.format} -O {RAW} {request.source} NEW",
        )
    disk = Disk(
        name=name,
        unit=unit,
        source=request.source,
        format=request.format,
        read_only=request.read_only or request.is_cdrom,
        is_cdrom=request.is_cdrom,
    )
    check_source(context, guest, disk)
    return disk


def _making(context: Context, guest: Guest, disk: Disk) -> list[Step]:
    """Return the steps that give a guest a disk."""
    steps = []
    if disk.source is None and disk.size is not None:
        keeper, size = keeper_of(context, guest), disk.size
        steps.append(
            Step(
                name="space",
                do=lambda: keeper.make(guest.id, disk.name, size),
                undo=lambda: keeper.remove(guest.id, disk.name),
                probe=lambda: keeper.probe(guest.id, disk.name),
            )
        )
    if guest.state.is_up:
        approach, place = takes_disks(context, guest), context.home.place(guest.id)
        drive = drive_of(context, guest, disk)
        steps.append(
            Step(
                name="plug",
                do=lambda: approach.attach_disk(place, drive),
                undo=lambda: approach.detach_disk(place, drive),
                probe=lambda: approach.probe_disk(place, drive),
            )
        )
    return steps


def _reversed(step: Step) -> Step:
    return msgspec.structs.replace(step, do=step.undo, undo=step.do)


def _without(guest: Guest, disk: Disk) -> Guest:
    left = tuple(one for one in guest.disks if one != disk)
    return msgspec.structs.replace(guest, disks=left)
