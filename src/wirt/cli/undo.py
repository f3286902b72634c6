"""``wirt undo``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.undo import undo as undo_change


@click.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="End the guest first if it runs.")
def undo(name: str, force: bool) -> None:
    """Take the guest NAME back to before its last change by wirt set --snapshot.

    Its root and its limits are what they were then; what has changed since is lost. If it ran, it is started again.
    """
    with app.open_context() as context:
        guest = undo_change(context, name, force=force)
    output.say(f"guest {guest.name} is as it was before its last change, and {guest.state.value}")
