"""``wirt exec``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.errors import Error
from wirt.ops.execute import execute as execute_in_guest


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, command: tuple[str, ...]) -> int:
    """Run COMMAND in the guest NAME.

    Input, output and exit status are the command's; 125 means that Wirt could not run it.
    """
    try:
        with app.open_context() as context:
            return execute_in_guest(context, name, options.without_marker(command))
    except Error as error:
        output.complain(error)
        return options.EXEC_FAILED
