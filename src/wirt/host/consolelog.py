"""What a machine's console said, as text for a person: without what moves a cursor, colours and clears a screen."""

import os
import re

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|c)|[\x00-\x08\x0b-\x1f]")
_READ_BYTES = 1 << 16


def read_last_lines(path: str, begin: int = 0) -> list[str]:
    """Return the last lines of a console's log that hold anything, of its last 64 KiB; none if there is no such file.

    What stands before the byte ``begin`` is left out.
    """
    try:
        with open(path, "rb") as log:
            log.seek(max(begin, os.fstat(log.fileno()).st_size - _READ_BYTES))
            text = _ESCAPES.sub("", log.read().decode(errors="replace"))
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]
