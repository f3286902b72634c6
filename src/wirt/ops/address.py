"""``address``: another address for a stopped guest."""

import msgspec

from wirt.errors import WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.bridges import network_of
from wirt.ops.context import Context


def set_address(context: Context, name: str, address: str | None) -> Guest:
    """Give a stopped guest another address, None for one that is chosen, and return the guest.

    It is made with its card at the next start, so this is one row change, and needs no journal.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Busy: nothing was changed.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        taken = context.store.addresses() - {guest.address}
        chosen = network_of(context, guest.card).choose_address(address, taken, guest.id)
        if chosen == guest.address:
            return guest
        if guest.state.is_up:
            raise WrongState(
                f"guest {guest.name} is running, and its card keeps its address",
                hint="stop it first",
            )
        changed = msgspec.structs.replace(guest, address=chosen)
        context.store.settle(guest.id, changed)
    return changed
