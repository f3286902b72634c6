"""``wirt stop``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.stop import stop as stop_guest


@click.command()
@click.argument("name")
@options.ending
def stop(name: str, force: bool, timeout: float) -> None:
    """Shut the guest NAME down."""
    with app.open_context() as context:
        stop_guest(context, name, timeout=timeout, force=force)
    output.say(f"guest {name} stopped")
