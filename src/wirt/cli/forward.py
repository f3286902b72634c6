"""``wirt forward``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.model.forward import parse_forward
from wirt.ops import forward as verbs
from wirt.ops.guests import observed


@click.group(short_help="Lead ports of the node to a guest.")
def forward() -> None:
    """Lead ports of the node to a guest while it runs.

    A FORWARD is [ADDRESS:]PORT:PORT[/tcp|udp], the node's port before the guest's, such as 8080:80; 5000-5009:5000-5009/udp for
    several; 192.0.2.2:8080:80 or [2001:db8::2]:8080:80 for one address of the node.
    """


@forward.command()
@click.argument("guest")
@click.argument("forward")
def add(guest: str, forward: str) -> None:
    """Lead ports of the node to GUEST; it is kept."""
    wanted = parse_forward(forward)
    with app.open_context() as context:
        changed = verbs.add_forward(context, guest, wanted)
    output.say(f"{wanted} leads to guest {changed.name} now")


@forward.command("list")
@click.argument("guest", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_forwards(guest: str | None, as_json: bool) -> None:
    """List what leads to GUEST, or to all guests."""
    with app.open_context() as context:
        found = [context.store.find(guest)] if guest else context.store.guests()
        shown = [(observed(context, one), forward) for one in found for forward in one.forwards]
    if as_json:
        listed = [
            {"guest": one.name, "address": one.address, "forward": forward}
            for one, forward in shown
        ]
        output.say(msgspec.json.encode(listed).decode())
    elif not shown:
        output.note("nothing is forwarded; see wirt forward add --help")
    else:
        rows = [
            (
                one.name,
                str(forward),
                one.address,
                "yes" if one.state.is_up else "no",
            )
            for one, forward in shown
        ]
        output.say(output.columns(("GUEST", "FORWARD", "TO", "ACTIVE"), rows))


@forward.command()
@click.argument("guest")
@click.argument("forward")
def remove(guest: str, forward: str) -> None:
    """Lead ports of the node to GUEST no more."""
    wanted = parse_forward(forward)
    with app.open_context() as context:
        changed = verbs.remove_forward(context, guest, wanted)
    output.say(f"{wanted} does not lead to guest {changed.name} any more")
