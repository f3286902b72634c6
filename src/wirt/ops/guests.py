"""Finding a guest and holding on to it: what every verb on an existing guest begins with."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from wirt.approaches.base import Adjustable, HasScreen
from wirt.errors import Error
from wirt.host import lock, process
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.pool import Phase
from wirt.model.presence import Presence
from wirt.model.resources import DiskUsage
from wirt.ops import journal, reach
from wirt.ops.context import LOCK_SECONDS, Context
from wirt.ops.steps import Ladder
from wirt.storage.base import MeasuresRoots


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
            journal.recover(context, found)
            guest = context.store.find(name)
            if guest.id != found.id:
                continue  # another of the same name has been made meanwhile, and its lock is another
            if _has_ended(context, guest):
                guest = _bury(context, guest)
            yield guest
            return


def is_running(context: Context, guest: Guest) -> bool:
    """Return whether a guest that is said to run does: it may have powered off, died, or the node been restarted."""
    if guest.boot != context.boot_id or guest.handle is None:
        return False
    if guest.handle.pid is not None:
        return process.is_alive(guest.handle.pid, guest.handle.started)
    return context.approach(guest.approach).probe(context.home.place(guest.id)) is Presence.PRESENT


def observed(context: Context, guest: Guest) -> Guest:
    """Return the guest with the state that it really has; changes nothing."""
    return journal.stopped(guest) if _has_ended(context, guest) else guest


def disk_usage(context: Context, guest: Guest) -> DiskUsage | None:
    """Return how much of its disk a guest uses, None if its pool cannot say."""
    pool = context.pool(guest.pool)
    return pool.measure(guest.id) if isinstance(pool, MeasuresRoots) else None


def memory_kills(context: Context, guest: Guest) -> int | None:
    """Return how many processes of a running guest the node's kernel has ended for want of memory; None: nobody counts."""
    approach = context.approach(guest.approach)
    if not guest.state.is_up or not isinstance(approach, Adjustable):
        return None
    return approach.memory_kills(context.home.place(guest.id))


def screen_socket(context: Context, guest: Guest) -> str | None:
    """Return the path of the socket at which a guest's screen is served while it runs; None if it has none."""
    approach = context.approach(guest.approach)
    if not guest.has_screen or not isinstance(approach, HasScreen):
        return None
    return approach.screen_socket(context.home.place(guest.id))


def clean_up(context: Context) -> None:
    """Repair whatever dead processes left in this home; what living ones are doing is left alone.

    A guest that cannot be repaired stops nobody who wants another: its intent stays, and who asks for it is told why.
    """
    for intent in context.store.intents():
        with suppress(Error), context.guest_lock(intent.guest, wait=0):
            journal.recover(context, intent.guest)
    guests = context.store.guests()
    for guest in guests:
        if _has_ended(context, guest):
            with suppress(Error), held(context, guest.name, wait=0):
                pass  # to hold it is to bury it
    _destroy_orphans(context, [guest for guest in guests if guest.lives_with is not None])
    with suppress(Error):
        context.templates.clean_up()
    with suppress(Error):
        reach.recover(context)
    if any(pool.phase is not Phase.READY for pool in context.store.pools()):
        from wirt.ops.pool import clean_up as clean_up_pools

        clean_up_pools(context)
    lock.sweep(os.path.dirname(context.home.lock("any")))
    journal.remove_idle_network(context)


def _destroy_orphans(context: Context, orphans: Sequence[Guest]) -> None:
    """Destroy the guests of commands that were killed; those of living ones are held by their lock."""
    if not orphans:
        return
    from wirt.ops.destroy import destroy

    for guest in orphans:
        path = context.home.lock(str(guest.lives_with))
        with suppress(Error), lock.hold(path, f"guest {guest.name}", wait=0):
            destroy(context, guest.name, force=True)


def _has_ended(context: Context, guest: Guest) -> bool:
    if guest.state is State.MOUNTED:
        return guest.boot != context.boot_id  # what was mounted then is not any more
    return guest.state.is_up and not is_running(context, guest)


def _bury(context: Context, guest: Guest) -> Guest:
    """Take away what an ended guest left. A crash here leaves it said to run, and the next command comes here again."""
    journal.dismantle("bury", Ladder(context, guest).to_run())
    after = journal.stopped(guest)
    context.store.settle(guest.id, after)
    return after
