"""Addresses of network cards."""

import re

from wirt.errors import InvalidInput

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MULTICAST = 1
"""In the first byte: not one card's but many's."""


def check_mac(text: str) -> str:
    """Return a MAC in small letters if a guest's card may have it.

    Raises:
        InvalidInput: it is none, or that of several cards.
    """
    mac = text.lower()
    if _MAC.fullmatch(mac) is None:
        raise InvalidInput(f"{text!r} is not a MAC address", hint="such as 02:00:00:12:34:56")
    if int(mac[:2], 16) & _MULTICAST:
        raise InvalidInput(
            f"MAC {mac} is not that of one card", hint="its first byte must be even, such as 02"
        )
    return mac
