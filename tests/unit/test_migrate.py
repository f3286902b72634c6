"""Guests that go to another node, over two nodes of fakes."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests import fakes, pair
from tests.pair import Nodes
from typing_extensions import override

from wirt.approaches.fake import FakeApproach
from wirt.errors import (
    Conflict,
    Corrupt,
    Error,
    Failed,
    NotFound,
    Unsupported,
    WrongState,
)
from wirt.host import interrupts
from wirt.model.card import Card, CardKind
from wirt.model.checkpoint import Obstacle
from wirt.model.disk import Disk
from wirt.model.forward import Forward
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.limits import Limits
from wirt.model.migration import Migration, Mode
from wirt.model.naming import Naming
from wirt.model.node import Node
from wirt.ops.cards import NewCard, add_card
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze
from wirt.ops.migrate import MigrateRequest, abort, check, is_there
from wirt.ops.networks import add_network, remove_network
from wirt.ops.nodes import remove_node
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.base import Intent
from wirt.state.sqlite import SqliteStore
from wirt.transport.base import Link, LinkLost
from wirt.transport.fake import FakeLink


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


def memory_of(nodes: Nodes, name: str, guest: Guest) -> Path:
    """Return the file that plays the memory of a guest that runs."""
    base = nodes.bases[name]
    return base / "kernel/guests" / fakes.home_in(base).place(guest.id).name / "init"


def change(nodes: Nodes, **fields: object) -> Guest:
    store = nodes.stores["a"]
    web = msgspec.structs.replace(store.find("web"), **fields)
    store.settle(web.id, web)
    return web


def test_stopped_guest_goes_whole_and_stays_stopped(nodes: Nodes) -> None:
    web = change(
        nodes,
        number=101,
        naming=Naming(hostname="www"),
        forwards=(Forward(port=80, guest_port=80),),
    )
    done = nodes.go()

    assert nodes.stores["b"].find("web") == web
    assert nodes.holders() == [("b", "stopped")]
    there = Path(nodes.other().home.pool("fake"), web.id, "root/data")
    assert there.read_text() == "data"
    assert nodes.roots() == ["b"]
    assert (done.mode, done.why) == (Mode.COLD, "guest web is stopped")
    assert done.downtime_seconds is None
    assert [stage.name for stage in done.stages] == [
        "check",
        "prepare there",
        "first copy",
        "take there",
        "delete here",
    ]
    assert msgspec.json.decode(Path(done.kept).read_bytes(), type=Migration) == done


def test_running_guest_is_stopped_here_and_started_there(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    done = nodes.go(mode=Mode.REFRESH)

    assert nodes.holders() == [("b", "running")]
    assert nodes.engines() == ["b"]
    assert (done.mode, done.why) == (Mode.REFRESH, "as asked for")
    assert done.downtime_seconds is not None
    assert [stage.name for stage in done.stages][-5:] == [
        "stop",
        "last copy",
        "start there",
        "ready there",
        "delete here",
    ]
    assert stop(nodes.other(), "web").state is State.STOPPED


def test_running_guest_goes_with_its_memory_if_it_can(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    web = nodes.stores["a"].find("web")
    (memory_of(nodes, "a", web)).write_text("what it held")
    done = nodes.go()

    assert nodes.holders() == [("b", "running")]
    assert (nodes.engines(), nodes.roots()) == (["b"], ["b"])
    assert memory_of(nodes, "b", web).read_text() == "what it held"
    assert (done.mode, done.why) == (Mode.LIVE, "guest web can go with its memory")
    assert [stage.name for stage in done.stages][-9:] == [
        "hold still",
        "last copy",
        "set up there",
        "dump",
        "send memory",
        "stop",
        "start there",
        "ready there",
        "delete here",
    ]
    assert os.listdir(nodes.other().home.guest(web.id)) == []


def test_guest_whose_memory_cannot_go_is_stopped_for_it_and_told_why(nodes: Nodes) -> None:
    context = nodes.context()
    start(context, "web")
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.obstacles.append(
        Obstacle(what="mount /mnt", reason="is of the node", hint="unmount it")
    )
    with pytest.raises(Unsupported) as caught:
        nodes.go(context, mode=Mode.LIVE)
    done = nodes.go(context)

    assert str(caught.value) == ("guest web cannot go live: mount /mnt is of the node; unmount it")
    assert (done.mode, done.why) == (Mode.REFRESH, "not live: mount /mnt is of the node")


def test_node_that_has_given_its_ids_away_takes_a_guest_without_its_memory(nodes: Nodes) -> None:
    web = nodes.stores["a"].find("web")
    other_guest(nodes, ids=web.ids)
    start(nodes.context(), "web")
    done = nodes.go()

    assert (done.mode, done.why) == (
        Mode.REFRESH,
        "not live: node b has given the ids of guest web to another guest",
    )
    assert nodes.stores["b"].find("web").ids != web.ids


def test_guest_whose_memory_cannot_be_sent_goes_on_with_it(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    web = nodes.stores["a"].find("web")
    memory_of(nodes, "a", web).write_text("what it held")
    # All rounds, each with another copy of the root, and what is sent while it stands still.
    for call in range(3, 9):
        with pytest.raises(LinkLost, match="the link was cut"):
            nodes.go(nodes.context(cut_at=call))

    assert nodes.holders() == [("a", "running")]
    assert memory_of(nodes, "a", web).read_text() == "what it held"
    assert nodes.stores["a"].find("web").handle == web.handle


def test_guest_that_the_other_node_cannot_let_go_on_goes_on_here_with_its_memory(
    nodes: Nodes,
) -> None:
    start(nodes.context(), "web")
    web = nodes.stores["a"].find("web")
    memory_of(nodes, "a", web).write_text("what it held")
    with pytest.raises(Failed, match="resume was told to fail"):
        nodes.go(nodes.context(fail="approach", at=1))

    assert nodes.holders() == [("a", "running")]
    assert (nodes.engines(), nodes.roots()) == (["a"], ["a"])
    assert memory_of(nodes, "a", web).read_text() == "what it held"
    assert os.listdir(nodes.context().home.guest(web.id)) == []


class Waiting(FakeLink):
    """A way on which nothing arrives."""

    def __init__(self, link: FakeLink, began: Path) -> None:
        super().__init__(link.name, link._serve)
        self._began = began

    @override
    def send(self, source: str, target: str, *, moving: bool = False) -> int:
        self._began.touch()
        time.sleep(60)
        raise AssertionError("nobody has given it up")


def test_migration_that_is_given_up_leaves_the_guest_as_it_was(
    nodes: Nodes, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    start(nodes.context(), "web")

    def link(node: Node) -> Link:
        return Waiting(fakes.link_to(nodes.bases["b"], node), began)

    child = os.fork()
    if child == 0:
        status = 1
        try:
            interrupts.install()
            store = SqliteStore(fakes.home_in(nodes.bases["a"]).database)
            nodes.go(fakes.open_context(nodes.bases["a"], store, link=link))
        except KeyboardInterrupt:
            status = 130
        finally:
            os._exit(status)
    deadline = time.monotonic() + 30
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    web = abort(nodes.context(), "web")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert web.state is State.RUNNING
    assert nodes.holders() == [("a", "running")]
    assert (nodes.engines(), nodes.roots()) == (["a"], ["a"])
    assert [store.intents() for store in nodes.stores.values()] == [[], []]


def test_guest_that_is_not_on_its_way_cannot_be_held_back(nodes: Nodes) -> None:
    with pytest.raises(WrongState) as caught:
        abort(nodes.context(), "web")
    assert str(caught.value) == (
        "guest web is not on its way to another node; there is nothing to give up"
    )
    context = nodes.context()
    web = context.store.find("web")
    with context.guest_lock(web):
        context.store.begin(Intent(guest=web, verb="handover", began=0.0, node="b"))
        with pytest.raises(WrongState) as late:
            abort(nodes.context(), "web")
        context.store.settle(web.id, web)
    assert str(late.value) == (
        "guest web is being handed over to node b; wait for the end, and have it come back from there"
    )


def test_guest_that_has_gone_is_found_there_and_not_here(nodes: Nodes) -> None:
    assert not is_there(nodes.context(), "web", "b")

    nodes.go()

    assert is_there(nodes.context(), "web", "b")


@pytest.mark.parametrize("mode", [*Mode])
@pytest.mark.parametrize("port", ["pool", "network", "approach"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_what_fails_there_leaves_the_guest_as_it_was_here(
    nodes: Nodes, port: str, call: int, mode: Mode
) -> None:
    is_running = mode is not Mode.COLD
    if is_running:
        start(nodes.context(), "web")
    try:
        nodes.go(nodes.context(fail=port, at=call), mode=mode)
    except Failed as error:
        # If it is in what every command begins with, there is nobody to answer.
        assert re.search("was told to fail|its process has ended", str(error))  # noqa: PT017
        assert nodes.holders() == [("a", "running" if is_running else "stopped")]
        assert nodes.engines() == (["a"] if is_running else [])
        assert nodes.roots() == ["a"]
    else:
        assert nodes.holders() == [("b", "running" if is_running else "stopped")]
    assert [store.intents() for store in nodes.stores.values()] == [[], []]


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_link_that_is_cut_leaves_the_guest_here(nodes: Nodes, call: int) -> None:
    start(nodes.context(), "web")
    try:
        nodes.go(nodes.context(cut_at=call), mode=Mode.REFRESH)
    except LinkLost as error:
        assert str(error) == "node b does not answer: the link was cut"  # noqa: PT017
        assert nodes.holders() == [("a", "running")]
        assert (nodes.engines(), nodes.roots()) == (["a"], ["a"])
    else:
        assert call == 4
        assert nodes.holders() == [("b", "running")]


def test_node_that_dies_in_the_handover_and_stays_away_leaves_the_guest_to_nobody(
    nodes: Nodes,
) -> None:
    context = nodes.context(cut_at=1)
    web = context.store.find("web")
    context.store.begin(Intent(guest=web, verb="handover", began=0.0, node="b"))

    with pytest.raises(Failed) as caught:
        start(context, "web")
    assert str(caught.value) == (
        "guest web was being handed over to node b and may run there: node b does not answer: the link "
        "was cut; it is settled by the first command that reaches the node"
    )
    with pytest.raises(WrongState) as refused:
        remove_node(context, "b")
    assert str(refused.value) == (
        "guest web is being handed over to node b; wait until it has been"
    )
    assert start(nodes.context(), "web").state is State.RUNNING


def test_guest_that_was_taken_and_destroyed_does_not_come_back(nodes: Nodes) -> None:
    context = nodes.context()
    web = context.store.find("web")
    nodes.stores["b"].change("arrivals", f'["{web.id}"]')
    context.store.begin(Intent(guest=web, verb="handover", began=0.0, node="b"))

    with pytest.raises(NotFound):
        start(context, "web")
    assert nodes.holders() == []
    assert nodes.stores["b"].setting("arrivals") == "[]"


def other_guest(nodes: Nodes, **fields: object) -> None:
    other = nodes.other()
    create(other, CreateRequest(name="other", approach="fake", template="tiny"))
    made = msgspec.structs.replace(other.store.find("other"), **fields)
    other.store.settle(made.id, made)


def with_number_taken(nodes: Nodes, number: int) -> None:
    other_guest(nodes, number=number)
    change(nodes, number=number)


REFUSALS: dict[str, tuple[Callable[[Nodes], object], type[Error], str]] = {
    "name": (
        lambda nodes: other_guest(nodes, name="web"),
        Conflict,
        "node b has a guest web already; rename one of the two: wirt rename",
    ),
    "address": (
        lambda nodes: other_guest(nodes, address=nodes.stores["a"].find("web").address),
        Conflict,
        "node b has a guest other with the address ADDRESS; destroy that first, or choose another",
    ),
    "number": (
        lambda nodes: with_number_taken(nodes, 7),
        Conflict,
        "node b has a guest other with the number 7; destroy that first",
    ),
    "port": (
        lambda nodes: change(nodes, forwards=(Forward(port=fakes.TAKEN_PORT, guest_port=22),)),
        Conflict,
        "on node b: port 22 of this node is in use; choose another",
    ),
    "guarantee": (
        lambda nodes: change(
            nodes,
            limits=msgspec.structs.replace(
                nodes.stores["a"].find("web").limits, cpus=2, cpu_guarantee=2.0
            ),
        ),
        Conflict,
        "on node b: guest web cannot be guaranteed 2 CPUs: the node has 1.8 CPUs for guests, and others are "
        "guaranteed 0 CPUs; ask for at most 1.8 CPUs, or pass --force",
    ),
    "disk-of-the-node": (
        lambda nodes: change(nodes, disks=(Disk(name="data", unit=1, source="/dev/vg0/data"),)),
        Unsupported,
        "guest web cannot go to another node: its disk data is this one's: /dev/vg0/data; remove it first: wirt "
        "disk remove web data",
    ),
    "frozen": (
        lambda nodes: (start(nodes.context(), "web"), freeze(nodes.context(), "web")),
        WrongState,
        "guest web is frozen; thaw it first",
    ),
    "command": (
        lambda nodes: change(nodes, lives_with="run-1"),
        Conflict,
        "guest web belongs to a command that runs; wait for its end",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_guest_that_cannot_go_is_told_why_and_nothing_is_changed(nodes: Nodes, why: str) -> None:
    prepare, kind, message = REFUSALS[why]
    prepare(nodes)
    before = nodes.holders()
    web = nodes.stores["a"].find("web")
    with pytest.raises(kind) as caught:
        check(nodes.context(), MigrateRequest(guest="web", node="b"))
    with pytest.raises(kind):
        nodes.go()

    assert str(caught.value).replace(web.address, "ADDRESS") == message
    assert nodes.holders() == before
    assert [store.intents() for store in nodes.stores.values()] == [[], []]


@pytest.mark.parametrize(
    ("is_running", "mode", "message"),
    [
        (True, Mode.COLD, "guest web is running; stop it first, or leave --mode out"),
        (False, Mode.REFRESH, "guest web does not run; leave --mode out, or cold"),
    ],
)
def test_mode_that_cannot_be_is_refused(
    nodes: Nodes, is_running: bool, mode: Mode, message: str
) -> None:
    if is_running:
        start(nodes.context(), "web")
    with pytest.raises(Unsupported) as caught:
        nodes.go(mode=mode)

    assert str(caught.value) == message


def test_guest_whose_users_have_quotas_does_not_go_where_nothing_counts_what_they_hold(
    nodes: Nodes,
) -> None:
    change(nodes, limits=Limits(user_quotas=True))
    with pytest.raises(Unsupported) as refused:
        nodes.go()

    assert str(refused.value) == (
        "node b cannot hold users of guest web to quotas: pool fake does not count what they hold; "
        "do without: wirt set web --user-quotas off, and restart it"
    )
    assert nodes.holders() == [("a", "stopped")]


def test_node_without_room_is_told_by_name(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirt.host.files.free_bytes", lambda path: 0)
    with pytest.raises(Error, match="node b has 0 B free on pool fake, and the root of guest web "):
        nodes.go()


def test_guest_whose_template_is_not_even_here_stays(nodes: Nodes) -> None:
    change(nodes, template_sha256="1" * 64)
    with pytest.raises(Corrupt) as caught:
        nodes.go()

    assert str(caught.value) == (
        "template tiny is not here in the version that guest web rests on; see wirt template list"
    )
    assert nodes.holders() == [("a", "stopped")]
    assert [store.intents() for store in nodes.stores.values()] == [[], []]


def test_guest_with_an_interface_of_its_node_stays(nodes: Nodes) -> None:
    device = Card(name="lan0", number=1, kind=CardKind.DEVICE, mac="", addresses=())
    change(nodes, cards=(device,))
    with pytest.raises(Unsupported) as caught:
        nodes.go()

    assert str(caught.value) == (
        "guest web has the interface lan0 of this node, which stays here; take it from the guest "
        "first: wirt card remove web lan0"
    )


def test_guest_on_a_private_network_goes_where_the_same_one_is(nodes: Nodes) -> None:
    add_network(nodes.context(), "back", "192.168.7.0/24")
    add_card(nodes.context(), "web", NewCard(network="back"))
    with pytest.raises(Unsupported) as missing:
        nodes.go()
    add_network(nodes.other(), "back", "192.168.8.0/24")
    with pytest.raises(Conflict) as other:
        nodes.go()
    remove_network(nodes.other(), "back")
    add_network(nodes.other(), "back", "192.168.7.0/24")
    nodes.go()

    assert str(missing.value) == (
        "node b has no network back, on which guest web has a card; add it there: wirt network add "
        "back --subnet 192.168.7.0/24"
    )
    assert str(other.value) == (
        "on node b network back has the subnet 192.168.8.0/24, and not 192.168.7.0/24; rename one of "
        "the two by removing and adding it"
    )
    assert nodes.holders() == [("b", "stopped")]
