"""``wirt snapshot``."""

import os
import time

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.ops import snapshot as verbs
from wirt.units import render_bytes, render_seconds


@click.group(short_help="Keep what a guest's root is now, and go back to it.")
def snapshot() -> None:
    """Keep what a guest's root is now, look at it and go back to it."""


@snapshot.command()
@click.argument("guest")
@click.argument("name", required=False)
@click.option("--disks", is_flag=True, help="Keep its further disks in the pool too.")
@click.option("--description", default="", metavar="TEXT", help="What is said of it in lists.")
def create(guest: str, name: str | None, disks: bool, description: str) -> None:
    """Keep what the root of GUEST is now, as the snapshot NAME.

    Left out, NAME is the date and time in UTC. A running guest goes on, held still for the instant where its pool needs it.
    """
    with app.open_context() as context:
        made = verbs.create_snapshot(
            context, guest, name, with_disks=disks, description=description
        )
    kept = f" with {', '.join(made.disks)}" if made.disks else ""
    output.say(f"snapshot {made.name} of guest {guest} created{kept}")
    if made.is_torn:
        output.note("its disk is as after a power cut: the guest's agent did not hold it still")


@snapshot.command("list")
@click.argument("guest")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_snapshots(guest: str, as_json: bool) -> None:
    """List the snapshots of GUEST, the oldest first."""
    with app.open_context() as context:
        found = verbs.list_snapshots(context, guest)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
    elif not found:
        output.note(f"no snapshots yet; make one with: wirt snapshot create {guest}")
    else:
        rows = [
            (
                one.name,
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.created)),
                render_seconds(max(0.0, time.time() - one.created)),
                render_bytes(one.bytes),
                "-" if one.memory is None else render_bytes(one.memory),
                one.mounted or "-",
                one.description or one.title,
            )
            for one in found
        ]
        heads = ("NAME", "CREATED", "AGE", "SIZE", "MEMORY", "MOUNTED", "DESCRIPTION")
        shown = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
        output.say(output.columns(heads[:shown], [row[:shown] for row in rows]))


@snapshot.command()
@click.argument("guest")
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="End the guest first if it runs.")
def restore(guest: str, name: str, force: bool) -> None:
    """Make the root of GUEST what it was at the snapshot NAME.

    What has changed since is lost. The guest is not started; the snapshot stays.
    """
    with app.open_context() as context:
        verbs.restore_snapshot(context, guest, name, force=force)
    output.say(f"guest {guest} restored to snapshot {name}")


@snapshot.command()
@click.argument("guest")
@click.argument("name")
def delete(guest: str, name: str) -> None:
    """Delete the snapshot NAME of GUEST."""
    with app.open_context() as context:
        verbs.delete_snapshot(context, guest, name)
    output.say(f"snapshot {name} of guest {guest} deleted")


@snapshot.command()
@click.argument("guest")
@click.argument("name")
def mount(guest: str, name: str) -> None:
    """Show the snapshot NAME of GUEST on the node, to be read only, and print where."""
    with app.open_context() as context:
        output.say(verbs.mount_snapshot(context, guest, name))


@snapshot.command()
@click.argument("guest")
@click.argument("name")
def unmount(guest: str, name: str) -> None:
    """Undo what wirt snapshot mount did."""
    with app.open_context() as context:
        verbs.unmount_snapshot(context, guest, name)
    output.say(f"snapshot {name} of guest {guest} unmounted")


@snapshot.command("export")
@click.argument("guest")
@click.argument("name")
@click.argument("file", type=click.Path())
@click.option("--without-template", is_flag=True, help="Leave out the template that it rests on.")
@click.option("-f", "--force", is_flag=True, help="Replace FILE.")
def export_snapshot(
    guest: str, name: str, file: str, *, without_template: bool, force: bool
) -> None:
    """Write the snapshot NAME of GUEST to FILE: its disk, its memory if it is a checkpoint, its definition, its template."""
    from wirt.ops.snapshotfiles import export_snapshot as write_out

    with app.open_context() as context:
        size = write_out(
            context,
            guest,
            name,
            os.path.abspath(file),
            with_template=not without_template,
            force=force,
        )
    output.say(f"snapshot {name} of guest {guest} exported: {file}, {render_bytes(size)}")


@snapshot.command("import")
@click.argument("file", type=click.Path())
@click.argument("name", required=False)
def import_snapshot(file: str, name: str | None) -> None:
    """Make a guest of FILE, stopped, with its disk as it was at the snapshot, which it has.

    Left out, NAME is what it was called. Id, addresses and MACs stay: so no other guest may have them. FILE is to be from somebody
    who may be root here: memory is made of what it says.
    """
    from wirt.ops.snapshotfiles import import_snapshot as take_in

    with app.open_context() as context:
        made = take_in(context, os.path.abspath(file), name, progress=output.note)
    kept = made.snapshots[0]
    output.say(
        f"guest {made.name} imported: {made.approach}, {made.address}, snapshot {kept.name}"
        + (f"; go on with wirt resume {made.name}" if kept.memory is not None else "")
    )
