"""``snapshot``: what a guest's root is now, kept, looked at and gone back to."""

import time

import msgspec

from wirt.errors import Conflict, InvalidInput, NotFound, WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.model.names import check_name
from wirt.model.snapshot import Snapshot, SnapshotReport
from wirt.ops import guests, journal, recovery
from wirt.ops.context import Context
from wirt.ops.steps.checkpointing import to_forget
from wirt.ops.steps.ladder import Ladder


def create_snapshot(
    context: Context,
    name: str,
    snapshot: str | None = None,
    *,
    with_disks: bool = False,
    title: str = "",
    description: str = "",
) -> Snapshot:
    """Keep what a guest's root is now and return it.

    A running guest is held still meanwhile where the pool cannot do it in an instant.

    Args:
        context: the home.
        name: the guest.
        snapshot: what to call it; None for the date and time in UTC.
        with_disks: True to keep its further disks in the pool too.
        title: what else it is called.
        description: what is said of it.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; nothing is left of it.
    """
    if snapshot is not None:
        check_name(snapshot, "snapshot")
    with guests.held(context, name) as guest:
        return keep_root(
            context, guest, snapshot, with_disks=with_disks, title=title, description=description
        ).snapshots[-1]


def keep_root(
    context: Context,
    guest: Guest,
    snapshot: str | None = None,
    *,
    with_disks: bool = False,
    before_change: bool = False,
    title: str = "",
    description: str = "",
) -> Guest:
    """Make a snapshot of a guest whose lock is held, and return the guest with it.

    Args:
        context: the home.
        guest: as it is held.
        snapshot: what to call it; None for the date and time in UTC.
        with_disks: True to keep its further disks in the pool too.
        before_change: True to keep the guest's limits with it, for ``undo``.
        title: what else it is called.
        description: what is said of it.

    Raises:
        WrongState, Conflict, Unsupported, OutOfSpace, Failed: as ``create_snapshot``.
    """
    next_state(guest.state, "snapshot", guest.name)
    disks = tuple(disk.name for disk in guest.disks if disk.source is None) if with_disks else ()
    if with_disks and not disks:
        raise InvalidInput(
            f"guest {guest.name} has no further disks in its pool",
            hint=f"leave --disks out; see wirt disk list {guest.name}",
        )
    now = time.time()
    made = Snapshot(
        name=snapshot or time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)),
        created=now,
        limits=guest.limits if before_change else None,
        disks=disks,
        title=title,
        description=description,
    )
    ladder = Ladder(context, guest)
    steps = ladder.to_snapshot(made.name, with_disks=with_disks)
    if any(one.name == made.name for one in guest.snapshots):
        raise Conflict(
            f"guest {guest.name} has a snapshot {made.name} already",
            hint="choose another name or delete it first: "
            f"wirt snapshot delete {guest.name} {made.name}",
        )
    journal.begin(context, guest, "snapshot", snapshot=made.name)
    journal.build(context, "snapshot", guest, steps, otherwise=guest)
    made = msgspec.structs.replace(made, is_torn=ladder.is_torn)
    # What stays is the last of them; those before it held the guest still.
    journal.dismantle("snapshot", steps[:-1])
    after = msgspec.structs.replace(guest, snapshots=(*guest.snapshots, made))
    journal.settle(context, "snapshot", guest, after)
    return after


def list_snapshots(context: Context, name: str) -> list[SnapshotReport]:
    """Return the snapshots of a guest, the oldest first.

    Raises:
        NotFound, Unsupported: there is no such guest, or its pool has no snapshots.
    """
    guest = context.store.find(name)
    keeper = Ladder(context, guest).root.snapshots()
    return [
        SnapshotReport(
            name=one.name,
            created=one.created,
            bytes=keeper.measure(guest.id, one.name),
            mounted=keeper.find_attached(guest.id, one.name),
            memory=one.memory,
            disks=one.disks,
            title=one.title,
            description=one.description,
        )
        for one in guest.snapshots
    ]


