"""``wirt checkpoint``."""

import click

from wirt import app
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.ops import checkpoint as verbs
from wirt.ops.prepare import DIRECTORY, DROP_IN
from wirt.ops.prepare import prepare as prepare_guest
from wirt.units import render_bytes


@click.command()
@click.argument("guest")
@click.argument("name", required=False)
@click.option("--keep-running", is_flag=True, help="Let the guest go on; else it is stopped.")
@click.option("--check", is_flag=True, help="Only say what stands in the way.")
@click.option("--prepare", is_flag=True, help="Take out of the way what Wirt can; no checkpoint.")
def checkpoint(
    guest: str, name: str | None, *, keep_running: bool, check: bool, prepare: bool
) -> None:
    """Keep what GUEST is now, disk and memory, as the snapshot NAME, to go on from with wirt resume.

    Left out, NAME is the date and time in UTC. Connections live on if the guest is resumed before the other side gives up.
    """
    if (check or prepare) and (name or keep_running):
        raise InvalidInput("--check and --prepare make no checkpoint", hint="leave the others out")
    with app.open_context() as context:
        if prepare:
            for unit in prepare_guest(context, guest):
                output.say(f"sandboxing of {unit} switched off: {DIRECTORY}/{unit}.d/{DROP_IN}")
        if check or prepare:
            found = verbs.find_obstacles(context, guest)
        else:
            made = verbs.checkpoint(context, guest, name, keep_running=keep_running)
    if not (check or prepare):
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
