"""``pool`` over a node of fakes, on directories: what needs no root is decided here."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
from tests import fakes
from tests.fake_lvm import FakeLvm

from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound, NotPermitted, WrongState
from wirt.model.pool import Phase, StoragePool
from wirt.ops import pool
from wirt.ops.cleanup import clean_up
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.pool import PoolRequest
from wirt.state.memory import MemoryStore
from wirt.units import GIB


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    # pytest's own directories are closed to others, which a pool's must not be.
    monkeypatch.setattr("wirt.storage.ground.check_passable", lambda path: None)
    return fakes.open_context(tmp_path, MemoryStore())


def directory(tmp_path: Path, name: str = "big") -> PoolRequest:
    (tmp_path / name).mkdir(exist_ok=True)
    return PoolRequest(name=name, kind="directory", path=f"{tmp_path}/{name}")


def refusal(context: Context, request: PoolRequest) -> tuple[type[Error], str]:
    before = context.store.pools()
    with pytest.raises(Error) as caught:
        pool.create_pool(context, request)
    assert context.store.pools() == before
    return caught.type, str(caught.value)


def test_pool_is_made_listed_and_removed(context: Context, tmp_path: Path) -> None:
    made = pool.create_pool(context, directory(tmp_path))
    names = [(one.name, one.kind) for one in pool.list_pools(context)]
    shown = pool.show_pool(context, "big")
    pool.remove_pool(context, "big")

    assert (made.kind, made.path, made.phase) == ("directory", f"{tmp_path}/big", Phase.READY)
    assert names == [("fake", "fake"), ("big", "directory")]
    assert (shown.path, shown.guests) == (f"{tmp_path}/big", [])
    assert context.store.pools() == []
    assert list((tmp_path / "big").iterdir()) == []


def test_pool_is_not_removed_while_guests_rest_on_it(context: Context, tmp_path: Path) -> None:
    pool.create_pool(context, directory(tmp_path))
    for name in ("web", "shop"):
        create(context, CreateRequest(name=name, approach="fake", template="tiny", pool="big"))
    with pytest.raises(WrongState) as caught:
        pool.remove_pool(context, "big")

    assert str(caught.value) == "pool big holds the roots of shop, web; destroy them first"
    assert pool.find_pool(context, "big").phase is Phase.READY
    assert pool.show_pool(context, "big").guests == ["shop", "web"]


def test_guest_on_a_pool_that_was_removed_meanwhile_is_not_made(
    context: Context, tmp_path: Path
) -> None:
    """The fakes have a pool of every name, as a command has that looked for it a moment before."""
    with pytest.raises(NotFound) as caught:
        create(context, CreateRequest(name="web", approach="fake", template="tiny", pool="gone"))

    assert str(caught.value) == "there is no pool gone; see wirt pool list"
    assert context.store.is_empty()


def test_definitions_that_make_no_sense_are_refused_and_change_nothing(
    context: Context, tmp_path: Path
) -> None:
    pool.create_pool(context, directory(tmp_path))
    own_file_system = (
        InvalidInput,
        "a pool of kind btrfs is a file system of its own; say on what: either --size SIZE, for a "
        "file, or --device DEVICE",
    )
    only_a_directory = (
        InvalidInput,
        "a pool of kind image is a directory; give it, and no more: --path DIR",
    )

    for request in (
        PoolRequest(name="p", kind="btrfs"),
        PoolRequest(name="p", kind="btrfs", size=GIB, device="/dev/x"),
        PoolRequest(name="p", kind="btrfs", size=GIB, path="/x"),
    ):
        assert refusal(context, request) == own_file_system
    for request in (
        PoolRequest(name="p", kind="image"),
        PoolRequest(name="p", kind="image", path="/x", size=GIB),
        PoolRequest(name="p", kind="image", path="/x", device="/dev/x"),
    ):
        assert refusal(context, request) == only_a_directory
    assert refusal(context, directory(tmp_path)) == (
        Conflict,
        "there is a pool big already; choose another name or remove it first: wirt pool remove big",
    )
    assert refusal(context, PoolRequest(name="fake", kind="image", path="/x")) == (
        Conflict,
        "pool fake is part of every home; choose another name",
    )
    assert refusal(context, PoolRequest(name="Fast!", kind="image", path="/x")) == (
        InvalidInput,
        "'Fast!' is not a pool name; use a-z, 0-9 and inner hyphens, such as web-1",
    )


def test_removal_of_what_is_not_there_or_of_every_home_is_refused(context: Context) -> None:
    with pytest.raises(NotFound, match="there is no pool big; see wirt pool list"):
        pool.remove_pool(context, "big")
    with pytest.raises(InvalidInput, match="pool fake is part of every home"):
        pool.remove_pool(context, "fake")
    with pytest.raises(NotFound):
        pool.show_pool(context, "big")


def test_making_a_pool_without_being_root_is_refused(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert refusal(context, directory(tmp_path)) == (
        NotPermitted,
        "making a pool needs root; run it as root",
    )


@pytest.mark.parametrize("phase", [Phase.MAKING, Phase.REMOVING])
def test_pool_that_a_dead_process_left_is_taken_away_by_the_next_command(
    context: Context, tmp_path: Path, phase: Phase
) -> None:
    made = pool.create_pool(context, directory(tmp_path))
    context.store.put_pool(msgspec.structs.replace(made, phase=phase))
    hidden = [one.name for one in pool.list_pools(context)]
    clean_up(context)

    assert hidden == ["fake"]
    assert context.store.pools() == []
    assert list((tmp_path / "big").iterdir()) == []


def test_pool_that_cannot_be_taken_away_stops_nobody_and_says_why_when_it_is_removed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pool.create_pool(context, directory(tmp_path))
    context.store.put_pool(msgspec.structs.replace(made, phase=Phase.REMOVING))

    def refuse(path: str) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)

    with monkeypatch.context() as patched:
        patched.setattr("wirt.host.files.remove_tree", refuse)
        clean_up(context)
        pool.create_pool(context, directory(tmp_path, "other"))
        with pytest.raises(Failed, match="cannot undo step directory of pool-remove: cannot take"):
            pool.remove_pool(context, "big")
    pool.remove_pool(context, "big")

    assert [one.name for one in context.store.pools()] == ["other"]


def test_pool_whose_disk_is_not_there_is_listed_without_its_room(
    context: Context, tmp_path: Path
) -> None:
    context.store.put_pool(
        StoragePool(name="lost", kind="directory", path=f"{tmp_path}/lost", created=0.0)
    )

    def find(name: str) -> object:
        raise NotFound("it is gone") if name == "lost" else AssertionError

    lost = msgspec.structs.replace(context, pool=find, pools=())

    assert [(one.name, one.bytes_free) for one in pool.list_pools(lost)] == [("lost", None)]


def test_pool_of_kind_lvm_says_what_it_lies_on(context: Context) -> None:
    wanted = (
        InvalidInput,
        "a pool of kind lvm is a thin pool; say where: either --group GROUP --size SIZE, or "
        "--device DEVICE, of which it gets all",
    )
    for request in (
        PoolRequest(name="thin", kind="lvm"),
        PoolRequest(name="thin", kind="lvm", group="vg0"),
        PoolRequest(name="thin", kind="lvm", size=GIB),
        PoolRequest(name="thin", kind="lvm", device="/dev/x", size=GIB),
        PoolRequest(name="thin", kind="lvm", device="/dev/x", group="vg0"),
        PoolRequest(name="thin", kind="lvm", path="/x", group="vg0", size=GIB),
    ):
        assert refusal(context, request) == wanted


def test_pool_of_kind_lvm_is_made_listed_and_removed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = FakeLvm(tmp_path / "dev", monkeypatch)
    node.groups["vg0"] = ("/dev/sdb", "", 4 * GIB)
    monkeypatch.setattr("wirt.host.lvm.has_programs", lambda: True)
    made = pool.create_pool(
        context, PoolRequest(name="thin", kind="lvm", group="vg0", size=2 * GIB)
    )
    shown = pool.show_pool(context, "thin")
    pool.remove_pool(context, "thin")

    assert made.source == f"vg0/wirt-{context.home.tag}-thin"
    assert (shown.source, shown.bytes_free) == (made.source, 1.5 * GIB)
    assert (node.pools, context.store.pools()) == ({}, [])
    assert not os.path.exists(made.path)
