"""Values of beancounters as OpenVZ writes them: ``barrier:limit``, with suffixes or without, in each one's own unit."""

import re
from fractions import Fraction
from math import ceil

import msgspec

from wirt.errors import InvalidInput

PAGE = 4096
UNLIMITED = 2**63 - 1
"""LONG_MAX of a 64-bit kernel."""
UNLIMITED_2006 = 2**31 - 1
"""LONG_MAX of the 32-bit kernels of 2006."""

ITEMS = [
    "numproc",
    "avnumproc",
    "numtcpsock",
    "numothersock",
    "numfile",
    "numflock",
    "numpty",
    "numsiginfo",
    "numiptent",
]
BYTES = ["kmemsize", "tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf", "dcachesize"]
PAGES = [
    "vmguarpages",
    "oomguarpages",
    "privvmpages",
    "lockedpages",
    "shmpages",
    "physpages",
    "swappages",
]
PARAMETERS = frozenset([*ITEMS, *BYTES, *PAGES])

_NUMBER = re.compile(r"(\d{1,40})(\.\d{1,40})?([TGMKPB]?)", re.IGNORECASE)
_FACTORS = {"T": 2**40, "G": 2**30, "M": 2**20, "K": 2**10, "P": PAGE, "B": 1}


class Pair(msgspec.Struct, frozen=True):
    """A barrier and a limit, in the unit of the parameter."""

    barrier: int
    limit: int

    def __str__(self) -> str:
        """Return the pair as a configuration file holds it."""
        return f"{self.barrier}:{self.limit}"


def parse_pair(parameter: str, text: str, *, unlimited: int = UNLIMITED) -> Pair:
    """Return what ``text`` ("240", "256M", "26112:unlimited") means for a parameter; one value is both.

    Raises:
        InvalidInput: it is no such pair, or a count has a suffix.
    """
    values = [_parse(parameter, text, part, unlimited) for part in text.strip().split(":")]
    if len(values) > 2:
        raise _refused(parameter, text)
    return Pair(values[0], values[-1])


def check_pair(parameter: str, text: str, pair: Pair) -> None:
    """Check that a pair that a person gives is one that a kernel would hold a container to.

    Args:
        parameter: what it is for.
        text: how it was written.
        pair: what was understood.

    Raises:
        InvalidInput: the barrier is above the limit, or a number above what a counter of 64 bits holds.
    """
    for part in text.strip().split(":"):
        digits = part.rstrip("TGMKPBtgmkpb").partition(".")[0]
        unit = 1024 if parameter == "diskspace" else PAGE if parameter in PAGES else 1
        if digits.isdigit() and _scaled(parameter, text, part, unit) > UNLIMITED:
            raise InvalidInput(
                "that is beyond what a counter of 64 bits holds",
                hint=f"give {UNLIMITED} at most, or unlimited",
            )
    if pair.barrier > pair.limit:
        raise InvalidInput(
            f"the barrier {pair.barrier} is above the limit {pair.limit}",
            hint="give barrier:limit, the smaller number first",
        )


def parse_kibibytes(parameter: str, text: str) -> Pair:
    """Return a quota of disk space, in KiB if nothing else is said ("2G:2.2G", "1048576:1153434").

    Raises:
        InvalidInput: it is no such pair.
    """
    values = [_scaled(parameter, text, part, 1024) for part in text.strip().split(":")]
    if len(values) > 2:
        raise _refused(parameter, text)
    return Pair(values[0], values[-1])


def _parse(parameter: str, whole: str, part: str, unlimited: int) -> int:
    if part.lower() == "unlimited":
        return unlimited
    if parameter in ITEMS or parameter == "diskinodes":
        if not re.fullmatch(r"[0-9]{1,40}", part):
            raise _refused(parameter, whole, hint="a count takes no suffix")
        return min(int(part), unlimited)
    return min(_scaled(parameter, whole, part, PAGE if parameter in PAGES else 1), unlimited)


def _scaled(parameter: str, whole: str, part: str, unit: int) -> int:
    """Return a number in units of so many bytes; what fills only a part of one takes it all."""
    match = _NUMBER.fullmatch(part) if part.isascii() else None
    if match is None or (match[2] and not match[3]):
        raise _refused(parameter, whole)
    if not match[3]:
        return int(match[1])
    size = Fraction(match[1] + (match[2] or "")) * _FACTORS[match[3].upper()]
    return ceil(size / unit)


def _refused(parameter: str, text: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(
        f"{text!r} is no value for {parameter}",
        hint=hint or "write barrier:limit or one number, such as 240, 256M or 26112:unlimited",
    )
