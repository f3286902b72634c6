"""Packing and unpacking files that may have been made to do harm."""

import ctypes
import fcntl
import io
import os
import stat
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wirt.errors import Conflict, Error, InvalidInput, OutOfSpace
from wirt.host import trees
from wirt.units import GIB, MIB

LIBC = ctypes.CDLL(None)
RENAME_EXCHANGE = 2
DEVICE_KINDS = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = kind, 0o755
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def archive_of(*members: tarfile.TarInfo, content: bytes = b"evil") -> tarfile.TarFile:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for one in members:
            one.size = len(content) if one.isreg() else 0
            tar.addfile(one, io.BytesIO(content) if one.isreg() else None)
    packed.seek(0)
    return tarfile.open(fileobj=packed)


def unpack(
    target: Path,
    *members: tarfile.TarInfo,
    modes: int = 0o777,
    keep_owners: bool = False,
    room: int = GIB,
    opener: Callable[[int], Callable[[str], int]] = trees.open_below,
) -> trees.Amount:
    opened = os.open(target, os.O_RDONLY)
    try:
        unpacking = trees.Unpacking(
            opener(opened), modes=modes, keep_owners=keep_owners, keep_top=True, room=room
        )
        archive = archive_of(*members)
        unpacking.unpack(archive, archive)
    finally:
        os.close(opened)
    return unpacking.amount


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Give a directory beside the target that nothing may be written to."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "file").write_text("untouched")
    return place


@pytest.fixture
def target(tmp_path: Path) -> Path:
    place = tmp_path / "target"
    place.mkdir()
    return place


