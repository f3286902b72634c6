"""What pools promise that can keep a root from growing."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.pools import GUEST, Made, only

from wirt.model.ids import SHARED
from wirt.storage.base import MeasuresRoots, Resizable
from wirt.storage.powers import BoundsInodes, Closable
from wirt.units import MIB, UNBOUNDED


@only(["btrfs", "image-tree"])
def test_root_that_is_closed_grows_no_more_until_it_is_opened_again(made: Made) -> None:
    assert isinstance(made.pool, Closable)
    assert isinstance(made.pool, MeasuresRoots)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    root = Path(made.attach_tree(idmap=SHARED).path)
    (root / "etc/file").write_bytes(b"x" * 8 * MIB)
    subprocess.run(["sync", "-f", root], check=True)
    for _again in range(2):
        made.pool.close(GUEST, 4 * MIB)
    usage = made.pool.measure(GUEST)
    with pytest.raises(OSError, match=r"Disk quota exceeded|No space left"):
        (root / "etc/more").write_bytes(b"x" * 4 * MIB)
    (root / "etc/more").unlink(missing_ok=True)
    for _again in range(2):
        made.pool.reopen(GUEST, 64 * MIB)
    (root / "etc/more").write_bytes(b"x" * 4 * MIB)

    assert made.pool.probe_closing(GUEST).available
    assert usage is not None
    # What keeps it from growing is not counted as the guest's.
    assert 8 * MIB <= usage.bytes < 14 * MIB


@only(["image-tree"])
def test_root_that_is_held_to_inodes_has_no_more_of_them_until_it_may(made: Made) -> None:
    assert isinstance(made.pool, BoundsInodes)
    assert isinstance(made.pool, MeasuresRoots)
    make = made.pool.clone_with_inodes
    for _again in range(2):
        make(made.form_path, GUEST, root="tree", size=64 * MIB, inodes=1024)
    root = Path(made.attach_tree(idmap=SHARED).path)
    for _again in range(2):
        made.pool.hold_inodes(GUEST, 1024)
    with pytest.raises(OSError, match="No space left"):
        touch(root, "few", 1024)
    few = made.pool.measure(GUEST)
    made.pool.hold_inodes(GUEST, 512)
    (root / "few0").unlink()
    # What is deleted by one that has more than it is to have is taken at the next call.
    made.pool.hold_inodes(GUEST, 512)
    with pytest.raises(OSError, match="No space left"):
        touch(root, "none", 1)
    made.pool.hold_inodes(GUEST, 2048)
    with pytest.raises(OSError, match="No space left"):
        touch(root, "more", 2048)
    more = made.pool.measure(GUEST)
    made.pool.hold_inodes(GUEST, UNBOUNDED)
    touch(root, "all", 512)

    assert few is not None
    assert few.inodes == 1024
    assert more is not None
    assert more.inodes == 2048
    # It was made with room for four times as many.
    assert made.pool.most_inodes(GUEST) == 4096
    assert few.inodes_limit == 4096


@only(["image-tree"])
def test_holding_to_inodes_that_was_killed_is_made_good_by_the_next(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(made.pool, BoundsInodes)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    root = Path(made.attach_tree(idmap=SHARED).path)
    for call, inodes, after in (("mknod", 8000, 300), ("unlink", 12000, 200)):
        with monkeypatch.context() as dying:
            dying.setattr(os, call, dying_after(after, getattr(os, call)))
            with pytest.raises(KeyboardInterrupt):
                made.pool.hold_inodes(GUEST, inodes)
        made.pool.hold_inodes(GUEST, inodes)
    with pytest.raises(OSError, match="No space left"):
        touch(root, "all", 12000)

    assert isinstance(made.pool, MeasuresRoots)
    assert (usage := made.pool.measure(GUEST)) is not None
    assert usage.inodes == 12000


def dying_after(number: int, call: Callable[..., None]) -> Callable[..., None]:
    """Return a call that works so many times, and then ends the process that makes it."""
    count = iter(range(number))

    def called(*arguments: object, **named: object) -> None:
        if next(count, None) is None:
            raise KeyboardInterrupt
        call(*arguments, **named)

    return called


@only(["image-tree"])
def test_root_that_is_held_to_inodes_can_be_made_smaller(made: Made) -> None:
    assert isinstance(made.pool, BoundsInodes)
    assert isinstance(made.pool, Resizable)
    made.pool.clone(made.form_path, GUEST, root="tree", size=256 * MIB)
    made.attach_tree(idmap=SHARED)
    made.pool.hold_inodes(GUEST, 2000)
    made.pool.detach(GUEST)
    made.pool.resize(GUEST, 64 * MIB)
    root = Path(made.attach_tree(idmap=SHARED).path)
    touch(root, "all", 2000)

    assert made.pool.most_inodes(GUEST) == 32768


def touch(root: Path, name: str, number: int) -> None:
    for one in range(number):
        (root / f"{name}{one}").touch()
