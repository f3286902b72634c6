"""``stop``: a running guest is shut down, orderly first, then hard."""

import msgspec

from wirt.errors import TimedOut
from wirt.host import interrupts
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder

ORDERLY_SECONDS = 60.0


def stop(
    context: Context,
    name: str,
    *,
    timeout: float = ORDERLY_SECONDS,
    force: bool = False,
    suspended: str | None = None,
) -> Guest:
    """Stop a guest and return it.

    Args:
        context: the home.
        name: the guest.
        timeout: seconds that its own shutdown may take before it is ended.
        force: True to end it at once.
        suspended: name of the checkpoint of what it is now, from which it is to go on; None: it is simply stopped.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: something of it could not be taken away; the next command tries again.
    """
    with guests.held(context, name) as guest:
        if not (force and guest.state is State.FROZEN):
            next_state(guest.state, "stop", guest.name)
        journal.begin(context, guest, "stop")
        ladder = Ladder(context, guest)
        if not force:
            try:
                shut_down(context, guest, ladder, timeout)
            except KeyboardInterrupt:
                # It goes on shutting down by itself; the command that finds it ended tidies up.
                journal.settle(context, "stop", guest, guest)
                raise
        journal.dismantle("stop", ladder.to_run())
        after = msgspec.structs.replace(journal.stopped(guest), suspended=suspended)
        journal.settle(context, "stop", guest, after)
    return after


def shut_down(context: Context, guest: Guest, ladder: Ladder, timeout: float) -> None:
    """Ask the guest's system to end. A guest that does not is ended by the dismantling that follows."""
    assert guest.handle is not None
    try:
        with ladder.cards.keeping_devices(), interrupts.allowed():
            context.approach(guest.approach).stop(ladder.place, guest.handle, timeout)
    except TimedOut:
        return
