"""``wirt mount``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.mount import mount as mount_guest


@click.command()
@click.argument("name")
def mount(name: str) -> None:
    """Show the root of the stopped guest NAME on the node, and print where.

    Until it is unmounted the guest is not started.
    """
    with app.open_context() as context:
        output.say(mount_guest(context, name))
