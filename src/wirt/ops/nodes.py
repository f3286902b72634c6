"""``node add``, ``list``, ``remove``: the other nodes that guests can go to."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wirt.errors import Conflict, Error, NotFound, WrongState
from wirt.model.names import check_name
from wirt.model.node import Node, check_node
from wirt.ops.context import Context
from wirt.ops.moving.protocol import VERSION, Facts

_SETTING = "nodes"


class KnownNode(msgspec.Struct, frozen=True, kw_only=True):
    """Another node as it is listed."""

    node: Node
    facts: Facts | None
    """What it says of itself; None: it does not answer."""
    trouble: str | None
    """Why it does not."""


def known_nodes(context: Context) -> list[Node]:
    """Return the other nodes by name; none of them is asked."""
    kept = context.store.setting(_SETTING)
    return msgspec.json.decode(kept, type=list[Node]) if kept else []


def find_node(context: Context, name: str) -> Node:
    """Return another node by name.

    Raises:
        NotFound: none of that name was added.
    """
    for node in known_nodes(context):
        if node.name == name:
            return node
    raise NotFound(f"there is no node {name}", hint="see wirt node list, or add it: wirt node add")


def add_node(context: Context, node: Node) -> Facts:
    """Add another node once it has answered, and return what it says of itself.

    Guests keep their addresses when they go there, so both must have the same subnet. A node that has no guests takes ours.

    Raises:
        InvalidInput, Conflict: it cannot be; nothing was changed.
        LinkLost: it does not answer.
    """
    check_name(node.name, "node")
    check_node(node, own_home=context.home.data)
    with context.nodes_lock():
        if any(other.name == node.name for other in known_nodes(context)):
            raise Conflict(
                f"there is a node {node.name} already",
                hint=f"choose another name or remove it first: wirt node remove {node.name}",
            )
        subnet = context.gateway().look().subnet
        with context.link(node).open() as session:
            facts = msgspec.json.decode(session.ask("hello"), type=Facts)
            check_facts(node, facts)
            if facts.home_id == home_id(context):
                raise Conflict(f"node {node.name} is this home itself", hint="give another")
            if facts.subnet != subnet:
                if facts.guests:
                    raise _other_subnet(node.name, facts.subnet, subnet)
                session.ask("subnet", msgspec.json.encode(subnet))
                facts = msgspec.structs.replace(facts, subnet=subnet)
        _keep(context, [*known_nodes(context), node])
    return facts


@contextmanager
def known_briefly(context: Context, node: Node) -> Iterator[None]:
    """Have another node be known for as long as the block runs; then all is as it was before, over there too.

    Raises:
        As ``add_node``.
    """
    before = ask_facts(context, node)
    facts = add_node(context, node)
    try:
        yield
    finally:
        remove_node(context, node.name)
        if facts.subnet != before.subnet:
            with context.link(node).open() as session:
                session.ask("subnet", msgspec.json.encode(before.subnet))


def remove_node(context: Context, name: str) -> None:
    """Forget another node; nothing over there is changed.

    Raises:
        NotFound: there is none of that name.
        WrongState: a guest is being handed over to it.
    """
    with context.nodes_lock():
        find_node(context, name)
        for intent in context.store.intents():
            if intent.node == name:
                raise WrongState(
                    f"guest {intent.guest.name} is being handed over to node {name}",
                    hint="wait until it has been",
                )
        _keep(context, [node for node in known_nodes(context) if node.name != name])


def list_nodes(context: Context) -> list[KnownNode]:
    """Return the other nodes by name, each with what it says now."""
    return [_look(context, node) for node in known_nodes(context)]


def check_facts(node: Node, facts: Facts) -> None:
    """Check that we understand each other.

    Raises:
        Conflict: another version of Wirt is over there.
    """
    if facts.version != VERSION:
        raise Conflict(
            f"Wirt on node {node.name} talks version {facts.version}, and here {VERSION}",
            hint="install the same version on both",
        )


def home_id(context: Context) -> str:
    """Return what tells this home from all others; made when it is first asked for."""
    with open("/proc/sys/kernel/random/uuid") as file:
        return context.store.keep("home-id", file.read().strip())


def _other_subnet(name: str, theirs: str, ours: str) -> Conflict:
    return Conflict(
        f"node {name} has guests in {theirs}, and this one has {ours}: a guest could not keep its "
        "address",
        hint="add a node that has no guests yet",
    )


def ask_facts(context: Context, node: Node) -> Facts:
    """Return what a node says of itself.

    Raises:
        LinkLost: it does not answer.
    """
    with context.link(node).open() as session:
        return msgspec.json.decode(session.ask("hello"), type=Facts)


def _look(context: Context, node: Node) -> KnownNode:
    try:
        facts = ask_facts(context, node)
    except Error as error:
        return KnownNode(node=node, facts=None, trouble=error.message)
    return KnownNode(node=node, facts=facts, trouble=None)


def _keep(context: Context, nodes: list[Node]) -> None:
    nodes.sort(key=lambda node: node.name)
    context.store.change(_SETTING, msgspec.json.encode(nodes).decode())
