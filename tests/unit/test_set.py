"""``set`` and ``undo`` over a node of fakes."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Failed, NotFound
from wirt.model.lifecycle import State
from wirt.ops import observing
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.snapshot import create_snapshot
from wirt.ops.start import start
from wirt.ops.undo import undo
from wirt.state.memory import MemoryStore
from wirt.units import GIB

WEB = CreateRequest(name="web", approach="fake", template="tiny")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = fakes.open_context(tmp_path, MemoryStore())
    create(made, WEB)
    return made


def sizes(context: Context) -> tuple[int, int | None]:
    """Return the size of the disk that is kept, and the one that the root really has."""
    guest = context.store.find("web")
    usage = observing.disk_usage(context, guest)
    return guest.limits.disk, usage.bytes_limit if usage else None


def test_set_gives_the_root_its_size_and_keeps_it(context: Context) -> None:
    changed = set_limits(context, "web", SetRequest(disk=8 * GIB))

    assert sizes(context) == (8 * GIB, 8 * GIB)
    assert context.store.find("web") == changed
    assert changed.snapshots == ()


def test_undo_takes_back_one_change_after_the_other_and_leaves_other_snapshots(
    context: Context,
) -> None:
    set_limits(context, "web", SetRequest(disk=5 * GIB), snapshot=True)
    first = context.store.find("web").snapshots
    create_snapshot(context, "web", "mine")
    undo(context, "web")
    back = sizes(context)
    with pytest.raises(NotFound):
        undo(context, "web")

    assert back == (4 * GIB, 4 * GIB)
    assert [one.limits is None for one in first] == [False]
    assert [one.name for one in context.store.find("web").snapshots] == ["mine"]


def test_undo_of_a_guest_that_runs_starts_it_again(context: Context) -> None:
    set_limits(context, "web", SetRequest(disk=5 * GIB), snapshot=True)
    start(context, "web")

    assert undo(context, "web", force=True).state is State.RUNNING
    assert sizes(context) == (4 * GIB, 4 * GIB)


def test_set_that_fails_leaves_the_guest_as_it_was(tmp_path: Path) -> None:
    store = MemoryStore()
    plain = fakes.open_context(tmp_path, store)
    create(plain, WEB)
    before = store.find("web")
    with pytest.raises(Failed, match="resize was told to fail"):
        set_limits(
            fakes.open_context(tmp_path, store, fail="pool", fail_at=1),
            "web",
            SetRequest(disk=8 * GIB),
        )

    assert store.find("web") == before
    assert sizes(plain) == (4 * GIB, 4 * GIB)
    assert store.intents() == []
