"""What a user or group of a guest holds of its disk, and what it may hold."""

from enum import StrEnum

import msgspec

from wirt.errors import InvalidInput
from wirt.units import UNBOUNDED

LARGEST_ID = 2**32 - 2
"""Of a user or group."""


class Owner(StrEnum):
    """Whose a quota is, as the kernel counts them."""

    USER = "user"
    GROUP = "group"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may hold; UNBOUNDED: any number."""

    bytes_soft: int = UNBOUNDED
    """What may be held for longer than the grace, a week."""
    bytes: int = UNBOUNDED
    inodes_soft: int = UNBOUNDED
    inodes: int = UNBOUNDED


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a user or group holds and may hold."""

    owner: Owner
    number: int
    """Its id, as the guest sees it."""
    bytes: int
    inodes: int
    bounds: Bounds


def check_quota(owner: Owner, number: int, bounds: Bounds) -> None:
    """Check that somebody can be held to these bounds.

    Raises:
        InvalidInput: there is no such id, or the bounds make no sense.
    """
    if not 0 <= number <= LARGEST_ID:
        raise InvalidInput(f"{number} is no id of a {owner}", hint=f"give 0 to {LARGEST_ID}")
    for what, soft, hard in (
        ("bytes", bounds.bytes_soft, bounds.bytes),
        ("inodes", bounds.inodes_soft, bounds.inodes),
    ):
        if 0 in (soft, hard):
            raise InvalidInput(
                f"a {owner} cannot be held to 0 {what}", hint="give 1 at least, or unlimited"
            )
        if UNBOUNDED not in (soft, hard) and soft > hard:
            raise InvalidInput(
                f"a soft limit of {soft} {what} is above the hard one of {hard}",
                hint="give the soft one first, such as 900M:1G",
            )
