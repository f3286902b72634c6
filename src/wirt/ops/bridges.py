"""Which network a card is on: the home's bridge, that of routed cards, or a private network by its name."""

import msgspec

from wirt.errors import NotFound
from wirt.host import links
from wirt.model.card import Card, CardKind, PrivateNetwork
from wirt.model.guest import Guest
from wirt.model.names import routed_bridge_name
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
    if card.kind is CardKind.ROUTED:
        return context.routed()
    if card.network is None:
        return context.network
    return context.private(find_network(context, card.network))


def has_routed(context: Context) -> bool:
    """Return whether there is the bridge of routed cards, without loading what it takes to make one."""
    return links.exists(routed_bridge_name(context.home.tag))


def remove_bridges(context: Context) -> None:
    """Take all bridges but the home's own away; no error if they are gone."""
    if has_routed(context):
        context.routed().remove()
    for one in list_networks(context):
        context.private(one).remove()


def keep_networks(context: Context, networks: list[PrivateNetwork]) -> None:
    """Keep the home's private networks, in the place of those that it has; the network's lock is held."""
    by_name = sorted(networks, key=lambda one: one.name)
    context.store.change(_SETTING, msgspec.json.encode(by_name).decode())
