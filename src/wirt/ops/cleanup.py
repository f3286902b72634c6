"""The home as a whole, repaired after whoever died in it: guests, pools, templates and what guests share."""

import os
from collections.abc import Sequence
from contextlib import suppress

from wirt.errors import Error
from wirt.host import lock
from wirt.model.guest import Guest
from wirt.model.pool import Phase
from wirt.ops import journal, reach
from wirt.ops.context import Context
from wirt.ops.guests import has_ended, held


def clean_up(context: Context) -> None:
    """Repair whatever dead processes left in this home; what living ones are doing is left alone.

    A guest that cannot be repaired stops nobody who wants another: its intent stays, and who asks for it is told why.
    """
    for intent in context.store.intents():
        with suppress(Error), context.guest_lock(intent.guest, wait=0):
            context.recover(context, intent.guest)
    guests = context.store.guests()
    for guest in guests:
        if has_ended(context, guest):
            with suppress(Error), held(context, guest.name, wait=0):
                pass  # to hold it is to bury it
    _destroy_orphans(context, [guest for guest in guests if guest.lives_with is not None])
    if os.path.isdir(context.home.second.data):
        # Loaded here: there is seldom one.
        from wirt.ops.secondhome import sweep

        sweep(context)
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
