"""``wirt enter``."""

import os

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.errors import Error, InvalidInput
from wirt.ops.enter import enter as enter_guest


@click.command()
@click.argument("name")
def enter(name: str) -> int:
    """Open a login shell in the guest NAME, on this terminal.

    The exit status is the shell's; 125 means that Wirt could not run it.
    """
    try:
        if not os.isatty(0):
            raise InvalidInput(
                "enter wants a terminal", hint=f"to run a command: wirt exec {name} -- COMMAND"
            )
        with app.open_context() as context:
            return enter_guest(context, name)
    except Error as error:
        output.complain(error)
        return options.EXEC_FAILED
