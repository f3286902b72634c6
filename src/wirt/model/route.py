"""A route of a guest: where to, and by whom, as data."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network

import msgspec

from wirt.errors import InvalidInput

MOST_ROUTES = 64
"""Of one card."""
_USUAL = "write it as NETWORK=GATEWAY, such as 192.0.2.0/24=10.64.16.9"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What leads from a guest's card to a network that it is not on."""

    to: str
    """A network with its prefix, IPv4 or IPv6."""
    via: str
    """The address of who leads there, whom the card reaches without a route."""

    def __str__(self) -> str:
        """Return it as ``ip`` writes it."""
        return f"{self.to} via {self.via}"


def read_network(text: str) -> str:
    """Return a network as it is written normally.

    Raises:
        InvalidInput: it is none, or all of them.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not a network", hint="write one such as 192.0.2.0/24, or one address"
        ) from None
    if network.prefixlen == 0:
        raise InvalidInput(
            "the way to everywhere is that of the guest's first card",
            hint="give two halves, which come before it, such as 0.0.0.0/1 and 128.0.0.0/1",
        )
    return str(network)


def read_route(text: str) -> Route:
    """Return the route that is written as ``NETWORK=GATEWAY``.

    Raises:
        InvalidInput: it is none.
    """
    to, equals, via = text.partition("=")
    if not equals:
        raise InvalidInput(f"{text!r} is not a route", hint=_USUAL)
    try:
        gateway = ip_address(via)
    except ValueError:
        raise InvalidInput(f"{via!r} is not the address of a gateway", hint=_USUAL) from None
    network = read_network(to)
    if (":" in network) != (gateway.version == 6):
        raise InvalidInput(f"{via} cannot lead to {network}: one is IPv6", hint=_USUAL)
    return Route(to=network, via=str(gateway))


def check_reachable(card: str, route: Route, has: Iterable[str], gateways: Iterable[str]) -> None:
    """Check that a card reaches a route's gateway by itself.

    Args:
        card: its name.
        route: the route.
        has: the card's addresses, with prefixes.
        gateways: whom it reaches besides.

    Raises:
        InvalidInput: it does not, or the gateway would be the guest itself.
    """
    via = ip_address(route.via)
    networks = [ip_interface(one) for one in has]
    if any(one.ip == via for one in networks):
        raise InvalidInput(
            f"{route.via} is an address of card {card} itself", hint="name another as the gateway"
        )
    if route.via in gateways or any(via in one.network for one in networks):
        return
    reached = [
        *(one for one in gateways if ip_address(one).version == via.version),
        *(str(one.network) for one in networks if one.version == via.version),
    ]
    raise InvalidInput(
        f"card {card} does not reach the gateway {route.via}",
        hint=f"choose one of {', '.join(reached)}" if reached else "give it an address first",
    )
