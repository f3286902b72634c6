"""How ``xm`` is begun and ended: whatever fails, it says ``Error:`` and why, and ends with 1."""

import os
import sys
from collections.abc import Callable, Sequence

from wirt.console import output
from wirt.errors import Error
from wirt.host import files, interrupts

FAILED = 1
_INTERRUPTED = 130


class NoDomain(Error):
    """There is no such domain, or it does not run."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Domain '{name}' does not exist.")


class WrongUse(Error):
    """A subcommand was called with arguments that it does not take; its usage is to be shown."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command


def run(do: Callable[[list[str]], int], arguments: Sequence[str] | None) -> int:
    """Do the work of the command and return its exit status.

    Args:
        do: the work.
        arguments: what it is given; None for what the process was.
    """
    os.umask(0o022)
    interrupts.install()
    try:
        return do(list(sys.argv[1:] if arguments is None else arguments))
    except Error as error:
        return complain(error)
    except KeyboardInterrupt:
        output.note("interrupted")
        return _INTERRUPTED
    except OSError as error:
        if output.is_unread(error):
            return output.UNREAD
        return complain(files.translate(error, "go on"))


def complain(error: Error) -> int:
    """Say an error as xm does, and return the status that it ends with."""
    output.note(f"Error: {error}")
    if error.detail and os.environ.get("WIRT_DEBUG"):
        output.note(error.detail)
    return FAILED