def restore_snapshot(context: Context, name: str, snapshot: str, *, force: bool = False) -> Guest:
    """Make a guest's root what it was at a snapshot, and return the guest, stopped. The snapshot stays.

    Further disks that were kept with it are gone back to too; one that was grown meanwhile stays as large.

    Args:
        context: the home.
        name: the guest.
        snapshot: which.
        force: True to end the guest first if it runs.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        OutOfSpace: there is no room for the root beside the present one; nothing was changed.
        Failed: something could not be done; the next command tries again.
    """
    with guests.held(context, name) as guest:
        if not (force and guest.state is not State.STOPPED):
            next_state(guest.state, "restore", guest.name)
        after = msgspec.structs.replace(guest, suspended=None)
        return go_back(context, guest, snapshot, after=after)


def go_back(context: Context, guest: Guest, snapshot: str, *, after: Guest) -> Guest:
    """Put the root of a snapshot in the place of a guest's, whose lock is held and which may run, and return it, stopped.

    Args:
        context: the home.
        guest: as it is held.
        snapshot: which.
        after: the guest as it is to be then; a snapshot that it does not have any more is deleted.

    Raises:
        NotFound, Unsupported, OutOfSpace, Failed: as ``restore_snapshot``.
    """
    prepare = Ladder(context, after).root.to_restore(snapshot)
    _check_known(guest, snapshot)
    journal.begin(context, guest, "restore", snapshot=snapshot)
    journal.build(context, "restore", guest, [prepare], otherwise=guest)
    # Up to here a crash is undone and the guest goes on; from here it is finished.
    journal.begin(context, after, "switch", snapshot=snapshot)
    return recovery.switch_root(context, after, snapshot)


def delete_snapshot(context: Context, name: str, snapshot: str) -> None:
    """Delete a snapshot; the guest, and its other snapshots, stay as they are.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        Failed: it could not be deleted; the next command tries again.
    """
    with guests.held(context, name) as guest:
        keeper = Ladder(context, guest).root.snapshots()
        _check_known(guest, snapshot)
        if keeper.find_attached(guest.id, snapshot) is not None:
            raise WrongState(
                f"snapshot {snapshot} of guest {guest.name} is mounted",
                hint=f"unmount it first: wirt snapshot unmount {guest.name} {snapshot}",
            )
        journal.begin(context, guest, "snapshot-delete", snapshot=snapshot)
        journal.dismantle("snapshot-delete", to_forget(context, guest, snapshot))
        after = journal.without_snapshot(guest, snapshot)
        journal.settle(context, "snapshot-delete", guest, after)


def mount_snapshot(context: Context, name: str, snapshot: str) -> str:
    """Show a snapshot on the node, to be read only, and return where; no error if it is there already.

    The ids of its files are those that the guest sees. It ends with the snapshot, with the guest or at a reboot.

    Raises:
        NotFound, Unsupported, Busy, Failed: it is not mounted.
    """
    with guests.held(context, name) as guest:
        ladder = Ladder(context, guest)
        keeper = ladder.root.snapshots()
        _check_known(guest, snapshot)
        return keeper.attach(ladder.root.form(), guest.id, snapshot)


def unmount_snapshot(context: Context, name: str, snapshot: str) -> None:
    """Undo ``mount_snapshot``.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
    """
    with guests.held(context, name) as guest:
        keeper = Ladder(context, guest).root.snapshots()
        _check_known(guest, snapshot)
        if keeper.find_attached(guest.id, snapshot) is None:
            raise WrongState(
                f"snapshot {snapshot} of guest {guest.name} is not mounted",
                hint="there is nothing to unmount",
            )
        keeper.detach(guest.id, snapshot)


def _check_known(guest: Guest, snapshot: str) -> None:
    if all(one.name != snapshot for one in guest.snapshots):
        raise NotFound(
            f"guest {guest.name} has no snapshot {snapshot}",
            hint=f"see wirt snapshot list {guest.name}",
        )
