"""The soft limit of a disk over a node of fakes: when a guest may grow, and when it may not any more."""

import time
from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Failed, InvalidInput
from wirt.model.limits import Limits, check_limits
from wirt.ops.context import Context
from wirt.ops.counters import sample
from wirt.ops.create import CreateRequest, create
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.softlimit import grace_left
from wirt.state.memory import MemoryStore
from wirt.storage.fake import FakePool
from wirt.units import MIB, UNBOUNDED


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    return context


def hold(context: Context, size: int) -> None:
    """Let the guest's root hold about so many bytes."""
    guest = context.store.find("web")
    Path(context.home.pool("fake"), guest.id, "root", "filler").write_bytes(bytes(size))


def closed_at(context: Context) -> str | None:
    guest = context.store.find("web")
    path = Path(context.home.pool("fake"), guest.id, "closed")
    return path.read_text() if path.exists() else None


def look(context: Context, monkeypatch: pytest.MonkeyPatch, now: float) -> str | None:
    """Sample at a time and return the limit that the guest is closed at, None if it may grow."""
    monkeypatch.setattr(time, "time", lambda: now)
    assert list(sample(context)) == []
    return closed_at(context)


def test_guest_may_hold_more_than_its_soft_limit_until_its_grace_is_over(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(context, "web", SetRequest(disk_soft=MIB, disk_grace=60))
    below = look(context, monkeypatch, 1010)
    hold(context, 2 * MIB)
    in_grace = [look(context, monkeypatch, now) for now in (1020, 1079)]
    left = grace_left(context.store.find("web"))
    over = look(context, monkeypatch, 1081)
    hold(context, 0)
    again = look(context, monkeypatch, 1090)
    hold(context, 2 * MIB)
    anew = look(context, monkeypatch, 1100)

    assert (below, in_grace, left) == (None, [None, None], 1)
    assert over == str(MIB)
    assert (again, anew) == (None, None)
    assert context.store.find("web").over_soft_since == 1100


def test_soft_limit_that_is_taken_away_lets_the_guest_grow_at_once(context: Context) -> None:
    hold(context, 2 * MIB)
    set_limits(context, "web", SetRequest(disk_soft=MIB, disk_grace=0))
    closed = closed_at(context)
    set_limits(context, "web", SetRequest(disk_soft=UNBOUNDED))

    assert closed == str(MIB)
    assert closed_at(context) is None
    assert context.store.find("web").over_soft_since is None


def test_pool_that_fails_is_told_of_and_the_next_look_makes_it_good(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(context, "web", SetRequest(disk_soft=MIB, disk_grace=0))
    hold(context, 2 * MIB)
    with monkeypatch.context() as failing:
        failing.setattr(FakePool, "close", fail)
        failed = [str(error) for error in sample(context)]
    before = closed_at(context)
    again = list(sample(context))

    assert failed == ["it was told to fail"]
    assert (before, again) == (None, [])
    assert closed_at(context) == str(MIB)


def fail(*_arguments: object) -> None:
    raise Failed("it was told to fail")


def test_soft_limit_beyond_the_disk_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_limits(Limits(disk=64 * MIB, disk_soft=65 * MIB), smallest_memory=1, node_cpus=1)

    assert str(caught.value) == (
        "65 MiB cannot be the soft limit of a disk of 64 MiB; ask for no more than the disk, or "
        "unlimited"
    )
