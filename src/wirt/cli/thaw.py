"""``wirt thaw``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.freeze import thaw as thaw_guest


@click.command()
@click.argument("name")
def thaw(name: str) -> None:
    """Let the frozen guest NAME go on."""
    with app.open_context() as context:
        thaw_guest(context, name)
    output.say(f"guest {name} thawed")
