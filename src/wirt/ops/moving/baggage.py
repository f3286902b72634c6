"""What goes to another node with a guest besides its root: its snapshots, and the memory that is kept with some of them.

The other node begins each as a copy of the root that has come, so what goes over is what differs from that. It gets its name
there when it is whole; what is half there goes with the guest if that does not become the other node's.
"""

import os

import msgspec

from wirt.errors import Conflict, Unsupported
from wirt.host import files
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.moving.protocol import Room
from wirt.ops.steps.ladder import Ladder
from wirt.storage.powers import Travelling
from wirt.transport.base import Link, Session


def check(context: Context, guest: Guest) -> None:
    """Check that a guest's snapshots can go along, as far as this node knows; changes nothing.

    Raises:
        Unsupported: they cannot; says why.
    """
    if not guest.snapshots:
        return
    hint = f"delete them first: wirt snapshot list {guest.name}"
    if guest.disks:
        raise Unsupported(
            f"guest {guest.name} has snapshots, which do not go along with further disks", hint=hint
        )
    if not isinstance(Ladder(context, guest).root.snapshots(), Travelling):
        raise Unsupported(
            f"guest {guest.name} has snapshots, which pool {guest.pool} does not give away",
            hint=hint,
        )


def check_ids(context: Context, guest: Guest, here: str, *, hint: str | None = None) -> None:
    """Check that a guest that is to come can have its own range of ids here, if memory that comes along is full of them.

    Raises:
        Conflict: another guest has it.
    """
    full = [one.name for one in guest.snapshots if one.memory is not None]
    if full and guest.ids is not None and guest.ids in context.store.ids():
        raise Conflict(
            f"{here} has given the ids of guest {guest.name} to another guest, and checkpoint "
            f"{full[0]} is full of them",
            hint=hint or f"delete it first: wirt snapshot delete {guest.name} {full[0]}",
        )


def measure(context: Context, guest: Guest) -> int:
    """Return the bytes that a guest's snapshots and their memory take on disk."""
    keeper = Ladder(context, guest).root.snapshots()
    kept = sum(keeper.measure(guest.id, one.name) for one in guest.snapshots)
    memory = [_memory(context, guest, one.name) for one in guest.snapshots]
    return kept + sum(files.disk_usage(path) for path in memory if os.path.exists(path))


def send(context: Context, guest: Guest, link: Link, session: Session) -> int:
    """Send a guest's snapshots after its root, and return the bytes that went over.

    Raises:
        Error: some of them may be there; they go when the session ends.
    """
    own, sent = context.pool(guest.pool).place(guest.id), 0
    for name in (one.name for one in guest.snapshots):
        question = msgspec.json.encode(name)
        room = msgspec.json.decode(session.ask("snapshot", question), type=Room)
        part = _keeper(context, guest).part(guest.id, name)
        sent += link.send(f"{own}/{part}", room.root)
        if room.memory is not None:
            sent += link.give(f"{_memory(context, guest, name)}/", f"{room.memory}/")
        session.ask("snapshot-here", question)
    return sent


def make_room(context: Context, guest: Guest, name: str) -> Room:
    """Return where a snapshot of a guest that comes is put: a copy of its root is there already."""
    part = _keeper(context, guest).await_copy(guest.id, name)
    memory = None
    if any(one.name == name and one.memory is not None for one in guest.snapshots):
        memory = _memory(context, guest, name)
        os.makedirs(memory, mode=0o700)
    return Room(root=f"{context.pool(guest.pool).place(guest.id)}/{part}", memory=memory)


def take(context: Context, guest: Guest, name: str) -> None:
    """Let what has come be a snapshot of the guest, under its name."""
    _keeper(context, guest).take_copy(Ladder(context, guest).root.form(), guest.id, name)


def _keeper(context: Context, guest: Guest) -> Travelling:
    keeper = Ladder(context, guest).root.snapshots()
    assert isinstance(keeper, Travelling)
    return keeper


def _memory(context: Context, guest: Guest, name: str) -> str:
    return context.home.checkpoint(guest.id, name)
