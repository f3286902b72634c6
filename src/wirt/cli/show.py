"""``wirt show``."""

import time

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.ops.guests import observed
from wirt.units import render_bytes


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show everything about the guest NAME."""
    with app.open_context() as context:
        guest = observed(context, context.store.find(name))
        place = context.home.place(guest.id)
    if as_json:
        output.say(msgspec.json.encode(guest).decode())
        return
    rows = [
        ("name", guest.name),
        ("id", guest.id),
        ("state", guest.state.value),
        ("approach", guest.approach),
        ("template", f"{guest.template} ({guest.template_sha256[:12]})"),
        ("pool", guest.pool),
        ("cpus", str(guest.limits.cpus)),
        ("memory", render_bytes(guest.limits.memory)),
        ("disk", render_bytes(guest.limits.disk)),
        ("address", guest.address),
        ("mac", guest.mac),
        ("created", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(guest.created))),
        ("kernel name", place.name),
        ("log", place.log),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))
