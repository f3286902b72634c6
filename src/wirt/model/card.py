"""A network card of a guest, and the private networks that cards are on, as data."""

import re
from enum import StrEnum

import msgspec

from wirt.errors import InvalidInput
from wirt.model.macs import is_of_many, read_mac
from wirt.model.rates import Rates
from wirt.model.route import Route

FIRST = "eth0"
"""What a guest's first card is called inside, where its kernel has no name of its own for it."""
VENET = "venet0"
"""What OpenVZ calls the card with a container's addresses."""
MOST_CARDS = 32
"""Beside the first."""
SMALLEST_MTU, LARGEST_MTU = 1280, 65535
"""Bytes: what IPv6 needs (RFC 8200), and what the node's cards can carry."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,14}")
_NODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,14}")


class CardKind(StrEnum):
    """What is at the other end of a card."""

    BRIDGED = "bridged"
    """The home's bridge, or a private network."""
    ROUTED = "routed"
    """The node alone, which has a route to each of its addresses."""
    DEVICE = "device"
    """Nothing of Wirt's: it is an interface of the node, which the guest has for as long as it runs."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One network card."""

    name: str = FIRST
    """As it is seen inside; of a device, as on the node too."""
    number: int = 0
    """Tells the cards of a guest apart on the node; 0 is the first."""
    kind: CardKind = CardKind.BRIDGED
    mac: str
    """Of a device empty: it keeps its own."""
    addresses: tuple[str, ...]
    """IPv4 and IPv6, the first one IPv4; what the network adds by itself is not among them. A first card that is routed may have none. Of
    a device, with their prefixes."""
    mtu: int | None = None
    """Bytes that a packet may have; None: as the network has it."""
    network: str | None = None
    """The private network that it is on; None: the home's bridge."""
    is_proxied: bool = False
    """It is routed, and the node answers for its addresses on its other networks."""
    rates: Rates = Rates()
    """Of a device none: it is out of Wirt's hands."""
    routes: tuple[Route, ...] = ()
    """Where it leads to besides the networks that it is on."""
    node_name: str = ""
    """What the node's end is called there beside its name of Wirt's; empty: nothing else."""
    node_mac: str = ""
    """Of the node's end; empty: the kernel chooses one at each start."""

    @property
    def is_device(self) -> bool:
        """Return whether it is an interface of the node, of which Wirt knows no more than that."""
        return self.kind is CardKind.DEVICE

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what a running guest cannot have changed of a card but by getting another in its place."""
        return (self.number, self.name, self.mac, self.network, self.node_name, self.node_mac)


def further_of(card: Card) -> tuple[str, ...]:
    """Return the addresses that were given to a card beside its first; a device has none of Wirt's."""
    return () if card.is_device else card.addresses[1:]


class PrivateNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge of a home's guests that reaches neither the node nor anything else."""

    name: str
    number: int
    """From 1; part of its bridge's name."""
    subnet: str
    """Where its IPv4 addresses are from."""


def check_mtu(mtu: int) -> int:
    """Return ``mtu`` if a card may have it.

    Raises:
        InvalidInput: it may not.
    """
    if not SMALLEST_MTU <= mtu <= LARGEST_MTU:
        raise InvalidInput(
            f"a card cannot have an MTU of {mtu}",
            hint=f"give {SMALLEST_MTU} to {LARGEST_MTU} bytes",
        )
    return mtu


_TAKEN = {
    "lo": "the loopback, which every guest has for itself",
    "all": "the kernel's word for all cards",
    "default": "the kernel's word for cards to come",
}


def check_card_name(name: str) -> str:
    """Return ``name`` if an interface may be called so.

    Raises:
        InvalidInput: it may not.
    """
    _check_not_taken(name)
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name!r} is not a name of a card",
            hint="use at most 15 letters, digits, hyphens and underscores, a letter first, such as eth1",
        )
    return name


def check_node_name(name: str) -> str:
    """Return ``name`` if the node's end of a card may be called so too.

    Raises:
        InvalidInput: it may not.
    """
    _check_not_taken(name)
    if _NODE_NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name!r} is not a name of an interface of the node",
            hint="use at most 15 letters, digits, dots, hyphens and underscores, a letter first, such as veth101.0",
        )
    return name


def _check_not_taken(name: str) -> None:
    """Check that a name means nothing else in a guest and on a node already."""
    taken = _TAKEN.get(name)
    if taken is not None:
        raise InvalidInput(f"{name!r} is {taken}", hint="choose another, such as eth1")


def check_mac(text: str) -> str:
    """Return a MAC as it is written normally, if a card may have it.

    Raises:
        InvalidInput: it is none, or one of a group.
    """
    mac = read_mac(text)
    if mac is None or is_of_many(mac) or mac == "00:00:00:00:00:00":
        raise InvalidInput(
            f"{text!r} is not the MAC of a card",
            hint="write six pairs of digits, such as 02:00:5e:00:53:01; the first pair is even",
        )
    return mac
