"""ext4 file systems: how large one is, and making one larger while it is mounted, by the kernel's own call."""

import fcntl
import os
import struct

from wirt.errors import Failed

BLOCK = 4096
"""Bytes; the file systems that are made here have no other blocks."""
_SUPERBLOCK, _MAGIC = 1024, 0xEF53
_RESIZE = 0x40086610
_CAP_SYS_RESOURCE = 24
_QUOTA = 0x100


def read_size(device: str) -> int:
    """Return the bytes of the file system on a device, or in a file; of one that is mounted, ask its device.

    Source: https://docs.kernel.org/filesystems/ext4/globals.html, fields 0x4, 0x18, 0x38 and 0x150.

    Raises:
        OSError: it cannot be read.
        Failed: it holds no such file system.
    """
    with open(device, "rb") as file:
        file.seek(_SUPERBLOCK)
        block = file.read(1024)
    if len(block) < 1024 or struct.unpack_from("<H", block, 0x38)[0] != _MAGIC:
        raise Failed(f"there is no ext4 file system in {device}")
    low, log, high = (struct.unpack_from("<I", block, at)[0] for at in (0x4, 0x18, 0x150))
    return int((high << 32 | low) * 1024) << int(log)


def read_inodes(device: str) -> int:
    """Return how many inodes the file system on a device, or in a file, has.

    Source: as ``read_size``, field 0x0.

    Raises:
        OSError: it cannot be read.
    """
    with open(device, "rb") as file:
        file.seek(_SUPERBLOCK)
        return int(struct.unpack("<I", file.read(4))[0])


def has_quotas(device: str) -> bool:
    """Return whether the file system on a device, or in a file, counts what users and groups hold.

    Source: as ``read_size``, field 0x64, RO_COMPAT_QUOTA.

    Raises:
        OSError: it cannot be read.
    """
    with open(device, "rb") as file:
        file.seek(_SUPERBLOCK + 0x64)
        return bool(struct.unpack("<I", file.read(4))[0] & _QUOTA)


def may_grow() -> bool:
    """Return whether the kernel lets this process make a mounted file system larger."""
    with open("/proc/self/status") as status:
        held = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(held, 16) >> _CAP_SYS_RESOURCE & 1)


def grow(mount_point: str, size: int) -> None:
    """Let a mounted file system, whose device has room for it, have ``size`` bytes; no error if it has.

    Raises:
        OSError: the kernel refused; it is as before.
    """
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _RESIZE, struct.pack("=Q", size // BLOCK))
    finally:
        os.close(descriptor)
