"""``wirt restart``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.restart import restart as restart_guest


@click.command()
@click.argument("name")
@options.ending
def restart(name: str, force: bool, timeout: float) -> None:
    """Shut the guest NAME down and start it again."""
    with app.open_context() as context:
        guest = restart_guest(context, name, timeout=timeout, force=force)
    output.say(f"guest {guest.name} restarted: {guest.met_at}")
