"""``wirt pool``."""

import click
import msgspec

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops import pool as verbs
from wirt.units import render_bytes


@click.group(short_help="Make, list and remove places where roots live.")
def pool() -> None:
    """Make, list and remove places where roots live."""


@pool.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(verbs.KINDS), default="btrfs", show_default=True, help="What it is."
)
@click.option(
    "--size",
    type=options.BYTES,
    help="Of a file that is made for a btrfs, or of a thin pool in a group.",
)
@click.option("--device", help="The block device that a btrfs, or a volume group, is made on.")
@click.option("--group", help="The volume group that a thin pool is made in.")
@click.option("--path", help="The empty directory of a directory or image pool.")
@click.option("-f", "--force", is_flag=True, help="Lose what the device holds.")
def create(
    name: str,
    kind: str,
    size: int | None,
    device: str | None,
    group: str | None,
    path: str | None,
    force: bool,
) -> None:
    """Make the pool NAME; guests are put there by wirt create --pool NAME."""
    request = verbs.PoolRequest(
        name=name, kind=kind, size=size, device=device, group=group, path=path
    )
    with app.open_context() as context:
        made = verbs.create_pool(context, request, force=force)
    output.say(f"pool {name} created: {made.kind}, {made.source or made.path}")


@pool.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_pools(as_json: bool) -> None:
    """List the pools: those that every home has, then those that were made."""
    with app.open_context() as context:
        found = verbs.list_pools(context)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        (one.name, one.kind, _free(one), str(len(one.guests)), one.source or one.path)
        for one in found
    ]
    output.say(output.columns(("NAME", "KIND", "FREE", "GUESTS", "ON"), rows))


@pool.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show everything about the pool NAME."""
    with app.open_context() as context:
        found = verbs.show_pool(context, name)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        ("name", found.name),
        ("kind", found.kind),
        ("path", found.path),
        ("on", found.source or "-"),
        ("free", _free(found)),
        ("guests", ", ".join(found.guests) or "-"),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))


@pool.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the pool NAME, which no guest may be on, and the file system that was made for it."""
    with app.open_context() as context:
        verbs.remove_pool(context, name)
    output.say(f"pool {name} removed")


def _free(report: verbs.PoolReport) -> str:
    return "-" if report.bytes_free is None else render_bytes(report.bytes_free)
