"""``wirt checkpoint``."""

import click

from wirt import app
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.ops import checkpoint as verbs
from wirt.units import render_bytes


@click.command()
@click.argument("guest")
@click.argument("name", required=False)
@click.option("--keep-running", is_flag=True, help="Let the guest go on; else it is stopped.")
@click.option("--check", is_flag=True, help="Only say what stands in the way.")
def checkpoint(guest: str, name: str | None, *, keep_running: bool, check: bool) -> None:
    """Keep what GUEST is now, disk and memory, as the snapshot NAME, to go on from with wirt resume.

    Left out, NAME is the date and time in UTC. Connections live on if the guest is resumed before the other side gives up.
    """
    if check and (name or keep_running):
        raise InvalidInput("--check makes no checkpoint", hint="leave the others out")
    with app.open_context() as context:
        if check:
            found = verbs.find_obstacles(context, guest)
        else:
            made = verbs.checkpoint(context, guest, name, keep_running=keep_running)
    if not check:
        output.say(
            f"guest {guest} {'kept' if keep_running else 'stopped'}: checkpoint {made.name}, "
            f"{render_bytes(made.memory or 0)} of memory"
        )
    elif not found:
        output.say(f"guest {guest} can be checkpointed")
    else:
        for one in found:
            output.say(f"{one.what} {one.reason}; {one.hint}")
        raise click.exceptions.Exit(1)
