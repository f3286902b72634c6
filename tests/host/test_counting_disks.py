"""Disks of containers that are made to count what users hold, and not to: the file system alone, mounted nowhere."""

import os
import subprocess
from pathlib import Path

import pytest

from wirt.errors import Failed, Unsupported
from wirt.host import ext4, quotas
from wirt.storage.loopdisk import DISK, LoopDisks
from wirt.units import MIB

GUEST = "12ab34"


@pytest.fixture
def pool(root_user: None, tmp_path: Path) -> LoopDisks:
    made = LoopDisks(str(tmp_path / "pool"))
    made.clone("", GUEST, root="tree", size=64 * MIB)
    return made


def disk_of(tmp_path: Path) -> Path:
    return tmp_path / "pool" / GUEST / DISK


def is_sound(disk: Path) -> bool:
    return subprocess.run(["e2fsck", "-f", "-n", disk], capture_output=True).returncode == 0


def test_disk_counts_from_when_it_is_told_to_until_it_is_told_not_to(
    pool: LoopDisks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What cannot be mounted here can be made here.
    monkeypatch.setattr(quotas, "find_lack", lambda: None)
    disk = disk_of(tmp_path)
    first = disk.stat().st_ino
    pool.count_users(GUEST, on=False)
    untouched = disk.stat().st_ino
    pool.count_users(GUEST, on=True)
    counts, is_whole, second = ext4.has_quotas(str(disk)), is_sound(disk), disk.stat().st_ino
    pool.count_users(GUEST, on=True)
    again = disk.stat().st_ino
    pool.count_users(GUEST, on=False)

    assert untouched == first
    assert (counts, is_whole) == (True, True)
    assert again == second != first
    assert not ext4.has_quotas(str(disk))
    assert is_sound(disk)
    assert disk.stat().st_size == 64 * MIB
    assert [name for name in os.listdir(disk.parent) if name.startswith(DISK)] == [DISK]


def test_disk_is_as_before_if_the_kernel_could_not_mount_it_or_it_is_damaged(
    pool: LoopDisks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disk_of(tmp_path)
    monkeypatch.setattr(quotas, "find_lack", lambda: "this kernel has none")
    with pytest.raises(Unsupported, match="cannot be held to quotas: this kernel has none"):
        pool.count_users(GUEST, on=True)
    monkeypatch.setattr(quotas, "find_lack", lambda: None)
    with disk.open("r+b") as file:
        file.seek(1024 + 0x58)
        file.write(b"\xff\xff")  # its inodes have a size that cannot be
    before = disk.read_bytes()
    with pytest.raises(Failed):
        pool.count_users(GUEST, on=True)

    assert disk.read_bytes() == before
    assert [name for name in os.listdir(disk.parent) if name.startswith(DISK)] == [DISK]
