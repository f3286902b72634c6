"""The soft limit of a disk over a node of fakes: when a guest may grow, and when it may not any more."""

import time
from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.model.limits import Limits, check_limits
from wirt.ops.context import Context
from wirt.ops.counters import sample
from wirt.ops.create import CreateRequest, create
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.softlimit import grace_left
from wirt.state.memory import MemoryStore
from wirt.storage.fake import FAKE_INODES, FakePool
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


def test_guest_may_have_more_inodes_than_its_soft_limit_until_its_grace_is_over(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = SetRequest(disk_inodes=5000, disk_inodes_soft=1, disk_grace=60)
    held = [set_limits(context, "web", request).limits.disk_inodes]
    hold(context, 10)
    bounds = [inodes_at(context)]
    for now in (1020, 1081):
        look(context, monkeypatch, now)
        bounds.append(inodes_at(context))
    set_limits(context, "web", SetRequest(disk_inodes_soft=UNBOUNDED))
    bounds.append(inodes_at(context))

    assert held == [5000]
    assert bounds == ["5000", "5000", "1", "5000"]
    assert context.store.find("web").over_inodes_since is None


def test_more_inodes_than_a_disk_was_made_with_are_refused(context: Context) -> None:
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SetRequest(disk_inodes=FAKE_INODES + 1))

    assert str(caught.value) == (
        "the inodes of guest web cannot be bounded: its file system was made with 100000; ask for less, or "
        "give it a larger disk, which has more: wirt set --disk"
    )
    assert context.store.find("web").limits.disk_inodes == UNBOUNDED


def inodes_at(context: Context) -> str:
    guest = context.store.find("web")
    return Path(context.home.pool("fake"), guest.id, "inodes").read_text()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            Limits(disk_inodes=1000),
            "a disk cannot be held to 1000 inodes; ask for 1024 to 4294967295, or unlimited",
        ),
        (
            Limits(disk_inodes=2000, disk_inodes_soft=2001),
            "2001 inodes cannot be the soft limit of a disk that has 2000; ask for no more than it has, "
            "or unlimited",
        ),
        (
            Limits(disk_inodes_soft=0),
            "0 inodes cannot be the soft limit of a disk that has any number; ask for no more than it has, "
            "or unlimited",
        ),
    ],
)
def test_inodes_that_no_disk_has_are_refused(limits: Limits, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_limits(limits, smallest_memory=1, node_cpus=1)

    assert str(caught.value) == said
