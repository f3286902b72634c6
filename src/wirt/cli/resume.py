"""``wirt resume``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.resume import resume as resume_guest


@click.command()
@click.argument("guest")
@click.argument("name", required=False)
@click.option("-f", "--force", is_flag=True, help="End the guest first if it runs.")
def resume(guest: str, name: str | None, *, force: bool) -> None:
    """Let GUEST go on from the checkpoint NAME, disk and memory.

    Left out, NAME is the latest. What has changed on its disk since is lost; the checkpoint stays.
    """
    with app.open_context() as context:
        running = resume_guest(context, guest, name, force=force)
    output.say(f"guest {guest} resumed: {running.met_at}")
