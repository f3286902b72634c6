"""The ranges of the node's ids that containers have, one each.

They lie between what systemd gives to containers of its own and what does not fit into 31 bits, where nobody else's are:
https://systemd.io/UIDS-GIDS. Which of them a guest gets follows from its id, so that those of two homes seldom meet.
"""

from wirt.errors import Conflict
from wirt.model.resources import Idmap

SIZE = 65_536
COUNT = 4_096
FIRST = 1_879_048_192
ALL = Idmap(first=FIRST, size=COUNT * SIZE)
"""Every id that a container may ever have."""

SHARED = Idmap(first=1_000_000, size=SIZE)
"""What containers had, all of them, before each had its own; those that were made then keep it."""


def free_range(guest_id: str, taken: set[int]) -> int:
    """Return the number of the range for a new guest: the first that is not taken, from where its id points on.

    Raises:
        Conflict: all are taken.
    """
    begin = int(guest_id, 16)
    for step in range(COUNT):
        number = (begin + step) % COUNT
        if number not in taken:
            return number
    raise Conflict(
        f"all {COUNT} ranges of ids are given to guests",
        hint="destroy a guest, or use another home",
    )


def idmap_of(number: int | None) -> Idmap:
    """Return the map of a range; of None the one that was shared."""
    return SHARED if number is None else Idmap(first=FIRST + number * SIZE, size=SIZE)
