"""``autostart``: whether, and in which place, a guest is started with the node."""

import msgspec

from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context

DEFAULT_ORDER = 50
LAST_ORDER = 999


def set_autostart(context: Context, name: str, order: int | None) -> Guest:
    """Give a guest its place among those that are started with the node, None for none, and return it.

    It is one row change, and needs no journal.

    Raises:
        NotFound, Busy: nothing was changed.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        changed = msgspec.structs.replace(guest, boot_order=order)
        context.store.settle(guest.id, changed)
    return changed
