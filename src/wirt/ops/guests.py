"""Finding a guest and holding on to it: what every verb on an existing guest begins with."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wirt.errors import NotFound
from wirt.host import process
from wirt.model.card import Card
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.context import LOCK_SECONDS, Context


@contextmanager
def held(context: Context, name: str, *, wait: float = LOCK_SECONDS) -> Iterator[Guest]:
    """Hold the lock of the guest called ``name`` and give it as it really is, repaired if need be.

    Raises:
        NotFound: there is no such guest, or it was being made by a process that died.
        Busy: another command holds it.
    """
    while True:
        found = context.store.find(name)
        with context.guest_lock(found, wait=wait):
            # It may have changed, or gone, while we waited for the lock.
            if context.store.intent(found.id) is not None:
                context.recover(context, found)
            guest = context.store.find(name)
            if guest.id != found.id:
                continue  # another of the same name has been made meanwhile, and its lock is another
            if has_ended(context, guest):
                guest = _bury(context, guest)
            yield guest
            return


def find_card(guest: Guest, name: str) -> Card:
    """Return the card of this name, the first among them.

    Raises:
        NotFound: the guest has none.
    """
    for card in guest.all_cards:
        if card.name == name:
            return card
    raise NotFound(
        f"guest {guest.name} has no card {name}", hint=f"see wirt card list {guest.name}"
    )


def is_running(context: Context, guest: Guest) -> bool:
    """Return whether a guest that is said to run does: it may have powered off, died, or the node been restarted."""
    if guest.boot != context.boot_id or guest.handle is None:
        return False
    if guest.handle.pid is not None:
        return process.is_alive(guest.handle.pid, guest.handle.started)
    return context.approach(guest.approach).probe(context.home.place(guest.id)) is Presence.PRESENT


def observed(context: Context, guest: Guest) -> Guest:
    """Return the guest with the state that it really has; changes nothing."""
    return _ended(context, guest) if has_ended(context, guest) else guest


def has_ended(context: Context, guest: Guest) -> bool:
    """Return whether a guest that is said to be up is not any more, so that to hold it is to bury it."""
    if guest.state is State.MOUNTED:
        return guest.boot != context.boot_id  # what was mounted then is not any more
    return guest.state.is_up and not is_running(context, guest)


def _bury(context: Context, guest: Guest) -> Guest:
    """Take away what an ended guest left. A crash here leaves it said to run, and the next command comes here again."""
    # Loaded here, and below: few guests end by themselves.
    from wirt.ops.steps.ladder import Ladder

    after = _ended(context, guest)
    journal.dismantle("bury", Ladder(context, guest).to_run())
    context.store.settle(guest.id, after)
    return after


def _ended(context: Context, guest: Guest) -> Guest:
    """Return a guest that has ended by itself, stopped, with the reason if there is one to be found."""
    from wirt.approaches.faults import KnowsPanics

    approach, reason = context.approach(guest.approach), None
    if isinstance(approach, KnowsPanics):
        reason = approach.find_panic(context.home.place(guest.id))
    return msgspec.structs.replace(journal.stopped(guest), ended=reason)
