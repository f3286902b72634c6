"""Files replaced whole, also where something was planted."""

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
