"""``start``: a stopped guest runs."""

import msgspec

from wirt.errors import WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal, stalls
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder

READY_SECONDS = 120.0


def start(
    context: Context,
    name: str,
    *,
    ready_seconds: float | None = READY_SECONDS,
    talks: bool = False,
    anew: bool = False,
) -> Guest:
    """Start a guest and return when a command can be run in it.

    Args:
        context: the home.
        name: the guest.
        ready_seconds: how long to wait for that; None to return as soon as its first process runs.
        talks: True to have its kernel say on the console all that it does.
        anew: True to start one that is suspended, which loses what it was doing; its checkpoint stays.

    Raises:
        NotFound, WrongState, Busy: nothing was changed; it runs, or is suspended.
        Failed: the engine could not start it; it is stopped as before.
        TimedOut: it runs, but did not become ready in time.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "start", guest.name)
        if not anew:
            check_not_suspended(guest)
        journal.begin(context, guest, "start")
        ladder = Ladder(context, guest)
        ladder.talks = talks
        journal.build(context, "start", guest, ladder.to_run(), otherwise=guest)
        running = as_running(context, guest, ladder)
        journal.settle(context, "start", guest, running)
    if ready_seconds is not None:
        wait_ready(context, running, ready_seconds)
    return running


def check_not_suspended(guest: Guest) -> None:
    """Check that a stopped guest has nothing to go on with.

    Raises:
        WrongState: it has.
    """
    if guest.suspended is not None:
        raise WrongState(
            f"guest {guest.name} is suspended, and a start would lose what it was doing",
            hint=f"let it go on: wirt resume {guest.name} {guest.suspended}; "
            f"or give that up: wirt start {guest.name} --anew",
        )


def as_running(context: Context, guest: Guest, ladder: Ladder) -> Guest:
    """Return the guest as it is when all steps are done."""
    return msgspec.structs.replace(
        guest,
        state=State.RUNNING,
        handle=ladder.handle,
        boot=context.boot_id,
        is_adjusted=False,
        suspended=None,
        ended=None,
    )


def wait_ready(context: Context, guest: Guest, timeout: float) -> None:
    """Return once a command can be run in a running guest; of one without a template nobody knows whether it ever can.

    Raises:
        TimedOut, Failed: it did not become ready; names its log.
    """
    assert guest.handle is not None
    if not guest.has_template:
        return
    place = context.home.place(guest.id)
    with stalls.explained(context, guest):
        context.approach(guest.approach).wait_ready(place, guest.handle, timeout)
