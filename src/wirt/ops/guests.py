"""Finding a guest and holding on to it: what every verb on an existing guest begins with."""

from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import Busy
from wirt.host import process
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps import Ladder


@contextmanager
def held(context: Context, name: str) -> Iterator[Guest]:
    """Hold the lock of the guest called ``name`` and give it as it really is, repaired if need be.

    Raises:
        NotFound: there is no such guest, or it was being made by a process that died.
        Busy: another command holds it.
    """
    found = context.store.find(name)
    with context.guest_lock(found):
        # It may have changed, or gone, while we waited for the lock.
        journal.recover(context, found)
        guest = context.store.find(name)
        if guest.state is State.RUNNING and not is_running(context, guest):
            guest = _bury(context, guest)
        yield guest


def is_running(context: Context, guest: Guest) -> bool:
    """Return whether a guest that is said to run does: it may have powered off, died, or the node been restarted."""
    if guest.boot != context.boot_id or guest.handle is None:
        return False
    if guest.handle.pid is not None:
        return process.is_alive(guest.handle.pid, guest.handle.started)
    return context.approach(guest.approach).probe(context.home.place(guest.id)) is Presence.PRESENT


def observed(context: Context, guest: Guest) -> Guest:
    """Return the guest with the state that it really has; changes nothing."""
    if guest.state is State.RUNNING and not is_running(context, guest):
        return journal.stopped(guest)
    return guest


def clean_up(context: Context) -> None:
    """Repair whatever dead processes left in this home; what living ones are doing is left alone."""
    for intent in context.store.intents():
        try:
            with context.guest_lock(intent.guest, wait=0):
                journal.recover(context, intent.guest)
        except Busy:
            continue
    journal.remove_idle_network(context)


def _bury(context: Context, guest: Guest) -> Guest:
    """Take away what an ended guest left. A crash here leaves it said to run, and the next command comes here again."""
    journal.dismantle("bury", Ladder(context, guest).to_run())
    after = journal.stopped(guest)
    context.store.settle(guest.id, after)
    return after
