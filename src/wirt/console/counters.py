"""Renders the counters of a guest for a terminal."""

import textwrap
from collections.abc import Sequence

from wirt.console import output
from wirt.console.doctor import WIDTH
from wirt.model.counter import UNLIMITED, Counter, Standing

_HEADS = ("NAME", "HELD", "MAXHELD", "BARRIER", "LIMIT", "FAILCNT", "UNIT", "STANDING")
_INDENT = 14


def render_counters(counters: Sequence[Counter]) -> str:
    """Return a table; what is not known is "-"."""
    rows = [
        (
            counter.name,
            _number(counter.held),
            _number(counter.maxheld),
            _number(counter.barrier),
            _number(counter.limit),
            _number(counter.failcnt),
            counter.unit.value,
            counter.standing.value,
        )
        for counter in counters
    ]
    return output.columns(_HEADS, rows, right=_HEADS[1:6])


def render_explanation(counters: Sequence[Counter]) -> str:
    """Return of each counter what it rests on and what it leaves out, or why there is none."""
    return "\n".join(
        line
        for counter in counters
        for line in textwrap.wrap(
            f"{counter.standing}: {counter.reason}{_keeper(counter)}",
            WIDTH,
            initial_indent=f"{counter.name:<{_INDENT}}",
            subsequent_indent=" " * _INDENT,
        )
    )


def _keeper(counter: Counter) -> str:
    if counter.standing is Standing.UNAVAILABLE:
        return ""
    return "; maxheld is the kernel's" if counter.by_kernel else "; maxheld is what readings saw"


def _number(value: int | None) -> str:
    if value is None:
        return "-"
    return "unlimited" if value == UNLIMITED else str(value)
