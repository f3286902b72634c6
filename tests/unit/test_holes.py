"""Holes of files: what is packed without them is what GNU's tar and Python unpack, and what is unpacked has them again."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from wirt.errors import OutOfSpace
from wirt.host import holes, trees
from wirt.ops.guestfiles import pack_entry, unpack_archive
from wirt.units import GIB, MIB


def make(path: Path, size: int, *places: int) -> None:
    """Make a file of holes, with a block of letters at each of some places."""
    with path.open("wb") as file:
        for place in places:
            os.pwrite(file.fileno(), b"x" * 4096, place)
        file.truncate(size)


def used(path: Path) -> int:
    return path.stat().st_blocks * 512


def packed(directory: Path, name: str, *, keep_holes: bool = True) -> bytes:
    opened = os.open(directory, os.O_RDONLY)
    stream = os.memfd_create("tar")
    pack_entry(opened, name, name, stream, keep_owners=True, keep_holes=keep_holes)
    os.close(opened)
    size = os.fstat(stream).st_size
    text = os.pread(stream, size, 0)
    os.close(stream)
    return text


def unpack(text: bytes, target: Path, *, room: int = GIB) -> trees.Amount:
    opened, stream = os.open(target, os.O_RDONLY), os.memfd_create("tar")
    os.write(stream, text)
    os.lseek(stream, 0, os.SEEK_SET)
    try:
        return unpack_archive(
            stream,
            trees.Unpacking(
                trees.open_below(opened), modes=0o777, keep_owners=False, keep_top=False, room=room
            ),
        )
    finally:
        os.close(stream)
        os.close(opened)


@pytest.mark.parametrize(
    ("size", "places"),
    [
        (0, []),
        (10 * MIB, []),
        (10 * MIB, [0]),
        (10 * MIB, [MIB, 5 * MIB]),
        (10 * MIB + 5, [10 * MIB - 4096]),
        (MIB, range(0, MIB, 8192)),
        (100 * GIB, [MIB, 99 * GIB]),
    ],
    ids=["empty", "hole", "begin", "middle", "end", "many", "huge"],
)
def test_file_without_its_holes_is_the_same_for_gnu_tar_and_for_us(
    tmp_path: Path, size: int, places: list[int]
) -> None:
    for name in ("from", "gnu", "ours"):
        (tmp_path / name).mkdir()
    name = "a" * 150
    make(tmp_path / "from" / name, size, *places)
    text = packed(tmp_path / "from", name)
    subprocess.run(["tar", "-x", "-C", tmp_path / "gnu"], input=text, check=True)
    amount = unpack(text, tmp_path / "ours")
    copies = [tmp_path / where / name for where in ("gnu", "ours")]

    assert amount.bytes == size
    assert len(text) < 4096 * len(places) + 32 * 1024
    for copy in copies:
        assert copy.stat().st_size == size
        # The file system takes a block for the map of many extents, or not yet.
        assert abs(used(copy) - used(tmp_path / "from" / name)) <= 4096
        with copy.open("rb") as file:
            assert all(os.pread(file.fileno(), 4096, place) == b"x" * 4096 for place in places)
        if size < GIB:
            assert copy.read_bytes() == (tmp_path / "from" / name).read_bytes()


def test_what_follows_a_file_with_holes_is_read_too(tmp_path: Path) -> None:
    tree = tmp_path / "from" / "tree"
    tree.mkdir(parents=True)
    make(tree / "a", 8 * MIB, *range(0, 8 * MIB, 128 * 1024))
    (tree / "b").write_text("after")
    target = tmp_path / "to"
    target.mkdir()
    unpack(packed(tmp_path / "from", "tree"), target)

    assert (target / "tree" / "b").read_text() == "after"
    assert (target / "tree" / "a").read_bytes() == (tree / "a").read_bytes()


def test_zeros_become_holes_whatever_packed_them(tmp_path: Path) -> None:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    content = b"begin" + bytes(3 * MIB) + b"end"
    (tmp_path / "from" / "f").write_bytes(content)
    text = packed(tmp_path / "from", "f", keep_holes=False)
    unpack(text, tmp_path / "to")

    assert len(text) > 3 * MIB
    assert (tmp_path / "to" / "f").read_bytes() == content
    assert used(tmp_path / "to" / "f") <= 4 * 4096


def test_room_is_wanted_for_what_there_is_and_not_for_holes(tmp_path: Path) -> None:
    for name in ("from", "to", "full"):
        (tmp_path / name).mkdir()
    make(tmp_path / "from" / "f", 10 * MIB, 0, MIB)
    text = packed(tmp_path / "from", "f")
    unpack(text, tmp_path / "to", room=8192)
    with pytest.raises(OutOfSpace):
        unpack(text, tmp_path / "full", room=8191)

    assert os.listdir(tmp_path / "to") == ["f"]
    assert os.listdir(tmp_path / "full") == []


def test_map_that_claims_more_than_there_is_costs_nothing(tmp_path: Path) -> None:
    member = tarfile.TarInfo("f")
    member.size = 2**40
    archive = io.BytesIO()
    with (
        tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar,
        (tmp_path / "empty").open("w+b") as file,
    ):
        holes.add(tar, member, file.fileno())
    (tmp_path / "to").mkdir()
    unpack(archive.getvalue(), tmp_path / "to")

    assert (tmp_path / "to" / "f").stat().st_size == 2**40
    assert used(tmp_path / "to" / "f") == 0
