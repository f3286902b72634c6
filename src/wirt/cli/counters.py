"""``wirt counters``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.console.counters import render_counters, render_explanation
from wirt.ops.counters import read_counters


@click.command()
@click.argument("name")
@click.option("--explain", is_flag=True, help="Say how each is counted, and what is left out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def counters(name: str, explain: bool, as_json: bool) -> None:
    """Show what the running guest NAME holds, as OpenVZ's beancounters do."""
    with app.open_context() as context:
        found = read_counters(context, name)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
    else:
        output.say(render_explanation(found) if explain else render_counters(found))
