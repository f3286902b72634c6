"""``wirt create``."""

from typing import Any

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops.create import CreateRequest
from wirt.ops.create import create as create_guest


@click.command()
@click.argument("name")
@options.definition
@options.held
@click.option("--address", help="IPv4 address on the home's bridge; chosen if left out.")
@click.option("--force", is_flag=True, help="Guarantee more than the node has.")
def create(
    name: str,
    template: str,
    approach: str,
    cpus: int,
    memory: int,
    disk: int,
    pool: str | None,
    address: str | None,
    force: bool,
    **held: Any,
) -> None:
    """Make a guest called NAME from a template; it is not started."""
    request = CreateRequest(
        name=name,
        template=template,
        approach=approach,
        limits=options.limits_of(cpus, memory, disk, held),
        pool=pool,
        address=address,
        force=force,
    )
    with app.open_context() as context:
        guest = create_guest(context, request)
    output.say(f"guest {guest.name} created: {guest.approach}, {guest.address}")