HOSTILE = {
    "absolute": [member("/outside/file")],
    "dots": [member("../outside/file")],
    "inner-dots": [member("a", tarfile.DIRTYPE), member("a/../../outside/file")],
    "below-link": [member("l", tarfile.SYMTYPE, linkname="../outside"), member("l/file")],
    "directory-over-link": [
        member("l", tarfile.SYMTYPE, linkname="../outside"),
        member("l", tarfile.DIRTYPE),
        member("l/file"),
    ],
    "hard-link-out": [member("h", tarfile.LNKTYPE, linkname="../outside/file")],
    "hard-link-through-link": [
        member("l", tarfile.SYMTYPE, linkname="../outside"),
        member("h", tarfile.LNKTYPE, linkname="l/file"),
    ],
    "hard-link-to-link": [
        member("l", tarfile.SYMTYPE, linkname="../outside/file"),
        member("h", tarfile.LNKTYPE, linkname="l"),
    ],
    "name-too-long": [member("x" * 300)],
    "path-too-long": [member("/".join(["x" * 200] * 30))],
    "too-deep": [member("/".join(["d"] * 201))],
    "file-over-directory": [member("d", tarfile.DIRTYPE), member("d")],
    "link-too-long": [member("l", tarfile.SYMTYPE, linkname="x" * 5000)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused_and_nothing_outside_changes(
    target: Path, outside: Path, name: str
) -> None:
    with pytest.raises(Error):
        unpack(target, *HOSTILE[name])

    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "untouched"
    assert (outside / "file").stat().st_nlink == 1


def test_file_over_a_link_takes_its_place(target: Path, outside: Path) -> None:
    unpack(target, member("f", tarfile.SYMTYPE, linkname=f"{outside}/file"), member("f"))

    assert (target / "f").read_text() == "evil"
    assert not (target / "f").is_symlink()
    assert (outside / "file").read_text() == "untouched"


def test_bits_that_let_a_program_run_as_its_owner_are_dropped(target: Path) -> None:
    unpack(target, member(".", tarfile.DIRTYPE, mode=0o2750), member("su", mode=0o6755))

    assert stat.S_IMODE((target / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE(target.stat().st_mode) == 0o750


@pytest.mark.parametrize("kind", DEVICE_KINDS)
def test_devices_and_pipes_are_left_out_and_counted(target: Path, kind: bytes) -> None:
    amount = unpack(target, member("x", kind), member("f"))

    assert os.listdir(target) == ["f"]
    assert (amount.entries, amount.left_out, amount.bytes) == (1, 1, 4)


def test_archive_that_is_larger_than_the_room_is_refused(target: Path) -> None:
    with pytest.raises(OutOfSpace):
        unpack(target, member("a"), member("b"), room=7)

    assert os.listdir(target) == ["a"]


@pytest.mark.parametrize("time", [-1, 2**60, float("nan"), float("inf")])
def test_time_that_cannot_be_is_none(target: Path, time: float) -> None:
    opened = os.open(target, os.O_RDONLY)
    unpacking = trees.Unpacking(
        trees.open_below(opened), modes=0o777, keep_owners=False, keep_top=False, room=MIB
    )
    archive = archive_of(member("f"))
    (found,) = archive.getmembers()
    found.mtime = time
    unpacking.unpack(archive, [found])
    os.close(opened)

    assert (target / "f").stat().st_mtime == 0


def test_owner_that_cannot_be_is_refused(target: Path, root_user: None) -> None:
    with pytest.raises(InvalidInput, match="owner"):
        unpack(target, member("f", uid=2**40), keep_owners=True)


def test_owners_are_kept_when_asked_for(target: Path, root_user: None) -> None:
    unpack(target, member("d", tarfile.DIRTYPE, uid=7), member("d/f", gid=8), keep_owners=True)

    assert (target / "d").stat().st_uid == 7
    assert (target / "d/f").stat().st_gid == 8


def test_directories_that_no_member_describes_are_made(target: Path) -> None:
    unpack(target, member("a/b/c"))

    assert (target / "a/b/c").read_text() == "evil"


def test_tree_comes_out_as_it_went_in(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub/file").write_text("x" * 100_000)
    (source / "file").symlink_to("/etc/passwd")
    os.link(source / "sub/file", source / "twice")
    (source / "sub").chmod(0o500)
    os.utime(source / "sub", (5, 5))
    os.mkfifo(source / "pipe")
    packed = io.BytesIO()
    opened = os.open(tmp_path, os.O_RDONLY)
    with tarfile.open(fileobj=packed, mode="w") as tar:
        packing = trees.Packing(tar, keep_owners=False)
        packing.add(opened, "source", "copy")
    os.close(opened)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        at = os.open(target, os.O_RDONLY)
        trees.Unpacking(
            trees.open_below(at), modes=0o777, keep_owners=False, keep_top=False, room=GIB
        ).unpack(tar, tar)
        os.close(at)

    copy = target / "copy"
    assert packing.amount == trees.Amount(entries=5, bytes=100_000, left_out=1)
    assert sorted(os.listdir(copy)) == ["file", "sub", "twice"]
    assert (copy / "sub/file").samefile(copy / "twice")
    assert os.readlink(copy / "file") == "/etc/passwd"
    assert (copy / "sub").stat().st_mtime == 5
    assert stat.S_IMODE((copy / "sub").stat().st_mode) == 0o500


def test_tree_that_is_too_deep_is_not_packed(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("top", *["d"] * (trees.DEEPEST + 1))
    deep.mkdir(parents=True)
    opened = os.open(tmp_path, os.O_RDONLY)
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar, pytest.raises(InvalidInput) as caught:
        trees.Packing(tar, keep_owners=False).add(opened, "top", "top")
    os.close(opened)

    assert "is nested more than 200 directories deep" in str(caught.value)


def test_directory_that_is_swapped_for_a_link_all_the_time_leads_nowhere_else(
    target: Path, outside: Path
) -> None:
    (target / "swapped").mkdir()
    (target / "link").symlink_to("../outside")
    names = [os.fsencode(target / name) for name in ("swapped", "link")]
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            assert LIBC.renameat2(-100, names[0], -100, names[1], RENAME_EXCHANGE) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    refused = 0
    for opener in [trees.open_below, lambda root: trees.open_in_root(root, "")] * 100:
        try:
            unpack(target, member("swapped/file"), opener=opener)
        except Error:
            refused += 1
    over.set()
    thread.join()

    assert os.listdir(outside) == ["file"]
    assert (outside / "file").read_text() == "untouched"
    assert 0 < refused < 200


def test_land_puts_a_tree_into_one_that_is_there(tmp_path: Path) -> None:
    for path, content in {
        "new/a": "new",
        "new/d/b": "new",
        "old/a": "old",
        "old/d/c": "old",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    trees.land(str(tmp_path / "new"), str(tmp_path / "old"))

    found = {
        str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("old/*/*")
    }
    assert found == {"old/d/b": "new", "old/d/c": "old"}
    assert (tmp_path / "old/a").read_text() == "new"


def test_land_never_follows_a_link_that_an_earlier_copy_may_have_left(
    tmp_path: Path, outside: Path
) -> None:
    (tmp_path / "new/d").mkdir(parents=True)
    (tmp_path / "new/d/file").write_text("evil")
    (tmp_path / "new/a").write_text("evil")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/d").symlink_to(outside)
    with pytest.raises(Conflict) as caught:
        trees.land(str(tmp_path / "new"), str(tmp_path / "old"))

    assert str(caught.value) == (
        f"{tmp_path}/old/d is a symbolic link, and a directory was to be put there; "
        "move it out of the way"
    )
    assert os.listdir(tmp_path / "old") == ["d"]
    assert (outside / "file").read_text() == "untouched"


@pytest.mark.parametrize("new_is_directory", [False, True])
def test_land_of_a_file_on_a_directory_or_the_other_way_is_refused(
    tmp_path: Path, new_is_directory: bool
) -> None:
    directory, file = tmp_path / "directory", tmp_path / "file"
    directory.mkdir()
    file.touch()
    pair = (directory, file) if new_is_directory else (file, directory)
    with pytest.raises(Conflict):
        trees.land(*map(str, pair))

    assert directory.is_dir()
    assert file.is_file()


def test_private_directory_is_nobody_elses_and_gone_afterwards(tmp_path: Path) -> None:
    with trees.private_directory(str(tmp_path)) as path:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        Path(path, "x").touch()

    assert mode == 0o700
    assert os.listdir(tmp_path) == []


def test_private_directory_of_a_dead_process_is_taken_away_and_of_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    for name in ("dead", "living"):
        (tmp_path / f".wirt-copy-{name}").mkdir()
        (tmp_path / f".wirt-copy-{name}/x").touch()
    living = os.open(tmp_path / ".wirt-copy-living", os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    with trees.private_directory(str(tmp_path)):
        pass
    os.close(living)

    assert os.listdir(tmp_path) == [".wirt-copy-living"]
