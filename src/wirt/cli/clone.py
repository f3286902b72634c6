"""``wirt clone``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.clone import clone as clone_guest


@click.command()
@click.argument("guest")
@click.argument("new")
@click.option("--address", help="IPv4 address of the home's subnet; chosen if left out.")
def clone(guest: str, new: str, address: str | None) -> None:
    """Make the guest NEW of what GUEST is now.

    Its name, address, MAC, machine id and SSH host keys are its own. A running guest is held still while its root is copied, if
    its pool cannot do that in an instant. The clone is not started.
    """
    with app.open_context() as context:
        made = clone_guest(context, guest, new, address=address, progress=output.note)
    output.say(f"guest {made.name} cloned from {guest}: {made.approach}, {made.address}")
