"""The one place that prints: results to standard output, everything else to standard error."""

import os
import sys
from collections.abc import Sequence

from wirt.errors import Error


def say(text: str) -> None:
    """Print a line of result, at once: if nobody reads it, that must show here and not when the process has ended."""
    print(text, flush=True)


def complain(error: Error) -> None:
    """Print an error as one line, with what the layer below said if a person asked for it by WIRT_DEBUG."""
    print(f"wirt: {error}", file=sys.stderr)
    if error.detail and os.environ.get("WIRT_DEBUG"):
        print(error.detail, file=sys.stderr)


def note(text: str) -> None:
    """Print a line that is no result: what goes on, what to know."""
    print(text, file=sys.stderr, flush=True)


def columns(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> str:
    """Return rows under their heads, each column as wide as it must be, those named by ``right`` set to the right.

    Plain text on purpose: ``wirt list`` is typed a hundred times a day, and a table library takes longer to load than
    the rest of the command to run.
    """
    table = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    adjust = [str.rjust if head in right else str.ljust for head in heads]
    lines = (
        "  ".join(
            put(cell, width) for put, cell, width in zip(adjust, row, widths, strict=True)
        ).rstrip()
        for row in table
    )
    return "\n".join(lines)
