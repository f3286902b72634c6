"""``wirt run``."""

import os
from functools import partial
from typing import Any

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.errors import Error
from wirt.ops.create import CreateRequest
from wirt.ops.run import run as run_in_guest


@click.command(context_settings={"allow_interspersed_args": False})
@options.definition
@options.held
@click.option("--name", help="The guest's name while it lasts.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    template: str,
    approach: str,
    cpus: int,
    memory: int,
    disk: int,
    pool: str | None,
    name: str | None,
    command: tuple[str, ...],
    **held: Any,
) -> int:
    """Make a guest, run COMMAND in it, and destroy it.

    Input, output and exit status are the command's; 125 means that Wirt could not run it.
    """
    request = CreateRequest(
        name=name or f"run-{os.urandom(4).hex()}",
        template=template,
        approach=approach,
        limits=options.limits_of(cpus, memory, disk, held),
        pool=pool,
    )
    try:
        with app.open_context() as context:
            note = partial(options.note_unbounded, context)
            return run_in_guest(context, request, list(command), made=note)
    except Error as error:
        output.complain(error)
        return options.EXEC_FAILED
