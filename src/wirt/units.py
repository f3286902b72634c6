"""Sizes, durations, rates and lists of processors: parse what a person types, print what a person reads.

Binary prefixes only: ``512M`` and ``512MiB`` are both 512 * 2**20 bytes, as in every tool of this field.
"""

import re
from collections.abc import Sequence

from wirt.errors import InvalidInput

# Patterns are compiled where they are used: most commands parse none of these, and all would wait for it.
_BYTES = r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?"
_SECONDS = r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?"
_RATE = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([kmg]?)(?:bit)?"
_CPUS = r"([0-9]{1,5})(?:-([0-9]{1,5}))?"
_MOST_CPUS = 8192
"""That a Linux kernel can be built for (CONFIG_NR_CPUS)."""
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_THOUSANDS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_MOST_SECONDS = 365 * 24 * 3600
"""A year: nobody waits longer, and the kernel's clocks take no number at all."""
_SCALE = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

UNBOUNDED = -1
"""A limit that is none: as much as there is."""
KIB = 1024
MIB = 1024**2
GIB = 1024**3


def parse_bytes(text: str) -> int:
    """Return the bytes that ``text`` ("512M", "1.5 GiB", "4096") stands for.

    Raises:
        InvalidInput: the text is no size.
    """
    match = re.fullmatch(_BYTES, text.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidInput(
            f"{text!r} is not a size", hint="write a number with K, M, G or T, such as 512M"
        )
    return int(float(match[1]) * 1024 ** _POWER[match[2].upper()])


def render_bytes(size: int) -> str:
    """Return ``size`` bytes for a person: "512 MiB", "1.5 GiB"."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"


def parse_seconds(text: str) -> float:
    """Return the seconds that ``text`` ("1.5", "250ms", "10m", "2h") stands for.

    Raises:
        InvalidInput: the text is no duration.
    """
    match = re.fullmatch(_SECONDS, text.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidInput(
            f"{text!r} is not a duration", hint="write a number with ms, s, m or h, such as 30s"
        )
    seconds = float(match[1]) * _SCALE[(match[2] or "s").lower()]
    if seconds > _MOST_SECONDS:
        raise InvalidInput(f"{text!r} is too long", hint="write at most 8760h, which is a year")
    return seconds


def render_seconds(seconds: float) -> str:
    """Return a duration for a person: "12 ms", "1.52 s", "3 min 20 s", "1 h 05 min"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def parse_rate(text: str) -> int:
    """Return the bits per second that ``text`` ("10mbit", "1.5G", "64000") stands for: decimal, as everywhere with these.

    Raises:
        InvalidInput: the text is no rate.
    """
    match = re.fullmatch(_RATE, text.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidInput(
            f"{text!r} is not a rate",
            hint="write bits per second with kbit, mbit or gbit, such as 10mbit",
        )
    return int(float(match[1]) * _THOUSANDS[match[2].lower()])


def render_rate(rate: int) -> str:
    """Return bits per second for a person: "10 Mbit/s"."""
    value, unit = float(rate), ""
    for larger in ("k", "M", "G"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:g} {unit}bit/s"


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the numbers of the processors that ``text`` ("0", "0,2-3") names, in order.

    Raises:
        InvalidInput: the text is no such list.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(_CPUS, part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < _MOST_CPUS:
            raise InvalidInput(
                f"{text!r} is no list of CPUs", hint="write numbers and ranges, such as 0,2-3"
            )
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def render_cpus(cpus: Sequence[int]) -> str:
    """Return numbers of processors, which are in order, as the kernel writes them: "0,2-3"."""
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and ranges[-1][-1] == cpu - 1:
            ranges[-1][1:] = [cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, bounds)) for bounds in ranges)
