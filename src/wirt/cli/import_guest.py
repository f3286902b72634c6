"""``wirt import``."""

import os

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.disk import IMAGE_FORMATS
from wirt.model.limits import Limits
from wirt.ops import imports
from wirt.ops.create import CreateRequest
from wirt.units import render_bytes


@click.command("import")
@click.argument("image")
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(IMAGE_FORMATS), required=True, help="What IMAGE is in."
)
@click.option("-a", "--approach", default="kvm", show_default=True, help="qemu or kvm.")
@click.option("--cpus", type=int, default=1, show_default=True, help="CPUs.")
@click.option("--memory", type=options.BYTES, default="512M", show_default=True, help="Memory.")
@click.option("--disk", type=options.BYTES, help="A larger disk than the image's.")
@click.option("--pool", help="Where its disk lives; chosen if left out.")
@click.option("--address", help="IPv4 address on the home's bridge; chosen if left out.")
@click.option("--screen", is_flag=True, help="A graphics card, seen by VNC; see wirt show.")
def import_guest(
    image: str,
    name: str,
    form: str,
    approach: str,
    cpus: int,
    memory: int,
    disk: int | None,
    pool: str | None,
    address: str | None,
    screen: bool,
) -> None:
    """Make a guest called NAME of IMAGE, which holds the disk of another machine."""
    request = CreateRequest(
        name=name,
        approach=approach,
        limits=Limits(cpus=cpus, memory=memory),
        pool=pool,
        address=address,
        has_screen=screen,
    )
    with app.open_context() as context:
        guest = imports.import_guest(context, request, os.path.abspath(image), form, disk=disk)
    size = render_bytes(guest.limits.disk)
    output.say(f"guest {guest.name} imported: {guest.approach}, {guest.address}, a disk of {size}")
