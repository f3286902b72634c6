"""How the process of a command begins and ends. Both are a matter of milliseconds, of which a command has few."""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from wirt.console import output


def run(module: str) -> NoReturn:
    """Run the ``main`` of a module as a process of its own, and end it.

    At once: taking the interpreter apart would take a sixth of the time of ``wirt list``, and nothing is left to be
    done then. Every file is closed, every lock released and every child waited for where it was opened, taken, started.
    """
    # msgspec asks for this if it is there, to learn one name that ``typing`` has too; it takes longer to load than msgspec.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    # What is loaded stays: to look through it for garbage again and again takes a fourteenth of ``wirt list``.
    gc.set_threshold(100_000, 50, 50)
    try:
        status: int = import_module(module).main()
    except BrokenPipeError as error:
        # It was an error that could not be said any more.
        if not output.is_unread(error):
            raise
        status = output.UNREAD
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)
