"""What is particular to a guest that goes to another node with its memory: how it is held still here, and let go on.

Until everything of it has arrived over there it only stands still, and whatever fails lets it go on here, connections and all.
Then it ends here, before it is handed over: so there is no instant in which it could run twice. Should the other node fail
after that, it goes on here from the memory that was kept.
"""

import os
from collections.abc import Callable

from wirt.approaches.base import Checkpointable
from wirt.errors import Unsupported
from wirt.host import files
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.checkpointing import why_not
from wirt.ops.context import Context
from wirt.ops.step import Step
from wirt.ops.steps import Ladder

_MEMORY = "migration"


def memory_of(context: Context, guest: Guest) -> str:
    """Return the directory that a guest's memory is in on its way, on either node."""
    return context.home.checkpoint(guest.id, _MEMORY)


def check_node(context: Context, guest: Guest) -> Checkpointable:
    """Return the guest's approach if it can keep memory on this node.

    Raises:
        Unsupported: it cannot; says why.
    """
    approach = context.approach(guest.approach)
    if not isinstance(approach, Checkpointable):
        raise Unsupported(why_not(approach))
    capability = approach.probe_checkpoints()
    if not capability.available:
        raise Unsupported(capability.reason, hint=capability.hint)
    return approach


def check_guest(context: Context, guest: Guest) -> None:
    """Check that a running guest can go with its memory, as far as this node knows; changes nothing.

    Raises:
        Unsupported: it cannot; says what is in the way.
    """
    obstacles = check_node(context, guest).find_obstacles(context.home.place(guest.id))
    if obstacles:
        first, more = obstacles[0], len(obstacles) - 1
        raise Unsupported(
            f"{first.what} {first.reason}" + (f", and {more} more" if more else ""),
            hint=first.hint,
        )


def hold_still(
    context: Context,
    guest: Guest,
    *,
    send_root: Callable[[], None],
    send_memory: Callable[[], None],
) -> Guest:
    """Keep a running guest's memory, send everything while it stands still, end it, and return it, stopped.

    Args:
        context: the home.
        guest: the guest, whose intent is written.
        send_root: is called while memory is written.
        send_memory: is called then.

    Raises:
        Error: something failed; the guest goes on once ``let_go_on`` has been called.
    """
    approach = check_node(context, guest)
    handle = guest.handle
    assert handle is not None

    def dump() -> None:
        approach.checkpoint(
            context.home.place(guest.id),
            handle,
            memory_of(context, guest),
            keep_running=False,
            standing_still=send_root,
            written=send_memory,
        )

    journal.perform("migrate", f"guest {guest.name}", _steps(context, guest, approach, dump))
    journal.dismantle("migrate", Ladder(context, guest).to_run())
    return journal.stopped(guest)


def let_go_on(context: Context, guest: Guest) -> None:
    """Let a guest go on that may stand still, and leave nothing of its memory; no error if it does not."""
    approach = context.approach(guest.approach)
    if guest.state is State.RUNNING and isinstance(approach, Checkpointable):
        journal.dismantle("migrate", _steps(context, guest, approach, lambda: None))


def _steps(
    context: Context, guest: Guest, approach: Checkpointable, dump: Callable[[], None]
) -> list[Step]:
    ladder, directory = Ladder(context, guest), memory_of(context, guest)

    def make() -> None:
        files.remove_tree(directory)
        os.makedirs(directory, mode=0o700)

    return [
        Step(
            name="card",
            # What arrived meanwhile would be acknowledged and lost.
            do=lambda: context.network.cut(ladder.nic()),
            undo=lambda: context.network.join(ladder.nic()),
            # Nobody has to be asked: to join what is not cut off is no work.
            probe=lambda: Presence.PARTIAL,
        ),
        Step(
            name="memory",
            do=make,
            undo=lambda: files.remove_tree(directory),
            probe=lambda: Presence.PRESENT if os.path.isdir(directory) else Presence.ABSENT,
        ),
        Step(
            name="dump",
            do=dump,
            undo=lambda: approach.cancel_checkpoint(ladder.place),
            probe=lambda: (
                Presence.PARTIAL if approach.is_checkpointing(ladder.place) else Presence.ABSENT
            ),
        ),
    ]
