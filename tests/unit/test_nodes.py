"""The other nodes that guests can go to, over two nodes of fakes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests import fakes, pair
from tests.pair import B, Nodes

from wirt.errors import Conflict, Error, InvalidInput, NotFound
from wirt.model.node import Node
from wirt.ops.nodes import add_node, find_node, list_nodes, remove_node
from wirt.state.sqlite import SqliteStore


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("node", "kind", "message"),
    [
        (
            Node(name="c"),
            InvalidInput,
            "where node c is has not been said; give --home DIR for a home on this machine, or --ssh "
            "USER@HOST",
        ),
        (
            Node(name="c", ssh="-oProxyCommand=x"),
            InvalidInput,
            "'-oProxyCommand=x' is no host; write USER@HOST",
        ),
        (
            Node(name="c", ssh="h", netns="/run/netns/c"),
            InvalidInput,
            "the network of node c is another machine's; leave --netns out",
        ),
        (
            Node(name="c", home="c"),
            InvalidInput,
            "'c' does not say where node c is; give the whole path, from / on",
        ),
        (
            Node(name="c", ssh="root@c", run="run"),
            InvalidInput,
            "'run' does not say where node c is; give the whole path, from / on",
        ),
        (
            Node(name="c", home="/c", ssh_options=("-v",)),
            InvalidInput,
            "node c is on this machine and not reached by ssh; leave --ssh-option out",
        ),
        (
            B,
            Conflict,
            "there is a node b already; choose another name or remove it first: wirt node remove b",
        ),
    ],
)
def test_node_that_makes_no_sense_is_not_added(
    nodes: Nodes, node: Node, kind: type[Error], message: str
) -> None:
    with pytest.raises(kind) as caught:
        add_node(nodes.context(), node)

    assert str(caught.value) == message


def test_own_home_is_no_other_node(nodes: Nodes) -> None:
    context = nodes.context()
    with pytest.raises(InvalidInput) as caught:
        add_node(context, Node(name="c", home=context.home.data))

    assert str(caught.value) == "node c cannot be this home itself; give another --home"


def test_nodes_are_listed_with_what_they_say_and_forgotten(nodes: Nodes) -> None:
    assert [(one.node, one.trouble) for one in list_nodes(nodes.context())] == [(B, None)]
    assert [one.trouble for one in list_nodes(nodes.context(cut_at=1))] == [
        "node b does not answer: the link was cut"
    ]

    remove_node(nodes.context(), "b")

    with pytest.raises(NotFound) as caught:
        find_node(nodes.context(), "b")
    assert str(caught.value) == "there is no node b; see wirt node list, or add it: wirt node add"
    with closing(SqliteStore(fakes.home_in(nodes.bases["b"]).database)) as store:
        assert store.setting("home-id")
