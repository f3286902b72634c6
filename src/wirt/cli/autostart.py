"""``wirt autostart``."""

import click

from wirt import app
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.ops.autostart import DEFAULT_ORDER, LAST_ORDER, set_autostart


@click.command()
@click.argument("name")
@click.option(
    "--order",
    type=click.IntRange(0, LAST_ORDER),
    help=f"Its place: the lowest starts first.  [default: {DEFAULT_ORDER}]",
)
@click.option("--off", is_flag=True, help="It is not started with the node any more.")
def autostart(name: str, order: int | None, off: bool) -> None:
    """Have the guest NAME started with the node."""
    if off and order is not None:
        raise InvalidInput("--off and --order exclude each other", hint="leave one of them out")
    place = None if off else DEFAULT_ORDER if order is None else order
    with app.open_context() as context:
        guest = set_autostart(context, name, place)
    if guest.boot_order is None:
        output.say(f"guest {guest.name} is not started with the node")
    else:
        output.say(f"guest {guest.name} is started with the node, at {guest.boot_order}")
