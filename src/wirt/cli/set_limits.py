"""``wirt set``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops import set as verb
from wirt.units import render_bytes


@click.command("set")
@click.argument("name")
@click.option("--disk", type=options.BYTES, help="Disk.")
@click.option("--snapshot", is_flag=True, help="Keep its root and limits first, for wirt undo.")
def set_limits(name: str, disk: int | None, snapshot: bool) -> None:
    """Change what the guest NAME may use; it is kept."""
    verb.check_something(disk)
    with app.open_context() as context:
        if disk is not None:
            verb.set_disk(context, name, disk, snapshot=snapshot)
            output.say(f"guest {name} has a disk of {render_bytes(disk)} now")
