"""``wirt start``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.start import READY_SECONDS
from wirt.ops.start import start as start_guest


@click.command()
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="Return before a command can be run in it.")
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=f"{READY_SECONDS:g}s",
    show_default=True,
    help="How long to wait for that.",
)
def start(name: str, no_wait: bool, timeout: float) -> None:
    """Start the guest NAME."""
    with app.open_context() as context:
        guest = start_guest(context, name, ready_seconds=None if no_wait else timeout)
    output.say(f"guest {guest.name} started: {guest.address}")
