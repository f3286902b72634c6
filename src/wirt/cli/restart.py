"""``wirt restart``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.restart import restart as restart_guest
from wirt.ops.stop import ORDERLY_SECONDS


@click.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="End it at once.")
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=f"{ORDERLY_SECONDS:g}s",
    show_default=True,
    help="How long its own shutdown may take before it is ended.",
)
def restart(name: str, force: bool, timeout: float) -> None:
    """Shut the guest NAME down and start it again."""
    with app.open_context() as context:
        guest = restart_guest(context, name, timeout=timeout, force=force)
    output.say(f"guest {guest.name} restarted: {guest.address}")
