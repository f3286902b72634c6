"""``wirt wait``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.start import READY_SECONDS
from wirt.ops.wait import wait as wait_for_guest


@click.command()
@click.argument("name")
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=f"{READY_SECONDS:g}s",
    show_default=True,
    help="How long to wait.",
)
def wait(name: str, timeout: float) -> None:
    """Wait until a command can be run in the running guest NAME."""
    with app.open_context() as context:
        guest = wait_for_guest(context, name, timeout)
    output.say(f"guest {guest.name} is ready")
