"""``wirt boot``."""

import os
import sys

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.host import files
from wirt.ops.boot import boot as boot_guests
from wirt.ops.boot import build_unit
from wirt.ops.start import READY_SECONDS

_HOME_VARIABLES = ("WIRT_HOME", "WIRT_RUN", "WIRT_ETC")


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
        for booted in boot_guests(context, ready_seconds=timeout):
            if booted.error is None:
                output.say(f"guest {booted.guest.name} started: {booted.guest.address}")
            else:
                output.complain(booted.error)
                failed = True
    return 1 if failed else 0


def _write_unit(path: str) -> None:
    home = {name: os.environ[name] for name in _HOME_VARIABLES if os.environ.get(name)}
    text = build_unit(os.path.abspath(sys.argv[0]), home)
    with files.translated(f"write {path}"):
        files.write_atomically(path, text.encode(), mode=0o644)
    output.say(f"{path} written; switch it on with: systemctl enable {os.path.basename(path)}")
