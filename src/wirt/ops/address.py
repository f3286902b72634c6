"""``address``: other addresses for a guest's first card, all at once."""

from collections.abc import Sequence

import msgspec

from wirt.model.card import CardKind
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import cards, guests
from wirt.ops.bridges import network_of
from wirt.ops.checks.leading import check_routes
from wirt.ops.context import Context


def set_addresses(
    context: Context, name: str, wanted: Sequence[str], *, may_be_bare: bool = False
) -> Guest:
    """Give the first card of a guest these addresses and no others, and return the guest.

    It must have an IPv4 address: without one that is wanted it gets the one that ``create`` would choose, or keeps that for later if
    none is wanted, ``may_be_bare`` says so, its card is routed and no ports lead to it. On the home's bridge that is
    the way that others know it by, so one that runs keeps it, and gets those that are wanted beside it; so does one that ports lead
    to.

    Raises:
        InvalidInput, NotFound, Unsupported, WrongState, Conflict, Busy: nothing was changed.
        Failed: its kernel refused; it has the addresses that it had.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        network = network_of(context, guest.card)
        has = (guest.address, *guest.addresses)
        checked = [
            one if one in has else cards.check_address(context, guest, one) for one in wanted
        ]
        first = next((one for one in checked if ":" not in one), None)
        if guest.state.is_up and (guest.card.kind is not CardKind.ROUTED or guest.forwards):
            address = guest.address
        elif first is not None and first in has:
            address = first
        else:
            taken = context.store.addresses() - set(has)
            address = network.choose_address(first, taken, guest.id)
        others = tuple(dict.fromkeys(one for one in checked if one != address))
        is_bare = may_be_bare and not checked and guest.is_routed and not guest.forwards
        changed = msgspec.structs.replace(
            guest, address=address, addresses=others, is_unaddressed=is_bare
        )
        check_routes(context, changed, changed.card, changed.routes)
        if changed == guest:
            return guest
        if guest.state.is_up:
            return cards.change(context, guest, changed)
        # They are made with its card at the next start, so this is one row change, and needs no journal.
        context.store.settle(guest.id, changed)
    return changed
