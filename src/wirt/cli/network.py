"""``wirt network``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.ops.network import describe, set_outbound


@click.group(short_help="The guests' way to other networks.")
def network() -> None:
    """Show this home's network, and let its guests reach others or not."""


@network.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show how this home's network stands."""
    with app.open_context() as context:
        found = describe(context)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        ("bridge", f"{found.reach.bridge}, {'up' if found.reach.is_up else 'not there yet'}"),
        ("subnet", found.reach.subnet),
        ("outbound", found.outbound.value),
        ("switched on", ", ".join(found.reach.switched) or "-"),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))


@network.command()
@click.argument("switch", metavar="on|off", type=click.Choice(["on", "off"]))
def nat(switch: str) -> None:
    """Let guests reach outside under the node's address, or not; off until it is switched on."""
    wanted = switch == "on"
    with app.open_context() as context:
        set_outbound(context, wanted=wanted)
    output.say(f"guests {'reach outside now' if wanted else 'do not reach outside any more'}")
