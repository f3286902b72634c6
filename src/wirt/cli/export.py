"""``wirt export``."""

import os

import click

from wirt import app
from wirt.console import output
from wirt.model.disk import IMAGE_FORMATS
from wirt.ops import exports
from wirt.units import render_bytes


@click.command()
@click.argument("guest")
@click.argument("file", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(IMAGE_FORMATS),
    required=True,
    help="What FILE is to be.",
)
@click.option("-f", "--force", is_flag=True, help="Replace FILE.")
def export(guest: str, file: str, form: str, force: bool) -> None:
    """Write the disk of GUEST, which is stopped, to FILE."""
    with app.open_context() as context:
        size = exports.export_guest(context, guest, os.path.abspath(file), form, force=force)
    output.say(f"guest {guest} exported: {file}, {render_bytes(size)}")
