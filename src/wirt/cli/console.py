"""``wirt console``."""

import click

from wirt import app
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.ops.console import console as join_console
from wirt.ops.console import show_log
from wirt.ops.context import Context


@click.command()
@click.argument("name")
@click.option("--log", is_flag=True, help="Print all that it has said, and go.")
@click.option(
    "-f", "--follow", is_flag=True, help="With --log: go on with what it says, until it ends."
)
def console(name: str, log: bool, follow: bool) -> None:
    """Join this terminal with the console of the guest NAME. Ctrl-] leaves it.

    Several may look at once. A container has no console that is always there: a login is opened on a terminal of its
    own, and ends when that is left.
    """
    if follow and not log:
        raise InvalidInput(
            "--follow goes with --log", hint=f"to look and type: wirt console {name}"
        )
    with app.open_context() as context:
        if log:
            show_log(context, name, follow=follow)
        else:
            watch(context, name)


def watch(context: Context, name: str, *, begin: int | None = None) -> None:
    """Join our terminal with a guest's console, from a byte of its log on, and say how that ended."""
    is_joined = False

    def joined() -> None:
        nonlocal is_joined
        is_joined = True
        output.note(f"console of {name}; Ctrl-] leaves it")

    runs = join_console(context, name, joined=joined, begin=begin)
    if is_joined:
        output.note(f"left the console of {name}" if runs else f"guest {name} has ended")
