"""Snapshots, and the memory that is kept with some, go to another node with their guest: over two nodes of fakes."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests import pair
from tests.pair import Nodes
from tests.unit.test_migrate import change

from wirt.errors import Conflict, Error, Unsupported
from wirt.model.disk import Disk
from wirt.model.lifecycle import State
from wirt.model.migration import Mode
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.migrate import MigrateRequest, check
from wirt.ops.resume import resume
from wirt.ops.snapshot import create_snapshot, list_snapshots, restore_snapshot
from wirt.ops.start import start


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


def data_on(context: Context) -> Path:
    return Path(context.home.pool("fake"), context.store.find("web").id, "root/data")


def test_snapshots_go_along_and_can_be_gone_back_to_there(nodes: Nodes) -> None:
    create_snapshot(nodes.context(), "web", "one")
    data_on(nodes.context()).write_text("changed")
    create_snapshot(nodes.context(), "web", "two")
    stages = [stage.name for stage in nodes.go().stages]
    other = nodes.other()
    kept = [one.name for one in list_snapshots(other, "web")]
    now = data_on(other).read_text()
    restore_snapshot(other, "web", "one")

    assert stages.index("first copy") < stages.index("send snapshots")
    assert kept == ["one", "two"]
    assert (now, data_on(other).read_text()) == ("changed", "data")
    assert (nodes.roots(), nodes.holders()) == (["b"], [("b", "stopped")])


def test_snapshots_of_a_running_guest_go_before_it_is_stopped(nodes: Nodes) -> None:
    create_snapshot(nodes.context(), "web", "one")
    start(nodes.context(), "web")
    stages = [stage.name for stage in nodes.go(mode=Mode.REFRESH).stages]

    assert stages.index("send snapshots") < stages.index("stop") < stages.index("last copy")
    assert [one.name for one in list_snapshots(nodes.other(), "web")] == ["one"]


def test_checkpoint_goes_along_and_is_gone_on_from_there(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    checkpoint(nodes.context(), "web", "one")
    web = nodes.stores["a"].find("web")
    data_on(nodes.context()).write_text("after")
    nodes.go()
    other = nodes.other()
    running = resume(other, "web")

    assert running.state is State.RUNNING
    assert running.ids == web.ids
    assert data_on(other).read_text() == "data"
    assert not os.path.exists(nodes.context().home.checkpoint(web.id, "one"))


@pytest.mark.parametrize("call", range(1, 7))
def test_link_that_is_cut_leaves_guest_and_snapshots_here(nodes: Nodes, call: int) -> None:
    start(nodes.context(), "web")
    checkpoint(nodes.context(), "web", "one", keep_running=True)
    before = list_snapshots(nodes.context(), "web")
    try:
        nodes.go(nodes.context(cut_at=call), mode=Mode.REFRESH)
    except Error as error:
        assert str(error) == "node b does not answer: the link was cut"  # noqa: PT017
        assert (nodes.holders(), nodes.roots()) == ([("a", "running")], ["a"])
        assert list_snapshots(nodes.context(), "web") == before
        resume(nodes.context(), "web", force=True)
    else:
        assert call == 6
        assert [one.name for one in list_snapshots(nodes.other(), "web")] == ["one"]


def with_checkpoint_whose_ids_are_taken(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    checkpoint(nodes.context(), "web", "one")
    create(nodes.other(), CreateRequest(name="other", approach="fake", template="tiny"))
    store = nodes.stores["b"]
    other = msgspec.structs.replace(store.find("other"), ids=nodes.stores["a"].find("web").ids)
    store.settle(other.id, other)


def with_snapshot_and_disk(nodes: Nodes) -> None:
    create_snapshot(nodes.context(), "web", "one")
    change(nodes, disks=(Disk(name="data", unit=1),))


@pytest.mark.parametrize(
    ("prepare", "kind", "message"),
    [
        (
            with_checkpoint_whose_ids_are_taken,
            Conflict,
            "node b has given the ids of guest web to another guest, and checkpoint one is full of them; "
            "delete it first: wirt snapshot delete web one",
        ),
        (
            with_snapshot_and_disk,
            Unsupported,
            "guest web has snapshots, which do not go along with further disks; "
            "delete them first: wirt snapshot list web",
        ),
    ],
)
def test_what_cannot_go_along_is_said_beforehand(
    nodes: Nodes, prepare: object, kind: type[Error], message: str
) -> None:
    assert callable(prepare)
    prepare(nodes)
    with pytest.raises(kind) as caught:
        check(nodes.context(), MigrateRequest(guest="web", node="b"))

    assert str(caught.value) == message
    assert nodes.roots() == ["a", "b"][: 1 if kind is Unsupported else 2]
