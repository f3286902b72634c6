"""``wirt doctor``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.console.doctor import render_doctor


@click.command(short_help="Say what this node can do, and why not.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say what this node can do: yes, or no with the reason and what to do about it."""
    diagnosis = app.diagnose_node(app.find_home())
    output.say(msgspec.json.encode(diagnosis).decode() if as_json else render_doctor(diagnosis))
