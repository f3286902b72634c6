"""``run``: a guest for one command: made, started, used, gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wirt.errors import Error
from wirt.host import interrupts
from wirt.host.run import STANDARD, Streams
from wirt.model.guest import Guest
from wirt.ops import execute, journal
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, claim, plan
from wirt.ops.start import READY_SECONDS, as_running, wait_ready
from wirt.ops.steps.ladder import Ladder


def run(
    context: Context,
    request: CreateRequest,
    argv: list[str],
    *,
    streams: Streams = STANDARD,
    ready_seconds: float = READY_SECONDS,
    made: Callable[[Guest], None] = lambda guest: None,
) -> int:
    """Run a command in a guest made for it and return the command's exit status.

    It is one operation in the journal: whatever happens, at its end or at the next command nothing of the guest is left.

    Args:
        context: the home.
        request: the guest.
        argv: the command.
        streams: where its output goes.
        ready_seconds: how long the guest may take to come up.
        made: told of the guest before the command is run.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported: the guest cannot be made.
        Failed, TimedOut: it could not be started or did not become ready.
    """
    guest = plan(context, request)
    with context.guest_lock(guest), _without_log(context.home.place(guest.id).log):
        guest = claim(context, request, guest, "run")
        ladder = Ladder(context, guest)
        steps = ladder.to_exist() + ladder.to_run()
        journal.build(context, "run", guest, steps, otherwise=None)
        try:
            with interrupts.allowed():
                running = as_running(context, guest, ladder)
                made(running)
                wait_ready(context, running, ready_seconds)
                status = execute.execute_in(context, running, argv, streams=streams)
        finally:
            journal.dismantle("run", steps)
            journal.settle(context, "run", guest, None)
    return status


@contextmanager
def _without_log(log: str) -> Iterator[None]:
    """Send nobody to the log of a guest that is gone with it."""
    try:
        yield
    except Error as error:
        if error.hint and log in error.hint:
            error.hint = "the log went with the guest; to keep both use wirt create and wirt start"
        raise
