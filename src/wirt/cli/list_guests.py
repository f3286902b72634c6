"""``wirt list``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.ops.guests import observed
from wirt.units import render_bytes


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_guests(as_json: bool) -> None:
    """List the guests of this home."""
    with app.open_context() as context:
        guests = [observed(context, guest) for guest in context.store.guests()]
    if as_json:
        output.say(msgspec.json.encode(guests).decode())
    elif not guests:
        output.note("no guests yet; make one with: wirt create NAME")
    else:
        heads = ("NAME", "STATE", "APPROACH", "ADDRESS", "CPUS", "MEMORY", "TEMPLATE")
        rows = [
            (
                guest.name,
                # As such a guest is not started, and what it was doing is not lost.
                "suspended" if guest.suspended else guest.state.value,
                guest.approach,
                "-" if guest.is_unaddressed else guest.address,
                str(guest.limits.cpus),
                render_bytes(guest.limits.memory),
                guest.template or "-",
            )
            for guest in guests
        ]
        output.say(output.columns(heads, rows))
