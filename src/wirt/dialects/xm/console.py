"""``xm console``."""

import os

from wirt import app
from wirt.console import output
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.domains import PRIVILEGED, Domain, find, is_privileged
from wirt.errors import InvalidInput, Unsupported
from wirt.ops.console import console as join_console
from wirt.ops.context import Context


def console(call: Call) -> int:
    """Join this terminal with a domain's console; Ctrl-] leaves it, as with xm."""
    _, names = call.read({"quiet": "q"}, least=1)
    if is_privileged(names[0]):
        raise Unsupported(f"{PRIVILEGED} has no console: it is the node itself")
    with app.open_context() as context:
        join(context, find(context, names[0]))
    return 0


def check_terminal() -> None:
    """Check that a domain that is going to be made could be watched.

    Raises:
        InvalidInput: this is no terminal.
    """
    if not os.isatty(0):
        raise InvalidInput("console wants a terminal", hint="leave -c out")


def join(context: Context, domain: Domain, *, begin: int | None = None) -> None:
    """Join this terminal with a domain's console, from a byte of its log on, and say if it ended."""
    if not join_console(context, domain.guest.name, joined=lambda: None, begin=begin):
        output.note(f"Domain {domain.name} terminated")
