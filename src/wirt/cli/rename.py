"""``wirt rename``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.rename import rename as rename_guest


@click.command()
@click.argument("name")
@click.argument("new")
def rename(name: str, new: str) -> None:
    """Call the guest NAME from now on NEW."""
    with app.open_context() as context:
        guest = rename_guest(context, name, new)
    output.say(f"guest {name} renamed to {new}")
    if guest.state.is_up:
        output.note(f"its own host name is {name} until it is started again")
