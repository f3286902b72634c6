"""``wirt doctor``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.console.doctor import render_doctor
from wirt.console.security import render_security
from wirt.model.home import Home
from wirt.ops.security import State


@click.command(short_help="Say what this node can do, and why not.")
@click.option("--security", is_flag=True, help="Say instead how well the node is kept from guests.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(security: bool, as_json: bool) -> int:
    """Say what this node can do: yes, or no with the reason and what to do about it.

    With --security the exit status is 1 if something is to be changed.
    """
    home = app.find_home()
    if security:
        return _security(home, as_json=as_json)
    diagnosis = app.diagnose_node(home)
    output.say(msgspec.json.encode(diagnosis).decode() if as_json else render_doctor(diagnosis))
    return 0


def _security(home: Home, *, as_json: bool) -> int:
    findings = app.examine_security(home)
    output.say(msgspec.json.encode(findings).decode() if as_json else render_security(findings))
    return 1 if any(finding.state is State.CHANGE for finding in findings) else 0
