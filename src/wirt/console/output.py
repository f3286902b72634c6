"""The one place that prints: results to standard output, everything else to standard error."""

import errno
import os
import sys
from collections.abc import Sequence

from wirt.errors import Error

UNREAD = 141
"""What a command ends with whose reader has gone away (128 + SIGPIPE), as other programs do: without a word, for nobody hears it."""


def is_unread(error: OSError) -> bool:
    """Return whether an error is that nobody reads any more what is printed, and not that of another pipe."""
    if error.errno != errno.EPIPE:
        return False
    from select import POLLERR, POLLHUP, poll  # Only when it has come to that.

    asked = poll()
    for descriptor in (1, 2):
        asked.register(descriptor, 0)
    return any(event & (POLLERR | POLLHUP) for _, event in asked.poll(0))


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
