"""``start``: a stopped guest runs."""

import msgspec

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
) -> Guest:
    """Start a guest and return when a command can be run in it.

    Args:
        context: the home.
        name: the guest.
        ready_seconds: how long to wait for that; None to return as soon as its first process runs.
        talks: True to have its kernel say on the console all that it does.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: the engine could not start it; it is stopped as before.
        TimedOut: it runs, but did not become ready in time.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "start", guest.name)
        journal.begin(context, guest, "start")
        ladder = Ladder(context, guest)
        ladder.talks = talks
        journal.build(context, "start", guest, ladder.to_run(), otherwise=guest)
        running = as_running(context, guest, ladder)
        journal.settle(context, "start", guest, running)
    if ready_seconds is not None:
        wait_ready(context, running, ready_seconds)
    return running


def as_running(context: Context, guest: Guest, ladder: Ladder) -> Guest:
    """Return the guest as it is when all steps are done."""
    return msgspec.structs.replace(
        guest,
        state=State.RUNNING,
        handle=ladder.handle,
        boot=context.boot_id,
        is_adjusted=False,
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
