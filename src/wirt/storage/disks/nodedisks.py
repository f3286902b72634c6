"""Disks of the node that guests are given: what they are, asked without running anything and without following anything.

A guest writes what it likes into its disk, the beginning of another format as well, and a stranger's image may name any file
of the node as what it rests on. So the format is what a person said, and what rests on something else is refused.
"""

import errno
import fcntl
import os
import stat
import struct
from typing import BinaryIO

from wirt.errors import Conflict, Corrupt, Error, InvalidInput, NotFound
from wirt.host import files, loop
from wirt.model.disk import QCOW2, RAW

_SECTOR = 512
_BLKROGET = 0x125E
"""Whether a block device can only be read, of linux/fs.h."""

_QCOW2 = struct.Struct(">4sIQIIQIIQQIIQQ")
"""Magic, version, where the name of what it rests on is and how long, bits of a cluster, size; what concerns its tables and
snapshots; the features without which it cannot be read. Source: docs/interop/qcow2.txt of QEMU."""
_MAGIC = b"QFI\xfb"
_DATA_ELSEWHERE = 4
"""Of those features: the data is in another file."""


def examine(path: str, form: str, *, read_only: bool) -> int:
    """Return the bytes that a guest has on a disk of the node, which is nobody else's at the moment.

    Args:
        path: the file or block device.
        form: "raw" or "qcow2".
        read_only: True if the guest only reads it.

    Raises:
        NotFound, InvalidInput, NotPermitted, Failed: it cannot be a disk; says why.
        Corrupt: it is not in that format.
        Conflict: the node uses it.
    """
    with files.translated(f"look at {path}"):
        try:
            kind = os.stat(path).st_mode
        except FileNotFoundError:
            raise NotFound(f"there is no {path}", hint="name a file or block device") from None
        if stat.S_ISBLK(kind):
            _check_unused(path, read_only=read_only)
        elif not stat.S_ISREG(kind):
            raise InvalidInput(f"{path} is neither a file nor a block device")
        elif (device := loop.device_of(path)) is not None and not read_only:
            raise Conflict(
                f"{path} is in use on the node: {device} is bound to it",
                hint=f"unmount what is on it, or losetup -d {device}",
            )
        with open(path, "rb") as file:
            size = _size(path, file, form)
    if size == 0 or size % _SECTOR:
        raise InvalidInput(
            f"{path} is no {form} disk: it has {size} bytes",
            hint=f"a disk has sectors of {_SECTOR}, one at the least",
        )
    return size


def size_of(path: str, form: str) -> int | None:
    """Return the bytes that a guest has on a disk of the node; None if it is not there, or not what is said."""
    try:
        with open(path, "rb") as file:
            return _size(path, file, form)
    except (OSError, Error):
        return None


def _size(path: str, file: BinaryIO, form: str) -> int:
    return _size_in_qcow2(path, file.read(_QCOW2.size)) if form == QCOW2 else file.seek(0, 2)


def identity(path: str) -> tuple[str, int, int] | None:
    """Return what tells a disk of the node from all others, by whatever name it goes; None if it is not there."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISBLK(found.st_mode):
        return ("device", os.major(found.st_rdev), os.minor(found.st_rdev))
    return ("file", found.st_dev, found.st_ino)


def _check_unused(path: str, *, read_only: bool) -> None:
    """Ask the kernel whether a block device is mounted, part of another or swap: only then it refuses this."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Conflict(
                f"{path} is in use on the node", hint="see lsblk; unmount what is on it"
            ) from error
        raise
    try:
        (is_locked,) = struct.unpack("i", fcntl.ioctl(descriptor, _BLKROGET, bytes(4)))
    finally:
        os.close(descriptor)
    if is_locked and not read_only:
        raise InvalidInput(f"{path} can only be read", hint="pass --read-only")


def _size_in_qcow2(path: str, head: bytes) -> int:
    """Return the size that the head of a qcow2 image says.

    Raises:
        Corrupt: it is none.
        InvalidInput: it rests on something else.
    """
    if len(head) < _QCOW2.size or head[:4] != _MAGIC:
        raise Corrupt(f"{path} is no qcow2 image", hint=f"say --format {RAW} if it is raw")
    _, version, backing, _, _, size, *_, features = _QCOW2.unpack(head)
    if version not in (2, 3):
        raise Corrupt(f"{path} is a qcow2 image of version {version}", hint="2 and 3 are known")
    if backing or (version == 3 and features & _DATA_ELSEWHERE):
        raise InvalidInput(
            f"{path} rests on another file, which is not followed",
            hint="put both into one: qemu-img convert -f qcow2 -O qcow2",
        )
    return int(size)
