"""``wirt freeze``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.freeze import freeze as freeze_guest


@click.command()
@click.argument("name")
def freeze(name: str) -> None:
    """Hold the guest NAME still: it keeps its memory, and no process of it runs."""
    with app.open_context() as context:
        freeze_guest(context, name)
    output.say(f"guest {name} frozen")
