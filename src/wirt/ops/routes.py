"""Routes of a guest's cards: networks that others lead to. ``set`` says so of the first card, ``set_routes`` of any."""

import msgspec

from wirt.errors import NotFound
from wirt.model.card import Card
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.route import Route, read_network
from wirt.ops import cards, guests
from wirt.ops.checks.leading import check_routes
from wirt.ops.context import Context

ALL = "all"
"""In the place of a network whose route is to go: all."""


class RoutesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change."""

    add: tuple[Route, ...] = ()
    remove: tuple[str, ...] = ()
    """Networks that nobody is to lead to any more."""


def set_routes(
    context: Context, name: str, card: str, request: RoutesRequest
) -> tuple[Guest, Card]:
    """Give the card of this name other routes, at once if the guest runs, and return both; they are kept.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, WrongState, Busy: nothing was changed.
        Failed: its kernel refused; it has the routes that it had.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        found = guests.find_card(guest, card)
        routes = changed(context, guest, found, request)
        after = cards.change(context, guest, given(guest, found, routes))
    return after, next(one for one in after.all_cards if one.number == found.number)


def given(guest: Guest, card: Card, routes: tuple[Route, ...]) -> Guest:
    """Return a guest as it is with these routes of a card."""
    if card.number == 0:
        return msgspec.structs.replace(guest, routes=routes)
    led = msgspec.structs.replace(card, routes=routes)
    return msgspec.structs.replace(
        guest, cards=tuple(led if one == card else one for one in guest.cards)
    )


def changed(
    context: Context, guest: Guest, card: Card, request: RoutesRequest
) -> tuple[Route, ...]:
    """Return the routes that a card is to have, once they have been found to be possible.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported: they cannot be.
    """
    left = list(card.routes)
    for text in request.remove:
        if text == ALL:
            left = []
            continue
        network = read_network(text)
        route = next((one for one in left if one.to == network), None)
        if route is None:
            raise NotFound(
                f"card {card.name} of guest {guest.name} has no route to {network}",
                hint=f"see wirt show {guest.name}",
            )
        left.remove(route)
    routes = (*left, *request.add)
    check_routes(context, guest, card, routes)
    return routes
