"""Which addresses a home's guests may have: pure rules.

A home has one private /20 (4,093 guests). Which one follows from its tag, so that two homes on one machine rarely meet;
where they would, or where the node has a route there already, the next one is taken.
"""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from wirt.errors import Failed, InvalidInput

PREFIX = 20
_SPACE = IPv4Network("10.64.0.0/10")


def choose_subnet(tag: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """Return the subnet of the home with this tag, clear of every network in ``taken``.

    Raises:
        Failed: all of 10.64.0.0/10 is taken.
    """
    used = list(taken)
    count = 2 ** (PREFIX - _SPACE.prefixlen)
    start = sum(ord(letter) * 26**place for place, letter in enumerate(tag)) % count
    for step in range(count):
        offset = ((start + step) % count) << (32 - PREFIX)
        subnet = IPv4Network((int(_SPACE.network_address) + offset, PREFIX))
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise Failed("every subnet of 10.64.0.0/10 has a route on this node")


def gateway(subnet: IPv4Network) -> str:
    """Return the node's own address in the subnet: the first."""
    return str(subnet.network_address + 1)


def check_address(text: str, subnet: IPv4Network) -> str:
    """Return ``text`` if a guest of this home may have it.

    Raises:
        InvalidInput: no address, outside the subnet, or the network's, broadcast or node's own.
    """
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise InvalidInput(
            f"{text!r} is not an IPv4 address", hint=f"choose one of {subnet} or leave it out"
        ) from None
    if address not in subnet:
        raise InvalidInput(
            f"address {text} is not ours", hint=f"choose one of {subnet} or leave it out"
        )
    if address in (subnet.network_address, subnet.broadcast_address) or text == gateway(subnet):
        raise InvalidInput(
            f"address {text} belongs to the network itself",
            hint=f"choose another of {subnet} or leave it out",
        )
    return text


def free_address(subnet: IPv4Network, taken: set[str], guest_id: str) -> str:
    """Return the address that the guest's id stands for, or the next one that no guest has.

    Not the lowest: an address that is given again at once has another card behind it, and for half a minute the node
    would send to the old one (its neighbour table).

    Raises:
        Failed: all are taken.
    """
    first = int(subnet.network_address) + 2
    count = int(subnet.broadcast_address) - first
    for step in range(count):
        address = str(IPv4Address(first + (int(guest_id, 16) + step) % count))
        if address not in taken:
            return address
    raise Failed(f"every address of {subnet} is taken", hint="destroy a guest that is not needed")


def mac_of(tag: str, guest_id: str) -> str:
    """Return the MAC of a guest's card: locally administered, made of the home's tag and the guest's id."""
    head = sum((ord(letter) - ord("a")) * 26**place for place, letter in enumerate(tag)) % 65536
    digits = f"02{head:04x}{guest_id}"
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
