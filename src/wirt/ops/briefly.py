"""A stopped guest that runs for as long as something is done in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from wirt.host import interrupts
from wirt.model.guest import Guest
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.start import READY_SECONDS, as_running, check_not_suspended, wait_ready
from wirt.ops.steps.ladder import Ladder
from wirt.ops.stop import ORDERLY_SECONDS, shut_down


@contextmanager
def running(context: Context, guest: Guest, verb: str) -> Iterator[Guest]:
    """Start a stopped guest whose lock is held, give it as it runs, and stop it when the block has ended.

    What is done in the block may be interrupted. If it is, or fails, the guest is ended at once. A crash leaves it running
    under an intent: the next command ends it.

    Raises:
        WrongState: it is suspended; nothing was changed.
        Failed, TimedOut: it could not be started, or did not become ready; it is stopped.
    """
    check_not_suspended(guest)
    journal.begin(context, guest, verb)
    ladder = Ladder(context, guest)
    steps = ladder.to_run()
    journal.build(context, verb, guest, steps, otherwise=guest)
    try:
        begun = as_running(context, guest, ladder)
        with interrupts.allowed():
            wait_ready(context, begun, READY_SECONDS)
            journal.reached(f"{verb}:running")
            yield begun
        shut_down(context, begun, ladder, ORDERLY_SECONDS)
    finally:
        journal.dismantle(verb, steps)
        journal.settle(context, verb, guest, guest)
