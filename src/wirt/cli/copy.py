"""``wirt copy``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.copy import copy as copy_files
from wirt.ops.copy import parse_end
from wirt.units import render_bytes


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("-a", "--archive", is_flag=True, help="Keep owners, as numbers that the guest sees.")
def copy(source: str, target: str, archive: bool) -> None:
    """Copy the file or directory SOURCE to TARGET, one of them in a guest: GUEST:/PATH.

    Into a directory that is there, else under that name; of DIR/. what it holds. As SOURCE or TARGET, - is a tar on
    standard input or output.
    """
    ends = parse_end(source), parse_end(target)
    with app.open_context() as context:
        amount = copy_files(context, *ends, keep_owners=archive)
    if amount is None:
        return
    if amount.left_out:
        output.note(f"left out: {amount.left_out} device nodes, pipes or sockets")
    output.say(f"{source} copied to {target}: {render_bytes(amount.bytes)}")
