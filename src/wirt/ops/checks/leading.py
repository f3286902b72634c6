"""Whether a card can lead where it is to, before anything is done."""

from wirt.errors import Conflict, InvalidInput, Unsupported
from wirt.model.card import Card
from wirt.model.guest import Guest
from wirt.model.resources import NicKind
from wirt.model.route import MOST_ROUTES, Route, check_reachable
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps


def check_routes(context: Context, guest: Guest, card: Card, routes: tuple[Route, ...]) -> None:
    """Check that a card can have these routes, and no others.

    Raises:
        InvalidInput, Conflict, Unsupported: it cannot.
    """
    if not routes:
        return
    approach = context.approach(guest.approach)
    if approach.needs.nic is not NicKind.VETH:
        raise Unsupported(
            f"guest {guest.name} cannot be given routes: under {guest.approach} they are "
            f"{'the node' if approach.needs.nic is NicKind.ALIAS else 'its own system'}'s",
            hint="give it the approach lxc, or do it there",
        )
    if len(routes) > MOST_ROUTES:
        raise InvalidInput(
            f"card {card.name} cannot have {len(routes)} routes",
            hint=f"give at most {MOST_ROUTES}",
        )
    others = [(one.to, other) for other in guest.all_cards for one in other.routes]
    taken = {to: other.name for to, other in others if other.number != card.number}
    nic = CardSteps(context, guest).nic_of(card)
    gateways = [one for one in (nic.gateway, nic.gateway6) if one]
    for place, route in enumerate(routes):
        if route.to in [one.to for one in routes[:place]] or route.to in taken:
            raise Conflict(
                f"guest {guest.name} has a route to {route.to} already, by card "
                f"{taken.get(route.to, card.name)}",
                hint="remove that first",
            )
        check_reachable(card.name, route, nic.addresses, gateways)
