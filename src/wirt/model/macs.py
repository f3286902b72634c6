"""Addresses of network cards."""

import re

from wirt.errors import InvalidInput

_MAC = r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"
_MULTICAST = 1
"""In the first byte: not one card's but many's."""


def read_mac(text: str) -> str | None:
    """Return a MAC in small letters, whosoever it is; None if it is none."""
    mac = text.lower()
    return mac if re.fullmatch(_MAC, mac) else None


def is_of_many(mac: str) -> bool:
    """Return whether a MAC stands for a group of cards."""
    return bool(int(mac[:2], 16) & _MULTICAST)


def check_mac(text: str) -> str:
    """Return a MAC in small letters if a guest's card may have it.

    Raises:
        InvalidInput: it is none, or that of several cards.
    """
    mac = read_mac(text)
    if mac is None:
        raise InvalidInput(f"{text!r} is not a MAC address", hint="such as 02:00:00:12:34:56")
    if is_of_many(mac):
        raise InvalidInput(
            f"MAC {mac} is not that of one card", hint="its first byte must be even, such as 02"
        )
    return mac
