"""``wirt node``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.console.node import render_node
from wirt.ops.node import report_node, reserve_share


@click.command()
@click.option("--reserve", type=float, help="Percent of the node that is kept from guarantees.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def node(reserve: float | None, as_json: bool) -> None:
    """Show what the node has, and what of it is guaranteed, limited and in use."""
    with app.open_context() as context:
        if reserve is not None:
            reserve_share(context, reserve)
        report = report_node(context)
    output.say(msgspec.json.encode(report).decode() if as_json else render_node(report))
