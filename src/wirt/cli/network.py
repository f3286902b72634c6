"""``wirt network``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.ops import bridges, networks
from wirt.ops.network import describe, set_outbound


@click.group(short_help="The guests' networks, and their way to others.")
def network() -> None:
    """Show this home's network, let its guests reach others or not, and make private ones."""


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
        ("ipv6 range", found.reach.range6 or "none: IPv6 is switched off on this node"),
        ("outbound", found.outbound.value),
        ("switched on", ", ".join(found.reach.switched) or "-"),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))


@network.command()
@click.argument("name")
@click.option("--subnet", help="Where its addresses are from; chosen if left out.")
def add(name: str, subnet: str | None) -> None:
    """Make the private network NAME, on which guests reach each other and nothing else."""
    with app.open_context() as context:
        made = networks.add_network(context, name, subnet)
    output.say(f"network {name} added: {made.subnet}")


@network.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_networks(as_json: bool) -> None:
    """List the private networks."""
    with app.open_context() as context:
        found = bridges.list_networks(context)
        guests = context.store.guests()
    if as_json:
        output.say(msgspec.json.encode(found).decode())
    elif not found:
        output.note("there is no private network; see wirt network add --help")
    else:
        rows = []
        for one in found:
            using = [guest.name for guest in guests if networks.is_on(guest, one.name)]
            rows.append((one.name, one.subnet, ", ".join(using) or "-"))
        output.say(output.columns(("NAME", "SUBNET", "GUESTS"), rows))


@network.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the private network NAME, which no guest is on."""
    with app.open_context() as context:
        networks.remove_network(context, name)
    output.say(f"network {name} removed")


@network.command()
@click.argument("switch", metavar="on|off", type=click.Choice(["on", "off"]))
def nat(switch: str) -> None:
    """Let guests reach outside under the node's address, or not; off until it is switched on."""
    wanted = switch == "on"
    with app.open_context() as context:
        set_outbound(context, wanted=wanted)
    output.say(f"guests {'reach outside now' if wanted else 'do not reach outside any more'}")
