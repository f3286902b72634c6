"""Layers of real file systems in files of snapshots: what comes out is what went in, and a full disk is said to be one."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.errors import OutOfSpace
from wirt.storage import snapshotfile
from wirt.storage.snapshotfile import Parts
from wirt.units import MIB


@pytest.fixture
def small(tmp_path: Path, root_user: None) -> Iterator[Path]:
    """Give a file system of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "none", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def layer_in(path: Path) -> Path:
    """Make what the layer of an overlay may hold."""
    (path / "etc").mkdir(parents=True)
    path.chmod(0o755)
    (path / "etc/file").write_text("text")
    os.chown(path / "etc/file", 12, 34)
    os.link(path / "etc/file", path / "etc/same")
    os.symlink("/etc/file", path / "link")
    os.mknod(path / "gone", stat.S_IFCHR, os.makedev(0, 0))
    os.mkfifo(path / "pipe")
    os.setxattr(path / "etc", "trusted.overlay.opaque", b"y")
    os.setxattr(path / "etc", "trusted.overlay.origin", b"of that node")
    os.setxattr(path / "etc/file", "user.kept", b"value")
    (path / "tool").write_text("tool")
    (path / "tool").chmod(0o4755)
    os.utime(path / "tool", ns=(1, 1_500_000_000_123_456_789))
    return path


def unpacked(tmp_path: Path, disk: Path, *, into: Path) -> Path:
    file = str(tmp_path / "one.wirt")
    snapshotfile.write(file, b"{}", Parts(disk=str(disk)))
    assert snapshotfile.read_what(file) == b"{}"
    snapshotfile.unpack(file, Parts(disk=str(into)))
    return into


def test_layer_comes_out_as_it_went_in(tmp_path: Path, root_user: None) -> None:
    target = tmp_path / "target"
    target.mkdir()
    unpacked(tmp_path, layer_in(tmp_path / "layer"), into=target)
    gone, file = (target / "gone").lstat(), (target / "etc/file").stat()

    assert (target / "etc/file").read_text() == "text"
    assert (file.st_uid, file.st_gid, file.st_nlink) == (12, 34, 2)
    assert os.readlink(target / "link") == "/etc/file"
    assert (stat.S_ISCHR(gone.st_mode), gone.st_rdev) == (True, 0)
    assert stat.S_ISFIFO((target / "pipe").lstat().st_mode)
    assert os.listxattr(target / "etc") == ["trusted.overlay.opaque"]
    assert os.getxattr(target / "etc/file", "user.kept") == b"value"
    assert stat.S_IMODE((target / "tool").stat().st_mode) == 0o4755
    # An archive's times are read as floating point.
    assert abs((target / "tool").stat().st_mtime_ns - 1_500_000_000_123_456_789) < 1000
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_image_comes_out_with_its_holes(tmp_path: Path) -> None:
    disk, target = tmp_path / "disk", tmp_path / "target"
    with disk.open("wb") as file:
        for at in (0, 7 * MIB, 63 * MIB):
            file.seek(at)
            file.write(b"data" * 1024)
        file.truncate(64 * MIB)
    target.write_text("what was cloned")
    unpacked(tmp_path, disk, into=target)

    assert (tmp_path / "one.wirt").stat().st_size < MIB
    assert target.read_bytes() == disk.read_bytes()
    assert target.stat().st_blocks * 512 < 8 * MIB


def test_disk_that_is_full_is_said_to_be(tmp_path: Path, small: Path) -> None:
    layer, target = tmp_path / "layer", small / "target"
    layer.mkdir()
    target.mkdir()
    (layer / "large").write_bytes(os.urandom(3 * MIB))
    with pytest.raises(OutOfSpace) as caught:
        unpacked(tmp_path, layer, into=target)

    assert str(caught.value) == (
        "cannot unpack one.wirt: No space left on device; free some space and try again"
    )


def test_full_disk_while_a_file_is_written_is_said_to_be(tmp_path: Path, small: Path) -> None:
    from wirt.host import files

    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "large").write_bytes(os.urandom(3 * MIB))
    path = str(small / "one.wirt")
    with pytest.raises(OutOfSpace) as caught, files.translated(f"write {path}"):
        snapshotfile.write(path, b"{}", Parts(disk=str(layer)))

    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; free some space and try again"
    )


def test_disk_that_is_full_of_memory_is_said_to_be(tmp_path: Path, small: Path) -> None:

    memory, target = tmp_path / "memory", small / "memory"
    (memory / "images").mkdir(parents=True)
    (memory / "images/pages-1.img").write_bytes(os.urandom(3 * MIB))
    target.mkdir()
    file = str(tmp_path / "one.wirt")
    snapshotfile.write(file, b"{}", Parts(memory=str(memory)))
    with pytest.raises(OutOfSpace) as caught:
        snapshotfile.unpack(file, Parts(memory=str(target)))

    assert str(caught.value) == (
        "cannot unpack one.wirt: No space left on device; free some space and try again"
    )
