"""``rename``: another name for a guest."""

import msgspec

from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.names import check_name
from wirt.ops import guests
from wirt.ops.context import Context


def rename(context: Context, name: str, new: str) -> Guest:
    """Give a guest another name and return it. What runs keeps its host name until it is started again.

    Whatever a guest is made of carries its id and not its name, so this is one row change, and needs no journal.

    Raises:
        InvalidInput, NotFound, Conflict, Busy: nothing was changed.
    """
    check_name(new)
    with guests.held(context, name) as guest:
        next_state(guest.state, "rename", guest.name)
        renamed = msgspec.structs.replace(guest, name=new)
        context.store.settle(guest.id, renamed)
    return renamed
