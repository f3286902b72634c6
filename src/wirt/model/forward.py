"""A port forward: ports of the node that lead to a guest."""

import re
from ipaddress import ip_address
from typing import Literal

import msgspec

from wirt.errors import InvalidInput

LAST_PORT = 65535
MOST_PORTS = 1000
"""Of one forward: each is an element of the kernel's map."""

_BRACKETED = re.compile(r"\[([^]]*)\]:(.*)")
"""An IPv6 address, and what is behind it."""
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of the node, one or several in a row, that lead to as many of a guest."""

    protocol: Literal["tcp", "udp"] = "tcp"
    address: str | None = None
    """The node's address that they are of; None: each that it has."""
    port: int
    """The first on the node."""
    guest_port: int
    """The first in the guest."""
    count: int = 1

    def __str__(self) -> str:
        """Render it as ``parse_forward`` reads it."""
        address = f"{self.address}:" if self.address else ""
        if self.address and ":" in self.address:
            address = f"[{self.address}]:"
        ports = (_ports(first, self.count) for first in (self.port, self.guest_port))
        return f"{address}{':'.join(ports)}/{self.protocol}"

    def overlaps(self, other: "Forward") -> bool:
        """Return whether some port would lead to two places."""
        return (
            self.protocol == other.protocol
            and self.port < other.port + other.count
            and other.port < self.port + self.count
            and (self.address is None or other.address in (None, self.address))
        )


def parse_forward(text: str) -> Forward:
    """Return what ``[ADDRESS:]PORTS[:PORTS][/PROTOCOL]`` says, as 8080:80, 192.0.2.2:5000-5009:5000-5009/udp or [2001:db8::2]:8080:80.

    Raises:
        InvalidInput: it cannot be read, or names ports or an address that cannot be forwarded.
    """
    rest, _, protocol = text.partition("/")
    bracketed = _BRACKETED.fullmatch(rest)
    parts = [bracketed[1], *bracketed[2].split(":")] if bracketed else rest.split(":")
    if protocol not in ("", "tcp", "udp"):
        raise InvalidInput(f"{protocol!r} cannot be forwarded", hint="write tcp or udp")
    if len(parts) > 3 or (bracketed and len(parts) != 3) or ("/" in text and not protocol):
        raise _unreadable(text)
    address = _check_address(parts.pop(0)) if len(parts) == 3 else None
    ranges = [_parse_ports(part, text) for part in parts]
    (port, count), (guest_port, guest_count) = ranges[0], ranges[-1]
    if count != guest_count:
        raise InvalidInput(
            f"{count} ports cannot lead to {guest_count}", hint="give as many on both sides"
        )
    if count > MOST_PORTS:
        raise InvalidInput(
            f"{count} ports are too many for one forward", hint=f"give at most {MOST_PORTS}"
        )
    return Forward(
        protocol="udp" if protocol == "udp" else "tcp",
        address=address,
        port=port,
        guest_port=guest_port,
        count=count,
    )


def _parse_ports(text: str, whole: str) -> tuple[int, int]:
    """Return the first port and how many there are."""
    found = _PORTS.fullmatch(text)
    if found is None:
        raise _unreadable(whole)
    first = int(found[1])
    last = int(found[2] or first)
    for port in (first, last):
        if not 1 <= port <= LAST_PORT:
            raise InvalidInput(f"there is no port {port}", hint=f"ports are 1 to {LAST_PORT}")
    if last < first:
        raise InvalidInput(f"the ports {text} run backwards", hint="put the lower one first")
    return first, last - first + 1


def _check_address(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not an IP address", hint="name one of the node's or leave it out"
        ) from None
    if address.is_unspecified:
        return None
    if (
        address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or text == "255.255.255.255"
    ):
        raise InvalidInput(
            f"ports of {text} cannot be forwarded: nobody outside reaches it",
            hint="name another address of the node's or leave it out",
        )
    return str(address)


def _unreadable(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text!r} is not a port forward",
        hint="write the node's port and the guest's, such as 8080:80, 5000-5009:5000-5009/udp or "
        "192.0.2.2:8080:80",
    )


def _ports(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"
