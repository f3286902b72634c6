"""Inodes of a mounted file system that are kept from its guest: empty files beside its layer.

ext4 has as many inodes as it was made with, and no bound below that but quotas, which many kernels lack. So what a guest is not to
have is taken, by files that it cannot reach. Killed on the way, some are there; the next call makes that good.
"""

import errno
import os
import stat
from contextlib import suppress

from wirt.units import MIB, UNBOUNDED

DIRECTORY = "inodes"
"""Name, beside the guest's layer, of the directory of those files: they are called 0, 1, 2 and so on."""

_SMALL, _SMALL_EACH, _EACH = 512 * MIB, 4096, 16384
"""Bytes of a disk that is small, and bytes of it and of others for each inode, unless mke2fs is asked for another number."""
ROOM = 4
"""A file system is made with so many times the inodes that are asked for, so that there can be more later."""


def to_make(size: int, inodes: int) -> int:
    """Return how many inodes a file system is made with whose guest is to have so many of them now."""
    usual = size // (_SMALL_EACH if size < _SMALL else _EACH)
    return max(inodes, min(usual, ROOM * inodes))


def taken(layer: str) -> int:
    """Return how many inodes of a mounted file system are kept from its guest."""
    try:
        with os.scandir(f"{layer}/{DIRECTORY}") as found:
            return sum(1 for _file in found)
    except FileNotFoundError:
        return 0


def hold(layer: str, inodes: int) -> None:
    """Take what is more than ``inodes`` of a mounted file system's, as far as they are free, or give back what is less.

    Raises:
        OSError: the kernel refused; some have been taken or given back.
    """
    directory = f"{layer}/{DIRECTORY}"
    if inodes == UNBOUNDED and not os.path.isdir(directory):
        return
    held = taken(layer)
    has = os.statvfs(layer).f_files
    wanted = 0 if inodes == UNBOUNDED else max(0, has - inodes)
    try:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for number in range(held, wanted):
                os.mknod(str(number), stat.S_IFREG | 0o600, dir_fd=place)
            # The last one first: wherever this ends, those that are there are called 0 to one less than their number.
            for number in range(held - 1, wanted - 1, -1):
                os.unlink(str(number), dir_fd=place)
        finally:
            os.close(place)
    except OSError as error:
        # The guest has more than it is to have: there is none left to be kept from it.
        if error.errno != errno.ENOSPC:
            raise
    if not wanted:
        os.rmdir(directory)
