"""Dumps of a container that rest on earlier ones: what CRIU is told, and on which they may."""

import errno
import os
from pathlib import Path

import pytest

from wirt.approaches.lxc import criu, earlier
from wirt.model.launch import Place

INIT = 4711


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "run").mkdir()
    return Place(name="wabcd-12ab34", run_dir=str(tmp_path / "run"), log=str(tmp_path / "log"))


def written(images: Path, *, others: int = 0) -> str:
    """Make the images of a dump that rests on so many others, and return their directory."""
    for number, one in enumerate([*(images / f"before-{n + 1}" for n in range(others)), images]):
        one.mkdir(parents=True, exist_ok=True)
        for file in ("pages-1.img", "pagemap-7.img", "inventory.img", "core-7.img"):
            (one / file).write_text(f"{file} of {number}")
        if number:
            os.symlink(f"{'' if one == images else '../'}before-{number}", one / "parent")
    return str(images)


def test_dump_is_told_what_it_rests_on() -> None:
    command = criu.dump_command(
        "criu",
        7,
        "/images",
        scratch="/scratch",
        mounts=[],
        keep_running=True,
        earlier="before-2",
        tracks=True,
    )
    whole = criu.dump_command("criu", 7, "/images", scratch="/s", mounts=[], keep_running=True)

    assert command[-3:] == ["--leave-running", "--track-mem", "--prev-images-dir=before-2"]
    assert not [word for word in whole if "track" in word or "prev" in word]


def test_dump_rests_on_the_one_that_took_the_marks_away(tmp_path: Path, place: Place) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    images = written(first, others=1)
    second.mkdir()
    earlier.note(place, images, INIT)
    rests_on = earlier.take(earlier.strike(place), str(second), INIT)

    assert rests_on == "before-2"
    assert not earlier.is_noted(place)
    assert os.readlink(second / "before-2/parent") == "../before-1"
    assert (second / "before-2/pages-1.img").samefile(first / "pages-1.img")
    assert (second / "before-1/pages-1.img").samefile(first / "before-1/pages-1.img")
    assert sorted(os.listdir(second / "before-2")) == [
        "inventory.img",
        "pagemap-7.img",
        "pages-1.img",
        "parent",
    ]


def test_it_is_whole_without_the_one_that_it_rests_on(tmp_path: Path, place: Place) -> None:
    second = tmp_path / "second"
    second.mkdir()
    earlier.note(place, written(tmp_path / "first"), INIT)
    earlier.take(earlier.strike(place), str(second), INIT)
    for file in (tmp_path / "first").iterdir():
        file.unlink()

    assert (second / "before-1/pages-1.img").read_text() == "pages-1.img of 0"


@pytest.mark.parametrize("change", ["nothing", "another init", "deleted", "made anew", "too many"])
def test_dump_rests_on_nothing_that_is_not_what_the_marks_are_of(
    tmp_path: Path, place: Place, change: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    images = written(first, others=8 if change == "too many" else 0)
    second.mkdir()
    if change != "nothing":
        earlier.note(place, images, INIT)
    if change in ("deleted", "made anew"):
        os.rename(first, tmp_path / "away")
    if change == "made anew":
        written(first)
    init = INIT + 1 if change == "another init" else INIT

    assert earlier.take(earlier.strike(place), str(second), init) is None
    assert os.listdir(second) == []


def test_dump_on_another_file_system_rests_on_nothing(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    second = tmp_path / "second"
    second.mkdir()
    earlier.note(place, written(tmp_path / "first", others=1), INIT)
    monkeypatch.setattr(os, "link", link)

    assert earlier.take(earlier.strike(place), str(second), INIT) is None
    assert os.listdir(second) == []


def test_note_that_cannot_be_read_is_none(place: Place) -> None:
    Path(place.run_dir, "written").write_text("{")

    assert earlier.strike(place) is None
    assert not earlier.is_noted(place)


def test_what_is_written_ahead_is_memory_alone() -> None:
    command = criu.dump_command(
        "criu",
        7,
        "/images/before-2",
        scratch="/scratch",
        mounts=[],
        keep_running=True,
        earlier="../before-1",
        tracks=True,
        ahead=True,
    )

    assert command[1] == "pre-dump"
    assert command[-2:] == ["--track-mem", "--prev-images-dir=../before-1"]
    assert "--leave-running" not in command


def test_dump_rests_on_what_was_written_ahead_of_it(tmp_path: Path, place: Place) -> None:
    images = tmp_path / "images"
    images.mkdir()
    first = earlier.begin_ahead(None, str(images), INIT)
    earlier.note(place, first[0], INIT)
    second = earlier.begin_ahead(earlier.strike(place), str(images), INIT)
    earlier.note(place, second[0], INIT)

    assert first == (f"{images}/before-1", None)
    assert second == (f"{images}/before-2", "../before-1")
    assert os.stat(images / "before-2").st_mode & 0o777 == 0o755
    assert earlier.take(earlier.strike(place), str(images), INIT) == "before-2"
    assert earlier.take(None, str(images), INIT) is None


@pytest.mark.parametrize("change", ["another init", "deleted", "of a checkpoint"])
def test_what_the_marks_are_not_of_is_not_rested_on(
    tmp_path: Path, place: Place, change: str
) -> None:
    """What is written ahead begins anew then, and a dump is whole."""
    images, other = tmp_path / "images", tmp_path / "other"
    images.mkdir()
    ahead, _ = earlier.begin_ahead(None, str(images), INIT)
    earlier.note(place, written(other) if change == "of a checkpoint" else ahead, INIT)
    init = INIT + 1 if change == "another init" else INIT
    if change == "deleted":
        os.rename(ahead, tmp_path / "away")
    noted = earlier.strike(place)

    if change != "of a checkpoint":
        assert earlier.take(noted, str(images), init) is None
    assert earlier.begin_ahead(noted, str(images), init) == (f"{images}/before-1", None)
    assert os.listdir(images) == ["before-1"]
