"""What a guest holds of the node's resources, counted as OpenVZ's user beancounters are.

Names, units and order are those of OpenVZ's kernel. What is counted how is the approach's to say, with each counter.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

PAGE = 4096
"""Bytes of the pages that beancounters are in, whatever the node's are."""
UNLIMITED = 2**63 - 1
"""A barrier or limit that holds nothing back: LONG_MAX, as OpenVZ's kernel shows it."""


class Unit(StrEnum):
    """What a counter counts."""

    ITEMS = "items"
    BYTES = "bytes"
    PAGES = "pages"


class Standing(StrEnum):
    """How far a counter is kept on this node."""

    ENFORCED = "enforced"
    """The kernel holds the guest to the limit."""
    COUNTED = "counted"
    """It is known what the guest holds; nothing holds it back."""
    UNAVAILABLE = "not available here"


UNITS: dict[str, Unit] = {
    "kmemsize": Unit.BYTES,
    "lockedpages": Unit.PAGES,
    "privvmpages": Unit.PAGES,
    "shmpages": Unit.PAGES,
    "numproc": Unit.ITEMS,
    "physpages": Unit.PAGES,
    "vmguarpages": Unit.PAGES,
    "oomguarpages": Unit.PAGES,
    "numtcpsock": Unit.ITEMS,
    "numflock": Unit.ITEMS,
    "numpty": Unit.ITEMS,
    "numsiginfo": Unit.ITEMS,
    "tcpsndbuf": Unit.BYTES,
    "tcprcvbuf": Unit.BYTES,
    "othersockbuf": Unit.BYTES,
    "dgramrcvbuf": Unit.BYTES,
    "numothersock": Unit.ITEMS,
    "dcachesize": Unit.BYTES,
    "numfile": Unit.ITEMS,
    "numiptent": Unit.ITEMS,
    "swappages": Unit.PAGES,
}
"""Every counter and its unit, in the order in which OpenVZ's kernel lists them."""


class Counter(msgspec.Struct, frozen=True, kw_only=True):
    """One counter of one guest, in its unit; None is what nobody knows."""

    name: str
    unit: Unit
    held: int | None = None
    maxheld: int | None = None
    """The most since the guest was started."""
    by_kernel: bool = False
    """Whether the kernel itself keeps ``maxheld``; else it is the most that a reading saw."""
    barrier: int = UNLIMITED
    limit: int = UNLIMITED
    failcnt: int | None = None
    """How often the guest met the limit since it was started; None where nothing counts that."""
    standing: Standing
    reason: str
    """What the count rests on and what it leaves out; or why there is none."""


class Most(msgspec.Struct, frozen=True, kw_only=True):
    """The most that readings have seen of one counter; None: it was never known."""

    maxheld: int | None = None
    failcnt: int | None = None


def highest(counter: Counter, seen: Most) -> Most:
    """Return the most of what a counter says now and of what was seen before."""
    return Most(
        maxheld=_most(counter.held, counter.maxheld, seen.maxheld),
        failcnt=_most(counter.failcnt, seen.failcnt),
    )


def raised(counters: Sequence[Counter], seen: Mapping[str, Most]) -> list[Counter]:
    """Return counters whose ``maxheld`` and ``failcnt`` are at least what was seen before."""
    found = [(counter, highest(counter, seen.get(counter.name, Most()))) for counter in counters]
    return [
        msgspec.structs.replace(counter, maxheld=most.maxheld, failcnt=most.failcnt)
        for counter, most in found
    ]


def _most(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)
