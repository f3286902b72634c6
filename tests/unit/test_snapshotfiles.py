"""Snapshots and checkpoints as files: what becomes of them on another node, and that a bad one changes nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.pair import Nodes
from tests.snapshotfiles import add, below, change, data_on, kept, nodes, refused, take_in

from wirt.approaches.fake import FakeApproach
from wirt.errors import (
    Conflict,
    Corrupt,
    Error,
    Failed,
    NotFound,
    OutOfSpace,
    Unsupported,
)
from wirt.host import files
from wirt.model.capability import no
from wirt.model.lifecycle import State
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.resume import resume
from wirt.ops.snapshot import create_snapshot, list_snapshots
from wirt.ops.snapshotfiles import export_snapshot, read
from wirt.ops.start import start
from wirt.storage.fake import FakePool
from wirt.units import MIB

__all__ = ["kept", "nodes"]


def test_checkpoint_goes_on_elsewhere_from_a_file(nodes: Nodes, kept: str) -> None:
    web, other = nodes.context().store.find("web"), nodes.other()
    made = take_in(other, kept)
    now = data_on(other).read_text()
    data_on(other).write_text("changed")
    running = resume(other, "web")

    assert made.state is State.STOPPED
    assert (made.id, made.ids, made.address, made.mac) == (web.id, web.ids, web.address, web.mac)
    assert made.limits == web.limits
    assert now == "data"
    assert running.state is State.RUNNING
    assert data_on(other).read_text() == "data"
    assert [one.memory for one in list_snapshots(other, "web")] == [web.snapshots[0].memory]
    assert nodes.holders() == [("a", "running"), ("b", "running")]


def test_guest_can_be_given_another_name(nodes: Nodes, kept: str) -> None:
    create(
        nodes.other(),
        CreateRequest(name="web", approach="fake", template="tiny", address="10.64.0.9"),
    )
    made = take_in(nodes.other(), kept, "web-2")

    assert made.name == "web-2"
    assert resume(nodes.other(), "web-2").state is State.RUNNING


def test_file_holds_the_guest_as_it_was_and_that_snapshot_alone(
    nodes: Nodes, tmp_path: Path
) -> None:
    context = nodes.context()
    create_snapshot(context, "web", "zero")
    start(context, "web")
    checkpoint(context, "web", "one")
    create_snapshot(context, "web", "two")
    export_snapshot(context, "web", "one", str(tmp_path / "one"))
    what = read(str(tmp_path / "one"))

    assert [one.name for one in what.guest.snapshots] == ["one"]
    assert what.guest.state is State.STOPPED
    assert what.guest.handle is None
    assert what.machine == os.uname().machine
    assert what.brings_template


def test_snapshot_without_memory_goes_too(nodes: Nodes, tmp_path: Path) -> None:
    create_snapshot(nodes.context(), "web", "one")
    data_on(nodes.context()).write_text("after")
    export_snapshot(nodes.context(), "web", "one", str(tmp_path / "one"))
    made = take_in(nodes.other(), str(tmp_path / "one"))

    assert made.snapshots[0].memory is None
    assert data_on(nodes.other()).read_text() == "data"
    assert start(nodes.other(), "web").state is State.RUNNING


def test_guest_comes_back_from_a_file_when_it_has_been_destroyed(nodes: Nodes, kept: str) -> None:
    destroy(nodes.context(), "web", force=True)
    take_in(nodes.context(), kept)

    assert resume(nodes.context(), "web").state is State.RUNNING
    assert data_on(nodes.context()).read_text() == "data"


def test_checkpoint_of_another_processor_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, machine="s390x")
    error = refused(nodes.other(), kept)

    assert type(error) is Unsupported
    assert str(error) == (
        "checkpoint one of guest web is of a node with another processor: s390x; import it on such a "
        "node"
    )


def test_checkpoint_that_uses_more_of_a_processor_is_refused(nodes: Nodes, kept: str) -> None:
    add(kept, "memory/processor")
    error = refused(nodes.other(), kept)

    assert type(error) is Unsupported
    assert str(error) == "this node's processor is another; use another node"


def test_node_that_cannot_keep_memory_is_refused(
    nodes: Nodes, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = no("memory", "criu check: kernel lacks it", "take another kernel")
    monkeypatch.setattr(FakeApproach, "probe_checkpoints", lambda self: answer)
    error = refused(nodes.other(), kept)

    assert str(error) == (
        "this node cannot let a guest go on from its memory: criu check: kernel lacks it; take "
        "another kernel"
    )


def test_guest_that_is_here_is_not_made_again(nodes: Nodes, kept: str) -> None:
    error = refused(nodes.context(), kept)

    assert type(error) is Conflict
    assert str(error) == "this node has a guest of the same id, web; destroy it"


def test_name_that_is_taken_is_refused(nodes: Nodes, kept: str) -> None:
    create(nodes.other(), CreateRequest(name="web", approach="fake", template="tiny"))
    error = refused(nodes.other(), kept)

    assert str(error) == "this node has a guest web already; rename one of the two: wirt rename"


def test_address_that_is_taken_is_refused(nodes: Nodes, kept: str) -> None:
    address = nodes.context().store.find("web").address
    request = CreateRequest(name="other", approach="fake", template="tiny", address=address)
    create(nodes.other(), request)
    error = refused(nodes.other(), kept)

    assert str(error) == (
        f"this node has a guest other with the address {address}; destroy that first, or choose "
        "another"
    )


def test_ids_that_are_taken_are_refused_to_memory_alone(
    nodes: Nodes, kept: str, tmp_path: Path
) -> None:
    ids = nodes.context().store.find("web").ids
    other = create(nodes.other(), CreateRequest(name="other", approach="fake", template="tiny"))
    nodes.other().store.settle(other.id, msgspec.structs.replace(other, ids=ids))
    error = refused(nodes.other(), kept)
    create_snapshot(nodes.context(), "web", "two")
    export_snapshot(nodes.context(), "web", "two", str(tmp_path / "two"))
    made = take_in(nodes.other(), str(tmp_path / "two"))

    assert str(error) == (
        "this node has given the ids of guest web to another guest, and checkpoint one is full of "
        "them; destroy that first"
    )
    assert made.ids != ids


def test_subnet_of_a_node_without_guests_is_taken(nodes: Nodes, kept: str) -> None:
    change(kept, subnet="10.70.0.0/20")
    take_in(nodes.other(), kept)

    assert nodes.other().store.setting("subnet") == "10.70.0.0/20"


def test_other_subnet_of_a_node_with_guests_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, subnet="10.70.0.0/20")
    create(nodes.other(), CreateRequest(name="other", approach="fake", template="tiny"))
    error = refused(nodes.other(), kept)

    assert str(error) == (
        "this node has the subnet 10.64.0.0/20, and guest web an address of 10.70.0.0/20; import it "
        "into a home that has no guests, which takes that subnet"
    )


def test_subnet_that_cannot_be_ours_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, subnet="8.8.0.0/20")
    error = refused(nodes.other(), kept)

    assert str(error) == (
        "guest web has an address of 8.8.0.0/20: 8.8.0.0/20 cannot be a private network's; import it "
        "on another node"
    )


def test_file_without_template_needs_it_here(nodes: Nodes, tmp_path: Path) -> None:
    create_snapshot(nodes.context(), "web", "one")
    path = str(tmp_path / "one.wirt")
    export_snapshot(nodes.context(), "web", "one", path, with_template=False)
    guest = msgspec.structs.replace(read(path).guest, template_sha256="1" * 64)
    take_in(nodes.other(), path)
    destroy(nodes.other(), "web")
    change(path, guest=guest)
    error = refused(nodes.other(), path)

    assert type(error) is NotFound
    assert str(error) == (
        "this node has no template tiny of the version that guest web rests on; export the snapshot "
        "with its template"
    )


def test_pool_of_another_kind_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, pool_kind="btrfs")
    error = refused(nodes.other(), kept)

    assert str(error) == (
        "pool fake of this node is of kind fake, and the disk of guest web of kind btrfs; import it "
        "on a node whose pool of that name is"
    )


def test_disk_that_has_no_room_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, disk_bytes=1 << 60)
    error = refused(nodes.other(), kept)

    assert type(error) is OutOfSpace
    assert (
        error.message.endswith(" free on pool fake, and the root of guest web takes 2 EiB")
        or "the root of guest web takes" in error.message
    )


def test_memory_that_has_no_room_is_refused(
    nodes: Nodes, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = nodes.other().home.data
    monkeypatch.setattr(files, "free_bytes", lambda path: 9 * MIB if path == data else 1 << 50)
    change(kept, memory_bytes=10 * MIB)
    error = refused(nodes.other(), kept)

    assert str(error) == (
        f"this node has 9 MiB free below {data}, and the memory of guest web takes 10 MiB; free some "
        "space and try again"
    )


@pytest.mark.parametrize("call", range(1, 5))
def test_import_that_fails_leaves_nothing(
    nodes: Nodes, kept: str, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    other, count = nodes.other(), FakePool._count

    def fail(self: FakePool, name: str) -> None:
        count(self, name)
        if len(self.calls) == call:
            raise Failed(f"{name} was told to fail")

    monkeypatch.setattr(FakePool, "_count", fail)
    try:
        take_in(other, kept)
    except Failed as error:
        assert "was told to fail" in error.message  # noqa: PT017
        monkeypatch.setattr(FakePool, "_count", count)
        assert other.store.guests() == []
        assert other.store.intents() == []
        assert below(other) == []
    else:
        assert call == 4


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda c, path: export_snapshot(c, "web", "two", path),
            "guest web has no snapshot two; see wirt snapshot list web",
        ),
        (
            lambda c, path: export_snapshot(c, "web", "one", path),
            "there is a {path} already; name another file, or pass --force",
        ),
    ],
)
def test_export_that_cannot_be_changes_nothing(
    nodes: Nodes, kept: str, act: Callable[[Context, str], object], message: str
) -> None:
    before = Path(kept).read_bytes()
    with pytest.raises(Error) as caught:
        act(nodes.context(), kept)

    assert str(caught.value) == message.format(path=kept)
    assert Path(kept).read_bytes() == before


def test_export_replaces_a_file_if_it_is_told_to(nodes: Nodes, kept: str) -> None:
    Path(kept).write_text("old")
    export_snapshot(nodes.context(), "web", "one", kept, force=True)

    assert read(kept).snapshot.name == "one"
    assert [path.name for path in Path(kept).parent.glob(".*")] == []


def test_damaged_checkpoint_is_not_exported(nodes: Nodes, kept: str, tmp_path: Path) -> None:
    web = nodes.context().store.find("web")
    Path(nodes.context().home.checkpoint(web.id, "one"), "memory").write_text("altered")
    with pytest.raises(Corrupt) as caught:
        export_snapshot(nodes.context(), "web", "one", str(tmp_path / "two"))

    assert caught.value.message == (
        "checkpoint one of guest web is damaged: memory is not what was written"
    )
    assert not (tmp_path / "two").exists()
