"""Private networks: bridges on which guests of this home reach each other and nothing else."""

from wirt.errors import Conflict, InvalidInput, WrongState
from wirt.model.card import PrivateNetwork
from wirt.model.guest import Guest
from wirt.model.names import check_name, enumerate_guests
from wirt.ops.bridges import find_network, keep_networks, list_networks
from wirt.ops.context import Context
from wirt.ops.journal import reached

MOST_NETWORKS = 60


def add_network(context: Context, name: str, subnet: str | None = None) -> PrivateNetwork:
    """Make a private network and return it. Its bridge is made when the first guest that is on it starts.

    Args:
        context: the home.
        name: what it is called.
        subnet: where its addresses are from; None: it is chosen.

    Raises:
        InvalidInput, Conflict, Busy: nothing was changed.
    """
    check_name(name, "network")
    with context.network_lock():
        there = list_networks(context)
        if any(one.name == name for one in there):
            raise Conflict(f"there is a network {name} already", hint="choose another name")
        number = next(
            number
            for number in range(1, MOST_NETWORKS + 2)
            if all(one.number != number for one in there)
        )
        if number > MOST_NETWORKS:
            raise InvalidInput(
                f"there are {MOST_NETWORKS} private networks already", hint="remove one first"
            )
        chosen = context.network.choose_private(subnet, [one.subnet for one in there])
        made = PrivateNetwork(name=name, number=number, subnet=chosen)
        keep_networks(context, [*there, made])
    return made


def remove_network(context: Context, name: str) -> None:
    """Remove a private network that no guest has a card on.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: its bridge could not be deleted.
    """
    with context.network_lock():
        found = find_network(context, name)
        using = sorted({guest.name for guest in _all_guests(context) if is_on(guest, name)})
        if using:
            raise WrongState(
                f"network {name} is used by {enumerate_guests(using)}",
                hint="remove their cards first: wirt card remove",
            )
        # A crash in between leaves a network without a bridge, as one on which no guest has started.
        context.private(found).remove()
        reached("network-remove:after-bridge")
        keep_networks(context, [one for one in list_networks(context) if one.name != name])


def is_on(guest: Guest, name: str) -> bool:
    """Return whether a guest has a card on a private network."""
    return any(card.network == name for card in guest.cards)


def _all_guests(context: Context) -> list[Guest]:
    return [*context.store.guests(), *(intent.guest for intent in context.store.intents())]
