"""Showing a stopped guest's root, over a node of fakes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Failed, WrongState
from wirt.model.lifecycle import State
from wirt.ops import guests
from wirt.ops.cleanup import clean_up
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.copy import copy, parse_end
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.mount import mount, unmount
from wirt.ops.rename import rename
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.snapshot import create_snapshot
from wirt.ops.start import start
from wirt.ops.template import take_template
from wirt.state.memory import MemoryStore
from wirt.storage.fake import FakePool
from wirt.units import MIB


@pytest.fixture
def stopped(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


@pytest.fixture
def mounted(stopped: Context) -> Context:
    mount(stopped, "web")
    return stopped


def is_attached(context: Context) -> bool:
    pool = context.pool("fake")
    assert isinstance(pool, FakePool)
    guest_id = context.store.guests()[0].id
    return bool(pool.probe_attached(guest_id) == "present")


def test_mount_and_unmount_lead_there_and_back(stopped: Context) -> None:
    before = stopped.store.find("web")
    path = mount(stopped, "web")
    again = mount(stopped, "web")
    during = stopped.store.find("web").state, is_attached(stopped)
    after = unmount(stopped, "web")

    assert path == again
    assert Path(path, "init").exists()
    assert during == (State.MOUNTED, True)
    assert after == before == stopped.store.find("web")
    assert not is_attached(stopped)
    assert stopped.store.intents() == []


@pytest.mark.parametrize(
    "verb",
    [
        lambda context: start(context, "web"),
        lambda context: create_snapshot(context, "web", "one"),
        lambda context: clone(context, "web", "two", progress=print),
        lambda context: take_template(context, "web", "made", progress=print),
        lambda context: destroy(context, "web"),
    ],
)
def test_what_needs_the_root_for_itself_is_refused_while_it_is_mounted(
    mounted: Context, verb: Callable[[Context], object]
) -> None:
    before = mounted.store.find("web")
    with pytest.raises(WrongState, match="guest web is mounted; unmount it first"):
        verb(mounted)

    assert mounted.store.guests() == [before]
    assert is_attached(mounted)
    assert mounted.store.intents() == []


def test_what_does_not_is_done(mounted: Context, tmp_path: Path) -> None:
    rename(mounted, "web", "shop")
    set_limits(mounted, "shop", SetRequest(memory=64 * MIB))
    (tmp_path / "file").write_text("content")
    copy(mounted, parse_end(f"{tmp_path}/file"), parse_end("shop:/file"))
    path = Path(mount(mounted, "shop"))
    clean_up(mounted)

    assert (path / "file").read_text() == "content"
    assert mounted.store.find("shop").state is State.MOUNTED
    assert is_attached(mounted)


def test_mounted_guest_is_destroyed_by_force(mounted: Context) -> None:
    destroy(mounted, "web", force=True)

    assert mounted.store.guests() == []


def test_mount_that_fails_leaves_the_guest_stopped(stopped: Context, tmp_path: Path) -> None:
    failing = fakes.open_context(tmp_path, stopped.store, fail="pool", fail_at=1)
    with pytest.raises(Failed):
        mount(failing, "web")

    assert stopped.store.find("web").state is State.STOPPED
    assert stopped.store.intents() == []
    assert not is_attached(stopped)


def test_node_that_was_restarted_has_nothing_mounted(mounted: Context, tmp_path: Path) -> None:
    restarted = fakes.open_context(tmp_path, mounted.store, boot_id="two")
    seen = guests.observed(restarted, restarted.store.find("web")).state
    clean_up(restarted)

    assert seen is State.STOPPED
    assert restarted.store.find("web").state is State.STOPPED
    assert start(restarted, "web").state is State.RUNNING
