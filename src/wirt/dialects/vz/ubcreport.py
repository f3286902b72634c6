"""Beancounters for a person: how near to barrier and limit they are, as ``vzubc`` shows it."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import msgspec

from wirt.dialects.vz.beancounters import Bean, Group
from wirt.dialects.vz.ubc import PAGE, PAGES, UNLIMITED, UNLIMITED_2006

HELD_RATIO = 0.5
MAXHELD_RATIO = 0.8

_ENDLESS = (UNLIMITED, UNLIMITED_2006)
_UNITS = " KMGTPEZY"
_HEAD, _PLAIN, _WARNING, _ERROR = "\033[1;32m", "\033[0;39m", "\033[1;33m", "\033[1;31m"

Before = Mapping[str, int]
"""Beancounter -> what it was the time before."""


class Weight(IntEnum):
    """How much a row matters."""

    NOTHING = 0
    NEAR = 1
    FAILED = 2


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown, and how."""

    is_quiet: bool = False
    """Only what has failed or is near to its barrier."""
    is_verbose: bool = False
    """Also what has no barrier."""
    is_relative: bool = False
    """Failures since the time before."""
    is_incremental: bool = False
    """What is held, against the time before."""
    is_colored: bool = False
    held_ratio: float = HELD_RATIO
    maxheld_ratio: float = MAXHELD_RATIO


def render_report(
    groups: Sequence[Group],
    style: Style,
    *,
    failed: Mapping[int, Before],
    held: Mapping[int, Before],
) -> str:
    """Return the tables of containers; one of which nothing is to be shown has none.

    Args:
        groups: the containers.
        style: how to show them.
        failed: CTID -> failures of the time before.
        held: CTID -> what was held the time before.
    """
    tables = []
    for group in groups:
        ctid = -1 if group.ctid is None else group.ctid
        rows = [
            row
            for bean in group.beans
            if (row := _row(bean, style, failed.get(ctid, {}), held.get(ctid, {}))) is not None
        ]
        if rows:
            tables.append("\n".join([_head(ctid, style), *rows]))
    if not tables:
        return ""
    return "\n\n".join(tables) + f"\n{'-' * 64}{'-------' * style.is_incremental}"


def _head(ctid: int, style: Style) -> str:
    more = "-------" * style.is_incremental
    change = "  +/-  " * style.is_incremental
    fail = "+FAIL" if style.is_relative else " FAIL"
    lines = [
        f"{'-' * 64}{more}",
        f"CT {ctid:<10}| HELD{change} Bar% Lim%| MAXH Bar% Lim%| BAR | LIM |{fail}",
        f"-------------+-{more}--------------+---------------+-----+-----+------",
    ]
    text = "\n".join(lines)
    return f"{_HEAD}{text}{_PLAIN}" if style.is_colored else text


def _row(bean: Bean, style: Style, failed: Before, held: Before) -> str | None:
    """Return a row, None if it is not to be shown."""
    failures = bean.failcnt
    if style.is_relative and failed.get(bean.name, 0) <= failures:
        failures -= failed.get(bean.name, 0)
    change = bean.held - held.get(bean.name, bean.held) if style.is_incremental else 0
    weight = _weigh(bean, failures, style)
    is_hidden = (style.is_quiet and not weight) or (
        not style.is_verbose and bean.barrier in _ENDLESS
    )
    if is_hidden and not change:
        return None
    cells = [
        f"{bean.name:>13}|{_size(bean.name, bean.held):>5}{_change(bean.name, change, style)}",
        f" {_share(bean.held, bean.barrier):>4} {_share(bean.held, bean.limit):>4}",
        f"|{_size(bean.name, bean.maxheld):>5}",
        f" {_share(bean.maxheld, bean.barrier):>4} {_share(bean.maxheld, bean.limit):>4}",
        f"|{_size(bean.name, bean.barrier):>5}|{_size(bean.name, bean.limit):>5}",
        f"| {_size('', failures):>5}",
    ]
    text = "".join(cells)
    if not style.is_colored:
        return text
    color = {Weight.NOTHING: _PLAIN, Weight.NEAR: _WARNING, Weight.FAILED: _ERROR}[weight]
    return f"{color}{text}{_PLAIN}"


def _weigh(bean: Bean, failures: int, style: Style) -> Weight:
    barrier = bean.barrier or bean.limit
    if failures > 0 or bean.held > barrier:
        return Weight.FAILED
    is_near = (
        bean.held > barrier * min(style.held_ratio, style.maxheld_ratio)
        or bean.maxheld > barrier * style.maxheld_ratio
    )
    return Weight.NEAR if is_near else Weight.NOTHING


def _change(name: str, change: int, style: Style) -> str:
    if not style.is_incremental:
        return ""
    if not change:
        return " " * 7
    return f"{'-' if change < 0 else '+'}{_size(name, abs(change))}".rjust(7)


def _size(name: str, value: int) -> str:
    """Return a value in at most four digits and a letter; nothing and endless are a hyphen."""
    if value == 0 or value in _ENDLESS:
        return "- "
    size, place = float(value * PAGE if name in PAGES else value), 0
    while size >= 1024 and place < len(_UNITS) - 1:
        size, place = size / 1024, place + 1
    return f"{size:.3g}{_UNITS[place]}" if size < 100 else f"{int(size)}{_UNITS[place]}"


def _share(value: int, whole: int) -> str:
    """Return a value as percent of a barrier or limit; nothing, or of nothing, is a hyphen."""
    if whole == 0 or whole in _ENDLESS:
        return "- "
    share = round(value / whole * 100, 1)
    if share == 0:
        return "- "
    return f"{share:.1f}%" if share < 1 else f"{int(share)}%"
