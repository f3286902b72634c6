"""``snapshot``: what a guest's root is now, kept, looked at and gone back to."""

import time

import msgspec

from wirt.errors import Conflict, NotFound, WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.model.names import check_name
from wirt.model.snapshot import Snapshot, SnapshotReport
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps import Ladder


def create_snapshot(context: Context, name: str, snapshot: str | None = None) -> Snapshot:
    """Keep what a guest's root is now and return it.

    A running guest is held still meanwhile where the pool cannot do it in an instant.

    Args:
        context: the home.
        name: the guest.
        snapshot: what to call it; None for the date and time in UTC.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; nothing is left of it.
    """
    now = time.time()
    if snapshot is None:
        snapshot = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    made = Snapshot(name=check_name(snapshot, "snapshot"), created=now)
    with guests.held(context, name) as guest:
        next_state(guest.state, "snapshot", guest.name)
        steps = Ladder(context, guest).to_snapshot(made.name)
        if any(one.name == made.name for one in guest.snapshots):
            raise Conflict(
                f"guest {guest.name} has a snapshot {made.name} already",
                hint="choose another name or delete it first: "
                f"wirt snapshot delete {guest.name} {made.name}",
            )
        journal.begin(context, guest, "snapshot", snapshot=made.name)
        journal.build(context, "snapshot", guest, steps, otherwise=guest)
        # What stays is the last of them; the one before it held the guest still.
        journal.dismantle("snapshot", steps[:-1])
        after = msgspec.structs.replace(guest, snapshots=(*guest.snapshots, made))
        journal.settle(context, "snapshot", guest, after)
    return made


def list_snapshots(context: Context, name: str) -> list[SnapshotReport]:
    """Return the snapshots of a guest, the oldest first.

    Raises:
        NotFound, Unsupported: there is no such guest, or its pool has no snapshots.
    """
    guest = context.store.find(name)
    keeper = Ladder(context, guest).snapshots()
    return [
        SnapshotReport(
            name=one.name,
            created=one.created,
            bytes=keeper.measure(guest.id, one.name),
            mounted=keeper.find_attached(guest.id, one.name),
        )
        for one in guest.snapshots
    ]


def restore_snapshot(context: Context, name: str, snapshot: str, *, force: bool = False) -> Guest:
    """Make a guest's root what it was at a snapshot, and return the guest, stopped. The snapshot stays.

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
        prepare = Ladder(context, guest).to_restore(snapshot)
        _check_known(guest, snapshot)
        journal.begin(context, guest, "restore", snapshot=snapshot)
        journal.build(context, "restore", guest, [prepare], otherwise=guest)
        # Up to here a crash is undone and the guest goes on; from here it is finished.
        journal.begin(context, guest, "switch", snapshot=snapshot)
        return journal.switch_root(context, guest)


def delete_snapshot(context: Context, name: str, snapshot: str) -> None:
    """Delete a snapshot; the guest, and its other snapshots, stay as they are.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        Failed: it could not be deleted; the next command tries again.
    """
    with guests.held(context, name) as guest:
        ladder = Ladder(context, guest)
        keeper = ladder.snapshots()
        _check_known(guest, snapshot)
        if keeper.find_attached(guest.id, snapshot) is not None:
            raise WrongState(
                f"snapshot {snapshot} of guest {guest.name} is mounted",
                hint=f"unmount it first: wirt snapshot unmount {guest.name} {snapshot}",
            )
        journal.begin(context, guest, "snapshot-delete", snapshot=snapshot)
        journal.dismantle("snapshot-delete", ladder.to_forget(snapshot))
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
        keeper = ladder.snapshots()
        _check_known(guest, snapshot)
        return keeper.attach(ladder.form(), guest.id, snapshot)


def unmount_snapshot(context: Context, name: str, snapshot: str) -> None:
    """Undo ``mount_snapshot``.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
    """
    with guests.held(context, name) as guest:
        keeper = Ladder(context, guest).snapshots()
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
