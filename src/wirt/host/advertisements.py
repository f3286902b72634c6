"""What tells neighbours that nobody has asked where an IPv6 address is now: an unsolicited neighbour advertisement."""

import socket
import struct

_ETHERTYPE = 0x86DD
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_TO_ALL = b"\x33\x33" + _ALL_NODES[-4:]
_ICMPV6, _ADVERTISEMENT = 58, 136
_HOPS = 255
"""Of another number it has come from beyond a router, and is not believed."""
_OVERRIDE = 1 << 29
"""In the place of what neighbours know."""
_TARGET_MAC, _UNITS = 2, 1
"""Source: RFC 4861, sections 4.4 and 7.2.6; of the checksum RFC 8200, section 8.1."""


def advertisement(mac: bytes, address: str) -> bytes:
    """Return the frame by which all on a network learn that ``address`` is at ``mac`` now."""
    target = socket.inet_pton(socket.AF_INET6, address)
    told = struct.pack("!I", _OVERRIDE) + target + bytes([_TARGET_MAC, _UNITS]) + mac
    length = 4 + len(told)
    head = target + _ALL_NODES + struct.pack("!II", length, _ICMPV6)
    checksum = _checksum(head + struct.pack("!BBH", _ADVERTISEMENT, 0, 0) + told)
    packet = struct.pack("!IHBB", 6 << 28, length, _ICMPV6, _HOPS) + target + _ALL_NODES
    message = struct.pack("!BBH", _ADVERTISEMENT, 0, checksum) + told
    return _TO_ALL + mac + struct.pack("!H", _ETHERTYPE) + packet + message


def _checksum(data: bytes) -> int:
    """Return the complement of the sum of 16 bits each, in one's complement."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
