"""Quotas of the users and groups of a mounted file system, by the kernel's own calls: no program of the package quota is needed.

Source: quotactl(2), quotactl_fd (Linux 5.14), linux/quota.h.
"""

import ctypes
import errno
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from wirt.errors import Failed, NotPermitted
from wirt.host import loop, mount, run

MOUNTED_WITH = "usrquota,grpquota"
"""What a file system that counts is mounted with, to hold them to what they may have."""
LARGEST_ID = 2**32 - 2
USER, GROUP = 0, 1
"""Kinds of ids, by the kernel's numbers."""

_QUOTACTL_FD = 443
_GET, _SET, _GET_NEXT = 0x800007, 0x800008, 0x800009
_SPACE_AND_INODES = 1 | 4
_BLOCK = 1024
_QUOTA = struct.Struct("=8QII")
"""``struct if_nextdqblk``: limits and use of space and inodes, times, what of it is to be set, whose it is."""
_TRIAL_BYTES = 8 * 1024**2

_libc = ctypes.CDLL(None, use_errno=True)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What an id holds and may hold: bytes and inodes; a bound of 0 is none."""

    number: int
    bytes: int = 0
    inodes: int = 0
    bytes_soft: int = 0
    bytes_hard: int = 0
    inodes_soft: int = 0
    inodes_hard: int = 0

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to say of it."""
        return self == Entry(number=self.number)


def find_lack() -> str | None:
    """Return why this kernel cannot hold users of an ext4 file system to quotas, None if it can: it is tried.

    Raises:
        NotPermitted: only root can try.
        Failed: there is not even a file system to try it on.
    """
    if not os.path.isdir("/proc/sys/fs/quota"):
        return "this kernel has no quotas (CONFIG_QUOTA)"
    if os.geteuid() != 0:
        raise NotPermitted(
            "only root can try whether this kernel has quotas", hint="run it as root"
        )
    with tempfile.TemporaryDirectory(prefix="wirt-quota-") as place:
        disk, there = f"{place}/disk", f"{place}/there"
        os.mkdir(there)
        with open(disk, "wb") as file:
            file.truncate(_TRIAL_BYTES)
        run.check(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "quota", disk])
        with loop.opened(disk) as device, mount.private_namespace():
            try:
                mount.mount(device, there, "ext4", data=MOUNTED_WITH)
            except (Failed, NotPermitted):
                return "this kernel's ext4 has no quotas of users (CONFIG_QFMT_V2)"
            try:
                set_bounds(there, USER, Entry(number=1, inodes_hard=1))
            except Failed as error:
                return error.message
            finally:
                mount.unmount(there)
    return None


def set_bounds(directory: str, kind: int, entry: Entry) -> None:
    """Hold an id to what it may have of the file system of a directory, in the place of what it might.

    Raises:
        Failed: the kernel refused.
    """
    blocks = [-(-size // _BLOCK) for size in (entry.bytes_hard, entry.bytes_soft)]
    held = (0, entry.inodes_hard, entry.inodes_soft, 0)
    data = bytearray(_QUOTA.pack(*blocks, *held, 0, 0, _SPACE_AND_INODES, 0))
    try:
        _call(directory, _SET, kind, entry.number, data)
    except OSError as error:
        raise Failed(f"the quota of id {entry.number} cannot be set: {_why(error)}") from error


def read(directory: str, kind: int) -> Iterator[Entry]:
    """Yield what each id of a kind holds of the file system of a directory; who holds nothing and may have anything is left out.

    Raises:
        Failed: the kernel counts none.
    """
    number = 0
    with suppress(_Over):
        while number <= LARGEST_ID:
            found = _next(directory, kind, number)
            if not found.is_empty:
                yield found
            number = found.number + 1


class _Over(Exception):
    """There is no further one."""


def _next(directory: str, kind: int, number: int) -> Entry:
    """Return the quota of the first one from a number on."""
    data = bytearray(_QUOTA.size)
    try:
        _call(directory, _GET_NEXT, kind, number, data)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise _Over from error
        raise Failed(f"the quotas of {directory} cannot be read: {_why(error)}") from error
    hard, soft, held, inodes, inodes_soft, inodes_held, _, _, _, whose = _QUOTA.unpack(data)
    return Entry(
        number=whose,
        bytes=held,
        inodes=inodes_held,
        bytes_soft=soft * _BLOCK,
        bytes_hard=hard * _BLOCK,
        inodes_soft=inodes_soft,
        inodes_hard=inodes,
    )


def _why(error: OSError) -> str:
    reasons = {
        errno.ESRCH: "they are not counted there",
        errno.ENOSYS: "this kernel is older than 5.14",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))


def _call(directory: str, what: int, kind: int, number: int, data: bytearray) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = (ctypes.c_char * len(data)).from_buffer(data)
        command = ctypes.c_uint(what << 8 | kind)
        if _libc.syscall(_QUOTACTL_FD, descriptor, command, ctypes.c_uint(number), address) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
