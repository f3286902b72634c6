"""``wirt migrate``."""

import click
import msgspec

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.console.migration import render_migration
from wirt.errors import InvalidInput
from wirt.model.migration import Mode
from wirt.ops import migrate as verbs


@click.command()
@click.argument("guest")
@click.argument("node", required=False)
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    help="How it goes; chosen if left out.",
)
@click.option("--check", is_flag=True, help="Say whether it can go, and change nothing.")
@click.option("--abort", is_flag=True, help="Have the command that is at it give up.")
@click.option("--resume", is_flag=True, help="No error if it has gone already.")
@click.option(
    "--timeout",
    type=options.SECONDS,
    default="60s",
    show_default=True,
    help="How long its own shutdown may take before it is ended.",
)
@click.option(
    "--downtime",
    type=options.SECONDS,
    help="How long a guest with its own kernel may stand still at the end.  [default: 300ms]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(
    guest: str,
    node: str | None,
    mode: str | None,
    check: bool,
    abort: bool,
    resume: bool,
    timeout: float,
    downtime: float | None,
    as_json: bool,
) -> None:
    """Have GUEST go to NODE, with its root, definition, address and MAC.

    A running guest is copied while it runs, stopped, and started there. Until it runs there it is this node's.
    """
    if abort:
        with app.open_context() as context:
            state = verbs.abort(context, guest).state
        output.say(f"guest {guest} stays here, {state}")
        return
    if node is None:
        raise InvalidInput("where to has not been said", hint="see wirt node list")
    request = verbs.MigrateRequest(
        guest=guest,
        node=node,
        mode=None if mode is None else Mode(mode),
        timeout=timeout,
        downtime=downtime,
    )
    with app.open_context() as context:
        if resume and verbs.is_there(context, guest, node):
            output.say(f"guest {guest} is on node {node} already")
            return
        if check:
            chosen, why = verbs.check(context, request)
            output.say(f"guest {guest} can go to node {node}: {chosen}, {why}")
            return
        done = verbs.migrate(context, request, progress=output.note)
    output.say(msgspec.json.encode(done).decode() if as_json else render_migration(done))
    if done.trouble is not None:
        output.note(done.trouble)
