"""``wirt node``."""

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.console.node import render_node
from wirt.model.node import Node
from wirt.ops.node import report_node, reserve_share


@click.group(invoke_without_command=True, short_help="Show this node; add, list and remove others.")
@click.option("--reserve", type=float, help="Percent of the node that is kept from guarantees.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def node(ctx: click.Context, reserve: float | None, as_json: bool) -> None:
    """Show what the node has, and what of it is guaranteed, limited and in use; or know others."""
    if ctx.invoked_subcommand is not None:
        return
    with app.open_context() as context:
        if reserve is not None:
            reserve_share(context, reserve)
        report = report_node(context)
    output.say(msgspec.json.encode(report).decode() if as_json else render_node(report))


@node.command()
@click.argument("name")
@click.option("--home", help="Its WIRT_HOME.")
@click.option("--run", help="Its WIRT_RUN; of a home on this machine, HOME/run if left out.")
@click.option("--netns", help="Name or path of the network namespace that it is in.")
@click.option("--ssh", metavar="USER@HOST", help="The machine that it is on.")
@click.option("--ssh-option", "ssh_options", multiple=True, help="An option for ssh, as -p2222.")
@click.option("--program", default="wirt", show_default=True, help="What Wirt is called there.")
def add(
    name: str,
    home: str | None,
    run: str | None,
    netns: str | None,
    ssh: str | None,
    ssh_options: tuple[str, ...],
    program: str,
) -> None:
    """Add the node NAME, which guests can go to.

    It is another home on this machine (--home), in a network of its own (--netns), or on another machine (--ssh). One that has no
    guests yet takes this node's subnet.
    """
    from wirt.ops.nodes import add_node

    path = netns if netns is None or netns.startswith("/") else f"/run/netns/{netns}"
    described = Node(
        name=name,
        home=home,
        run=run,
        netns=path,
        ssh=ssh,
        ssh_options=ssh_options,
        program=program,
    )
    with app.open_context() as context:
        facts = add_node(context, described)
    output.say(f"node {name} added: {described.place}, {facts.subnet}")


@node.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_nodes(as_json: bool) -> None:
    """List the other nodes, and whether they answer."""
    from wirt.ops import nodes

    with app.open_context() as context:
        found = nodes.list_nodes(context)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        (
            one.node.name,
            str(one.facts.guests) if one.facts else "-",
            one.node.place,
            "answers" if one.facts else str(one.trouble),
        )
        for one in found
    ]
    output.say(output.columns(("NAME", "GUESTS", "ON", "STATE"), rows))


@node.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the node NAME; nothing over there is changed."""
    from wirt.ops.nodes import remove_node

    with app.open_context() as context:
        remove_node(context, name)
    output.say(f"node {name} removed")
