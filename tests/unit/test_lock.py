import os
from pathlib import Path

import pytest

from wirt.errors import Busy
from wirt.host import lock


def test_lock_that_is_held_is_refused_and_names_its_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "web")
    with (
        lock.hold(path, "guest web", wait=0),
        pytest.raises(Busy) as caught,
        lock.hold(path, "guest web", wait=0),
    ):
        pass

    assert str(caught.value) == (
        f"guest web is in use by another command (process {os.getpid()}); "
        "wait for it to end and try again"
    )
    assert caught.value.retryable


def test_lock_given_back_leaves_no_file_and_can_be_taken_again(tmp_path: Path) -> None:
    path = str(tmp_path / "web")
    for _ in range(2):
        with lock.hold(path, "guest web", wait=0):
            assert Path(path).read_text() == f"{os.getpid()}\n"

    assert list(tmp_path.iterdir()) == []


def test_lock_is_given_back_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold(str(tmp_path / "web"), "web", wait=0):
        1 / 0  # noqa: B018

    assert list(tmp_path.iterdir()) == []


def test_lock_whose_file_is_deleted_before_it_is_ours_is_sought_anew(tmp_path: Path) -> None:
    path = tmp_path / "web"
    path.touch()
    stale = os.open(path, os.O_RDWR)
    path.unlink()
    with lock.hold(str(path), "web", wait=0):
        there = path.exists()
    os.close(stale)

    assert there


def test_sweep_deletes_what_the_dead_left_and_leaves_what_is_held(tmp_path: Path) -> None:
    (tmp_path / "dead").write_text("1\n")
    with lock.hold(str(tmp_path / "held"), "held", wait=0):
        lock.sweep(str(tmp_path))
        left = [path.name for path in tmp_path.iterdir()]

    assert left == ["held"]


def test_lock_side_by_side_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path, inside = str(tmp_path / "web"), tmp_path / "inside"
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(20):
                    with lock.hold(path, "web", wait=30):
                        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                        os.unlink(inside)
                status = 0
            finally:
                os._exit(status)
        children.append(child)

    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert list(tmp_path.iterdir()) == []
