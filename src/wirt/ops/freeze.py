"""``freeze`` and ``thaw``: a running guest held still, and let go on."""

import msgspec

from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal, recovery, stalls
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder


def freeze(context: Context, name: str) -> Guest:
    """Hold a running guest still and return it: it keeps its memory and connections, and no process of it runs.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        Failed, TimedOut: it could not be held still; it goes on.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "freeze", guest.name)
        step = Ladder(context, guest).to_freeze()
        journal.begin(context, guest, "freeze")
        journal.build(context, "freeze", guest, [step], otherwise=guest)
        after = msgspec.structs.replace(guest, state=State.FROZEN)
        journal.settle(context, "freeze", guest, after)
    return after


def thaw(context: Context, name: str) -> Guest:
    """Let a frozen guest go on and return it, or one that stands still because its disk found no room.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: the kernel refused; the next command tries again.
    """
    with guests.held(context, name) as guest:
        if stalls.is_stalled(context, guest):
            stalls.try_again(context, guest)
            return guest
        next_state(guest.state, "thaw", guest.name)
        journal.begin(context, guest, "thaw")
        return recovery.let_go_on(context, guest, "thaw")
