"""``wirt unmount``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.mount import unmount as unmount_guest


@click.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="Take it away from processes that use it, too.")
def unmount(name: str, force: bool) -> None:
    """Undo what wirt mount did."""
    with app.open_context() as context:
        guest = unmount_guest(context, name, force=force)
    output.say(f"guest {guest.name} unmounted")
