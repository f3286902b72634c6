"""Where a guest's memory lies on its way to another node."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.host import files
from wirt.model.home import Home
from wirt.ops.steps import transit

GUEST = "12ab34"
MIB = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(data=str(tmp_path / "data"), run=str(tmp_path / "run"), etc=str(tmp_path / "etc"))
    os.makedirs(made.guest(GUEST))
    yield made
    transit.forget(made, GUEST)


def test_memory_lies_in_the_memory_of_the_node_and_is_forgotten_whole(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    transit.make(home, GUEST, path, MIB)
    Path(path, "pages").write_text("thoughts")

    place = os.path.realpath(path)
    assert place.startswith("/dev/shm/")
    assert os.stat(place).st_mode & 0o777 == 0o700
    assert transit.is_there(home, GUEST)

    transit.forget(home, GUEST)
    assert not os.path.exists(place)
    assert not transit.is_there(home, GUEST)


def test_memory_that_would_leave_no_room_for_the_guest_lies_on_the_disk(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    transit.make(home, GUEST, path, files.free_bytes("/dev/shm"))

    assert os.path.isdir(path)
    assert not os.path.islink(path)
    assert not transit.is_there(home, GUEST)
    transit.reserve(home, GUEST, MIB)
    assert not transit.is_there(home, GUEST)


def test_name_that_somebody_else_has_taken_is_left_to_them(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    transit.make(home, GUEST, path, MIB)
    taken = os.path.realpath(path)
    os.unlink(path)
    Path(taken, "theirs").write_text("")

    transit.make(home, GUEST, path, MIB)
    assert not os.path.islink(path)
    assert os.listdir(taken) == ["theirs"]


def test_room_is_taken_beforehand_and_given_back(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    transit.make(home, GUEST, path, MIB)
    room = f"{os.path.realpath(path)}.room"
    transit.reserve(home, GUEST, MIB)
    assert os.stat(room).st_blocks * 512 == MIB

    transit.release(home, GUEST).join()
    assert not os.path.exists(room)
    assert os.listdir(path) == []


def test_memory_that_comes_in_parts_wants_room_for_all_of_them(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    size = files.free_bytes("/dev/shm") * 2 // 5
    transit.make(home, GUEST, path, size, times=2)
    on_disk = transit.measure_room(home, GUEST, path, size, times=2)

    assert not os.path.islink(path)
    assert on_disk == pytest.approx(files.free_bytes(home.data), rel=0.1)


def test_room_is_what_the_guest_itself_leaves_there(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{home.guest(GUEST)}/memory"
    free = [100 * MIB]
    monkeypatch.setattr(transit, "_free_memory", lambda: free[0])
    before = transit.measure_room(home, GUEST, path, 32 * MIB, times=2)
    transit.make(home, GUEST, path, 32 * MIB, times=2)
    free[0] = 50 * MIB
    after = transit.measure_room(home, GUEST, path, 32 * MIB, times=2)
    free[0] = 10 * MIB
    none = transit.measure_room(home, GUEST, path, 32 * MIB, times=2)

    assert os.path.islink(path)
    assert (before, after, none) == (68 * MIB, 18 * MIB, 0)


def test_room_on_a_node_without_any_in_memory_is_that_of_the_disk(home: Home) -> None:
    path = f"{home.guest(GUEST)}/memory"
    found = transit.measure_room(home, GUEST, path, files.free_bytes("/dev/shm"), times=2)

    assert found == pytest.approx(files.free_bytes(home.data), rel=0.1)
