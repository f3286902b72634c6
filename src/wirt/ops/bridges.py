"""Which network a card is on: the home's bridge, or a private network by its name."""

import msgspec

from wirt.errors import NotFound
from wirt.model.card import Card, PrivateNetwork
from wirt.model.guest import Guest
from wirt.network.base import Network
from wirt.ops.context import Context

_SETTING = "networks"


def list_networks(context: Context) -> list[PrivateNetwork]:
    """Return the home's private networks by name."""
    kept = context.store.setting(_SETTING)
    return [] if kept is None else msgspec.json.decode(kept, type=list[PrivateNetwork])


def find_network(context: Context, name: str) -> PrivateNetwork:
    """Return a private network.

    Raises:
        NotFound: there is none of this name.
    """
    for one in list_networks(context):
        if one.name == name:
            return one
    raise NotFound(f"there is no network {name}", hint="see wirt network list")


def networks_of(context: Context, guest: Guest) -> tuple[PrivateNetwork, ...]:
    """Return the private networks that a guest has cards on.

    Raises:
        NotFound: one of them is not there.
    """
    names = {card.network for card in guest.cards if card.network is not None}
    return tuple(find_network(context, name) for name in sorted(names))


def network_of(context: Context, card: Card) -> Network:
    """Return the network that a card is on.

    Raises:
        NotFound: it is on a private one that is not there.
    """
    if card.network is None:
        return context.network
    return context.private(find_network(context, card.network))


def remove_bridges(context: Context) -> None:
    """Take the bridges of all private networks away; no error if they are gone."""
    for one in list_networks(context):
        context.private(one).remove()


def keep_networks(context: Context, networks: list[PrivateNetwork]) -> None:
    """Keep the home's private networks, in the place of those that it has; the network's lock is held."""
    by_name = sorted(networks, key=lambda one: one.name)
    context.store.change(_SETTING, msgspec.json.encode(by_name).decode())
