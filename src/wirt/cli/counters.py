"""``wirt counters``."""

import os

import click
import msgspec

from wirt import app
from wirt.cli import options, units
from wirt.console import output
from wirt.console.counters import render_counters, render_explanation
from wirt.errors import InvalidInput
from wirt.ops.counters import build_units, read_counters, sample


@click.command()
@click.argument("name", required=False)
@click.option("--explain", is_flag=True, help="Say how each is counted, and what is left out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--sample", "samples", is_flag=True, help="Read those of every guest; show only what fails."
)
@click.option(
    "--write-unit",
    type=click.Path(),
    metavar="FILE.timer",
    help="Read nothing; write a timer of systemd, and its service, that sample.",
)
@click.option(
    "--every",
    type=options.SECONDS,
    default="60s",
    show_default=True,
    help="How often that timer samples.",
)
def counters(
    name: str | None,
    explain: bool,
    as_json: bool,
    samples: bool,
    write_unit: str | None,
    every: float,
) -> int:
    """Show what the running guest NAME holds, as OpenVZ's beancounters do."""
    if [name is not None, samples, write_unit is not None].count(True) != 1:
        raise InvalidInput(
            "name a guest, or pass either --sample or --write-unit", hint="see wirt counters --help"
        )
    if write_unit is not None:
        _write_units(write_unit, every)
    elif name is None:
        return _sample()
    else:
        _show(name, explain=explain, as_json=as_json)
    return 0


def _show(name: str, *, explain: bool, as_json: bool) -> None:
    with app.open_context() as context:
        found = read_counters(context, name)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
    else:
        output.say(render_explanation(found) if explain else render_counters(found))


def _sample() -> int:
    failed = False
    with app.open_context() as context:
        for error in sample(context):
            output.complain(error)
            failed = True
    return 1 if failed else 0


def _write_units(path: str, every: float) -> None:
    start, ending = os.path.splitext(path)
    if ending != ".timer" or not os.path.basename(start):
        raise InvalidInput(
            f"{path!r} is no name of a timer", hint="call it such as wirt-counters.timer"
        )
    if every < 1:
        raise InvalidInput(
            "a timer cannot sample more often than every second", hint="pass --every 1s or more"
        )
    service = f"{start}.service"
    once, again = build_units(
        units.own_program(),
        units.home_environment(),
        service=os.path.basename(service),
        every=every,
    )
    units.write_unit(service, once)
    units.write_unit(path, again)
    output.say(
        f"{service} and {path} written; switch them on with: "
        f"systemctl enable --now {os.path.basename(path)}"
    )
