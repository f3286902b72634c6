"""Copies on file systems that have no room for them: said beforehand where blocks cannot be shared, and made where they can."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.errors import OutOfSpace
from wirt.host import files
from wirt.units import MIB

MAKERS = {"ext4": ["mkfs.ext4", "-q"], "btrfs": ["mkfs.btrfs", "-q", "--mixed"]}


@pytest.fixture(params=MAKERS)
def volume(request: pytest.FixtureRequest, root_user: None, tmp_path: Path) -> Iterator[Path]:
    """Give a small file system that holds a file which takes more than half of it, alone in a directory."""
    disk, place = tmp_path / "disk", tmp_path / request.param
    with disk.open("wb") as file:
        file.truncate(128 * MIB)
    place.mkdir()
    subprocess.run([*MAKERS[request.param], disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, place], check=True)
    try:
        (place / "tree").mkdir()
        subprocess.run(
            ["dd", "if=/dev/urandom", f"of={place}/tree/large", "bs=1M", "count=70", "status=none"],
            check=True,
        )
        subprocess.run(["sync", "-f", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("what", ["tree", "tree/large"])
def test_copy_without_room_is_refused_before_it_is_begun_unless_it_takes_none(
    volume: Path, what: str
) -> None:
    source, target = str(volume / what), str(volume / "copy")
    if volume.name == "btrfs":
        files.copy_all(source, target)
        assert Path(target).exists()
        return
    with pytest.raises(OutOfSpace) as caught:
        files.copy_all(source, target)

    assert caught.value.message.startswith(
        f"a copy of {source} does not fit on the disk: it takes 70"
    )
    assert not Path(target).exists()


def test_copy_to_where_there_is_room_is_made(volume: Path, tmp_path: Path) -> None:
    files.copy_all(str(volume / "tree"), str(tmp_path / "copy"))

    assert (tmp_path / "copy" / "large").stat().st_size == 70 * MIB
