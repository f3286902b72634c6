"""Which addresses a home's guests may have: pure rules.

A home has one private /20 (4,093 guests). Which one follows from its tag, so that two homes on one machine rarely meet;
where they would, or where the node has a route there already, the next one is taken.

Its IPv6 range, a /64 of unique local addresses (RFC 4193), follows from that subnet, and a guest's IPv6 address from its IPv4
address, which is its last 32 bits. So there is nothing more to keep or to choose, and two nodes with one subnet have one range.
"""

import zlib
from collections.abc import Iterable
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

from wirt.errors import Failed, InvalidInput
from wirt.model.card import Card
from wirt.model.resources import Nic, NicKind

PREFIX = 20
PREFIX6 = 64
ROUTER, ROUTER6 = "169.254.1.1", "fe80::1"
"""The node, as a routed card sees it: addresses that mean it on that card alone (RFC 3927, RFC 4291)."""
FIRST_TABLE = 7000
"""What the numbers of routing tables of further routed cards begin with, in a guest."""
_SPACE = IPv4Network("10.64.0.0/10")
_BEYOND = IPv4Network("240.0.0.0/4")
"""What is reserved, and the broadcast address."""


def check_subnet(text: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """Return the subnet that a private network is to have.

    Raises:
        InvalidInput: it is none, too small or too large, not private, or overlaps one in ``taken``.
    """
    try:
        subnet = IPv4Network(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not an IPv4 subnet", hint="write one such as 192.168.7.0/24"
        ) from None
    if not 16 <= subnet.prefixlen <= 29 or not subnet.is_private or subnet.is_loopback:
        raise InvalidInput(
            f"{subnet} cannot be a private network's",
            hint="choose a private one of /16 to /29, such as 192.168.7.0/24",
        )
    for other in taken:
        if subnet.overlaps(other):
            raise InvalidInput(
                f"{subnet} overlaps {other}, which guests or this node have already",
                hint="choose another or leave --subnet out",
            )
    return subnet


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


def range_of(subnet: IPv4Network) -> IPv6Network:
    """Return the IPv6 range of the home with this subnet."""
    seed = str(subnet).encode()
    number = zlib.crc32(seed) << 8 | zlib.crc32(b"wirt " + seed) & 0xFF
    return IPv6Network(((0xFD << 40 | number) << 80, PREFIX6))


def follower(range6: IPv6Network, address: str) -> str:
    """Return the IPv6 address of whoever has this IPv4 address."""
    return str(range6.network_address + int(IPv4Address(address)))


def gateway6(range6: IPv6Network) -> str:
    """Return the node's own address in the range: the first."""
    return str(range6.network_address + 1)


def link_local(mac: str) -> str:
    """Return the address that a card with this MAC gives itself.

    Source: RFC 4291, appendix A.
    """
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + interface))


def check_further(text: str, subnet: IPv4Network, range6: IPv6Network) -> str:
    """Return ``text``, as it is written normally, if a guest of this home may have it beside its first address.

    Raises:
        InvalidInput: no address, or none of ours; or an IPv6 address that is the node's, or follows from an IPv4 address.
    """
    if ":" not in text:
        return check_address(text, subnet)
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise InvalidInput(
            f"{text!r} is not an IP address", hint=f"choose one of {subnet} or {range6}"
        ) from None
    if address.scope_id is not None or address not in range6:
        raise InvalidInput(
            f"address {text} is not ours", hint=f"choose one of {subnet} or {range6}"
        )
    offset = int(address) - int(range6.network_address)
    if offset in (0, 1):
        raise InvalidInput(
            f"address {text} belongs to the network itself", hint=f"choose another of {range6}"
        )
    if offset < 1 << 32 and IPv4Address(offset) in subnet:
        raise InvalidInput(
            f"address {text} is that of whoever has {IPv4Address(offset)}",
            hint=f"choose another of {range6}, such as {range6.network_address + 0x80}",
        )
    return str(address)


def check_routed(text: str, subnet: IPv4Network, range6: IPv6Network) -> str:
    """Return ``text``, as it is written normally, if a routed card may have it: one of ours, or any that one guest can have.

    Raises:
        InvalidInput: it is no address, or no single guest's.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not an IP address", hint="write one such as 203.0.113.7"
        ) from None
    if address in subnet or address in range6:
        return check_further(text, subnet, range6)
    if (
        address.is_loopback
        or address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or address in _BEYOND
        or "%" in text
    ):
        raise InvalidInput(
            f"address {text} cannot be routed to a guest",
            hint=f"choose one of {subnet} or {range6}, or one that the node's neighbours send it packets for",
        )
    return str(address)


def nic_of(
    card: Card,
    kind: NicKind,
    *,
    interface: str,
    bridge: str,
    subnet: IPv4Network,
    range6: IPv6Network | None,
    is_private: bool = False,
    is_routed: bool = False,
) -> Nic:
    """Return a card as a value: with the IPv6 address that follows from its first one, and prefixes and gateways.

    Args:
        card: as it is kept.
        kind: how it is joined to the bridge.
        interface: its name on the node.
        bridge: what it is on.
        subnet: where its IPv4 addresses are from.
        range6: where its IPv6 addresses are from; None: it gets none.
        is_private: whether its bridge reaches not even the node.
        is_routed: whether it meets the node alone.
    """
    prefix, prefix6 = (32, 128) if is_routed else (subnet.prefixlen, PREFIX6)
    way = ROUTER if is_routed else gateway(subnet)
    way6 = None
    if range6 is not None:
        way6 = ROUTER6 if is_routed else gateway6(range6)
    # The first card is the way to elsewhere; a further routed one is that of its own addresses alone.
    leads_out = bool(card.addresses) and (card.number == 0 or is_routed)
    first, *others = card.addresses or ("",)
    further = [f"{one}/{prefix}" for one in others if ":" not in one]
    if range6 is not None and first:
        others = [follower(range6, first), *(one for one in others if ":" in one)]
        further += [f"{one}/{prefix6}" for one in others]
    return Nic(
        kind=kind,
        name=card.name,
        number=card.number,
        interface=interface,
        bridge=bridge,
        mac=card.mac,
        address=first,
        prefix=prefix,
        gateway=way if leads_out else None,
        table=FIRST_TABLE + card.number if is_routed and card.number else None,
        is_private=is_private,
        is_routed=is_routed,
        proxied=_proxied(card, subnet, range6) if is_routed and card.is_proxied else (),
        further=tuple(further),
        has_ipv6=range6 is not None,
        gateway6=way6 if leads_out else None,
        mtu=card.mtu,
        routes=card.routes,
        node_name=card.node_name,
        node_mac=card.node_mac,
    )


def _proxied(card: Card, subnet: IPv4Network, range6: IPv6Network | None) -> tuple[str, ...]:
    """Return the addresses of a card that somebody outside may look for: those of the home's own ranges nobody does."""
    return tuple(
        one
        for one in card.addresses
        if (
            ip_address(one) not in subnet
            if ":" not in one
            else range6 and ip_address(one) not in range6
        )
    )


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


def mac_of(tag: str, guest_id: str, card: int = 0) -> str:
    """Return the MAC of a guest's card: locally administered, made of the home's tag, the guest's id and the card's number."""
    head = sum((ord(letter) - ord("a")) * 26**place for place, letter in enumerate(tag)) % 65536
    digits = f"{2 + 4 * card:02x}{head:04x}{guest_id}"
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
