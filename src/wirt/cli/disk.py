"""``wirt disk``."""

import os

import click
import msgspec

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.disk import FORMATS
from wirt.ops import disk as verbs
from wirt.units import render_bytes


@click.group(short_help="Give a guest further disks.")
def disk() -> None:
    """Give a guest with a kernel of its own further disks, and take them away, while it runs too."""


@disk.command()
@click.argument("guest")
@click.argument("source", required=False)
@click.option("--size", type=options.BYTES, help="Of a new disk in the guest's pool.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="What SOURCE is in.")
@click.option("--name", help="What it is called; chosen if left out.")
@click.option("--read-only", is_flag=True, help="The guest cannot write to it.")
@click.option("--cdrom", is_flag=True, help="SOURCE is a CD (raw), in a drive of its own.")
def add(
    guest: str,
    source: str | None,
    size: int | None,
    form: str | None,
    name: str | None,
    read_only: bool,
    cdrom: bool,
) -> None:
    """Give GUEST a disk: a new one of its pool, or SOURCE, a file or block device of the node."""
    request = verbs.DiskRequest(
        size=size,
        source=None if source is None else os.path.abspath(source),
        format="raw" if cdrom and form is None else form,
        name=name,
        read_only=read_only,
        is_cdrom=cdrom,
    )
    with app.open_context() as context:
        added = verbs.add_disk(context, guest, request)
    output.say(f"guest {guest} has disk {added.name} now")


@disk.command("list")
@click.argument("guest", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_disks(guest: str | None, as_json: bool) -> None:
    """List the further disks of GUEST, or of all guests."""
    with app.open_context() as context:
        found = verbs.list_disks(context, guest)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
    elif not found:
        output.note("there are no further disks; see wirt disk add --help")
    else:
        rows = [
            (
                one.guest,
                one.disk.name,
                "-" if one.size is None else render_bytes(one.size),
                "read" if one.disk.read_only else "write",
                one.device,
                f"{one.disk.source} ({one.disk.format})" if one.disk.source else "pool",
            )
            for one in found
        ]
        output.say(output.columns(("GUEST", "DISK", "SIZE", "ACCESS", "DEVICE", "ON"), rows))


@disk.command()
@click.argument("guest")
@click.argument("disk")
def remove(guest: str, disk: str) -> None:
    """Take DISK out of GUEST; one of its pool is deleted with what is on it."""
    with app.open_context() as context:
        removed = verbs.remove_disk(context, guest, disk)
    output.say(f"guest {guest} has no disk {removed.name} any more")


@disk.command()
@click.argument("guest")
@click.argument("disk")
@click.argument("size", type=options.BYTES)
def grow(guest: str, disk: str, size: int) -> None:
    """Make DISK of GUEST, which is of its pool, as large as SIZE."""
    with app.open_context() as context:
        grown = verbs.grow_disk(context, guest, disk, size)
    assert grown.size is not None
    output.say(f"disk {grown.name} of guest {guest} has {render_bytes(grown.size)} now")
