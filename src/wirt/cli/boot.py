"""``wirt boot``."""

import os

import click

from wirt import app
from wirt.cli import options, units
from wirt.console import output
from wirt.ops.boot import boot as boot_guests
from wirt.ops.boot import build_unit
from wirt.ops.start import READY_SECONDS


@click.command()
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=f"{READY_SECONDS:g}s",
    show_default=True,
    help="How long to wait for each.",
)
@click.option(
    "--write-unit",
    type=click.Path(),
    metavar="FILE",
    help="Start nothing; write a unit of systemd that does it at boot.",
)
def boot(timeout: float, write_unit: str | None) -> int:
    """Start the guests that are to be started with the node, in their order."""
    if write_unit is not None:
        _write_unit(write_unit)
        return 0
    failed = False
    with app.open_context() as context:
        prepare, started = app.boot_preparation(context)
        for booted in boot_guests(context, ready_seconds=timeout, prepare=prepare, started=started):
            if booted.error is None:
                how = "resumed" if booted.resumed else "started"
                output.say(f"guest {booted.guest.name} {how}: {booted.guest.met_at}")
            else:
                output.complain(booted.error)
                failed = True
    return 1 if failed else 0


def _write_unit(path: str) -> None:
    units.write_unit(path, build_unit(units.own_program(), units.home_environment()))
    output.say(f"{path} written; switch it on with: systemctl enable {os.path.basename(path)}")
