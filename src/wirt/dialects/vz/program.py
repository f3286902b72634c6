"""What the vz commands have in common: how one is begun and ended, and who is 2006."""

import os
import sys
from collections.abc import Callable, Sequence

from wirt.console import output
from wirt.dialects.vz.codes import Code, code_of
from wirt.dialects.vz.words import in_words
from wirt.errors import Error, InvalidInput
from wirt.host import files, interrupts

COMPAT_VARIABLE = "WIRT_VZ_COMPAT"


def run(
    do: Callable[[list[str]], int],
    arguments: Sequence[str] | None,
    *,
    code: Callable[[Error], int] = code_of,
) -> int:
    """Do the work of a command and return its exit status; what fails is said in a line on standard error.

    Args:
        do: the work.
        arguments: what it is given; None for what the process was.
        code: which status an error becomes.
    """
    os.umask(0o022)
    interrupts.install()
    try:
        return do(list(sys.argv[1:] if arguments is None else arguments))
    except Error as error:
        return _complain(error, code)
    except KeyboardInterrupt:
        output.note("interrupted")
        return Code.INTERRUPTED
    except OSError as error:
        if output.is_unread(error):
            return output.UNREAD
        return _complain(files.translate(error, "go on"), code)


def is_2006(given: str | None) -> bool:
    """Return whether what is said is said as in 2006: as ``--compat`` gives it, or the environment.

    Raises:
        InvalidInput: it is neither left out nor 2006.
    """
    compat = os.environ.get(COMPAT_VARIABLE, "") if given is None else given
    if compat not in ("", "2006"):
        raise InvalidInput(
            f"there is no compatibility with {compat!r}", hint="leave it out, or 2006"
        )
    return compat == "2006"


def _complain(error: Error, code: Callable[[Error], int]) -> int:
    output.note(in_words(str(error)))
    if error.detail and os.environ.get("WIRT_DEBUG"):
        output.note(error.detail)
    return code(error)
