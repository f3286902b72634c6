"""Guests, cards and launches as values, for tests that need one."""

from typing import Any

import msgspec

from wirt.model.guest import Guest
from wirt.model.limits import Limits


def make_guest(number: int = 1, /, **changes: Any) -> Guest:
    """Return the guest web-NUMBER with a few things changed."""
    plain = Guest(
        id=f"{number:06x}",
        name=f"web-{number}",
        approach="fake",
        template="tiny",
        template_sha256="0" * 64,
        pool="fake",
        limits=Limits(),
        address=f"10.64.0.{number}",
        mac=f"02:00:00:00:00:{number:02x}",
        created=1.0,
    )
    return msgspec.structs.replace(plain, **changes)
