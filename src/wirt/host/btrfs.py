"""btrfs file systems, their subvolumes and their quota groups, by its own program.

Where quotas are on, every subvolume has a group of its own, which counts its bytes and may bound them. They are on or off
for a whole file system, and cost time on one with many snapshots: they are switched on for the file systems of pools alone.
"""

import os
from pathlib import Path

import msgspec

from wirt.host import files, mount, run

_TOP = 256
"""Inode number of the root of every subvolume, and of nothing else."""
_SYSFS = Path("/sys/fs/btrfs")
_SUPERBLOCK, _MAGIC = 0x10000, b"_BHRfS_M"


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a subvolume's quota group says, as of the last commit to the disk, which may be half a minute ago; in bytes."""

    used: int
    """All that can be read in it, whether it shares it or not."""
    limit: int | None


def snapshot(source: str, target: str, *, read_only: bool = False) -> None:
    """Make ``target`` a subvolume with what ``source`` holds at this instant; subvolumes inside it are left out.

    Raises:
        Failed: the program could not.
    """
    kind = ["-r"] if read_only else []
    run.check(["btrfs", "subvolume", "snapshot", *kind, source, target])


def make_read_only(volume: str) -> None:
    """Let nobody write to a subvolume any more.

    Raises:
        Failed: the program could not.
    """
    run.check(["btrfs", "property", "set", "-ts", volume, "ro", "true"])


def delete(volume: str) -> None:
    """Delete a subvolume with those inside it; no error if it is gone."""
    # A subvolume is deleted as a directory too (since Linux 4.18), inner ones with it; btrfs only does it faster, and it
    # alone can delete one that is read only.
    if os.path.isdir(volume):
        counted = os.stat(volume).st_ino == _TOP and has_quota(volume)
        number = _number(volume) if counted else None
        run.run(["btrfs", "subvolume", "delete", volume])
        if number is not None:
            # Newer kernels refuse this and do it themselves once the last block is free.
            run.run(["btrfs", "qgroup", "destroy", f"0/{number}", os.path.dirname(volume)])
    files.remove_tree(volume)


def read_uuid(device: str) -> str | None:
    """Return the UUID of the btrfs file system on a device or in a file, None if there is none.

    Source: https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html, superblock.

    Raises:
        OSError: it cannot be read.
    """
    with open(device, "rb") as file:
        file.seek(_SUPERBLOCK)
        block = file.read(72)
    if block[0x40:0x48] != _MAGIC:
        return None
    digits = block[0x20:0x30].hex()
    ends = (0, 8, 12, 16, 20, 32)
    return "-".join(digits[ends[part] : ends[part + 1]] for part in range(5))


def enable_quota(path: str) -> None:
    """Switch quotas on for the whole file system that ``path`` is on.

    Raises:
        Failed: the program could not.
    """
    run.check(["btrfs", "quota", "enable", path])


def has_quota(path: str) -> bool:
    """Return whether quotas are on for the btrfs file system that ``path`` lies on."""
    device = os.path.basename(os.path.realpath(mount.file_system_of(path).source))
    for system in _SYSFS.glob("*/devices"):
        if (system / device).exists():
            enabled = system.parent / "qgroups" / "enabled"
            # Linux 5.9 to 6.0 have the directory, and not the file.
            return (
                enabled.read_text().strip() == "1" if enabled.exists() else enabled.parent.exists()
            )
    return False


def read_quota(volume: str) -> Quota:
    """Return what the quota group of a subvolume says.

    Raises:
        Failed: quotas are off.
    """
    # After two lines of heads: group, referenced, exclusive, maximum of referenced, path.
    fields = (
        run.check(["btrfs", "qgroup", "show", "-r", "-f", "--raw", volume]).splitlines()[2].split()
    )
    return Quota(used=int(fields[1]), limit=None if fields[3] == "none" else int(fields[3]))


def limit(volume: str, size: int) -> None:
    """Bound a subvolume to ``size`` bytes; what it holds already stays, even if that is more.

    Raises:
        Failed: quotas are off.
    """
    done = run.run(["btrfs", "qgroup", "limit", str(size), volume])
    if done.status != 0:
        # The kernel wants room for the change itself in the subvolume that it is asked through, and one that is full has none.
        above = os.path.dirname(volume)
        run.check(["btrfs", "qgroup", "limit", str(size), f"0/{_number(volume)}", above])


def _number(volume: str) -> str:
    return run.check(["btrfs", "inspect-internal", "rootid", volume]).strip()


def exclusive_bytes(volume: str) -> int:
    """Return the bytes of a subvolume that it shares with no other.

    Raises:
        Failed: the program could not.
    """
    said = run.check(["btrfs", "filesystem", "du", "--summarize", "--raw", volume])
    return int(said.splitlines()[-1].split()[1])
