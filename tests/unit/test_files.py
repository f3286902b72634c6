"""Files replaced whole, also where something was planted."""

import errno
import os
import sys
from pathlib import Path

import pytest

from wirt.host import files


def test_write_atomically_replaces_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"a longer old one", b"new"):
        files.write_atomically(str(path), content, mode=0o640)

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomically_does_not_write_through_a_planted_link(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_text("precious")
    for planted in (path, tmp_path / ".file.wirt-new"):
        planted.symlink_to(victim)

    files.write_atomically(str(path), b"new")

    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"


def test_write_atomically_goes_on_after_a_crash_left_half_a_file(tmp_path: Path) -> None:
    (tmp_path / ".file.wirt-new").write_text("half of something longer")

    files.write_atomically(str(tmp_path / "file"), b"new", mode=0o644)

    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_write_atomically_leaves_a_file_of_a_like_name_alone(tmp_path: Path) -> None:
    (tmp_path / "file.new").write_text("somebody's own")

    files.write_atomically(str(tmp_path / "file"), b"new")

    assert (tmp_path / "file.new").read_text() == "somebody's own"


def test_write_atomically_to_a_directory_fails_by_its_name_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    place = tmp_path / "place"
    place.mkdir()

    with pytest.raises(IsADirectoryError) as caught:
        files.write_atomically(str(place), b"new")

    assert caught.value.filename == str(place)
    assert list(tmp_path.iterdir()) == [place]


def test_replace_leaves_the_new_content_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.new").write_text("half of something longer")
    for content in ("a longer old one", "new"):
        files.replace(str(path), content)

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_remove_tree_removes_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "below").mkdir(parents=True)
    (kept / "file").write_text("kept")
    tree = tmp_path / "tree"
    (tree / "full" / "empty").mkdir(parents=True)
    (tree / "full" / "to-directory").symlink_to(kept)
    (tree / "to-file").symlink_to(kept / "file")
    files.remove_tree(str(tree))

    assert not tree.exists()
    assert sorted(path.name for path in kept.iterdir()) == ["below", "file"]


def test_remove_tree_leaves_a_link_and_what_is_not_there_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    link = tmp_path / "link"
    link.symlink_to(kept)
    files.remove_tree(str(link))
    files.remove_tree(str(tmp_path / "none"))

    assert link.is_symlink()
    assert kept.is_dir()


def test_remove_tree_of_more_directories_below_each_other_than_python_can_recurse_removes_it(
    tmp_path: Path,
) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(sys.getrecursionlimit() + 200):
        os.mkdir("deep", dir_fd=here)
        (outer, here) = (here, os.open("deep", os.O_RDONLY, dir_fd=here))
        os.close(outer)
    os.close(here)
    files.remove_tree(str(tmp_path / "deep"))

    assert list(tmp_path.iterdir()) == []


def test_remove_tree_that_may_not_be_removed_fails_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), "inner")

    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").touch()
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError) as caught:
        files.remove_tree(str(tree))

    assert caught.value.filename == str(tree)
