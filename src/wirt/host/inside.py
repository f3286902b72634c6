"""Paths in a tree that a stranger has made, opened so that no link in it leads out of it.

By the kernel's ``openat2``, which neither Python nor Debian 12's C library has a function for: the whole way is walked in
one call, so nobody can put a link there between a look and an open. Source: openat2(2).
"""

import ctypes
import errno
import os
import stat
from contextlib import suppress

_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _IN_ROOT = 1, 2, 4, 8, 16

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_inside(root: int, path: str, flags: int = os.O_PATH) -> int:
    """Open a path as a process would whose root directory this is: links are followed, and lead to nowhere else.

    Args:
        root: descriptor of the directory.
        path: absolute or not, it begins there; ``..`` leads no further up.
        flags: as for ``os.open``; nothing is created.

    Raises:
        OSError: as ``os.open``; EXDEV if the way leads to another file system.
    """
    return _open(root, path, flags, _IN_ROOT | _NO_MAGICLINKS | _NO_XDEV)


def open_beneath(directory: int, path: str, flags: int = os.O_PATH) -> int:
    """Open a path below a directory on which there is no link at all.

    Raises:
        OSError: as ``os.open``; ELOOP if there is a link, EXDEV if the path leads out.
    """
    return _open(directory, path, flags, _BENEATH | _NO_SYMLINKS | _NO_XDEV)


def replace(root: str, path: str, content: str, *, owner: int, mode: int = 0o644) -> None:
    """Put a file in the place of whatever is at ``path`` below ``root``; never half of it.

    What is there is replaced, be it a link, a device or a pipe, and nothing is ever opened there.

    Args:
        root: the directory that no link leads out of.
        path: as somebody whose root that is would write it; its directory must be there.
        content: of the file.
        owner: user and group id, as the node counts them.
        mode: permissions.

    Raises:
        OSError: the kernel refused; a directory at ``path`` stays.
    """
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        directory = open_inside(top, os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    finally:
        os.close(top)
    name = os.path.basename(path)
    fresh = f".{name}.wirt"
    try:
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, mode, dir_fd=directory)
        with open(descriptor, "wb") as file:
            file.write(content.encode(errors="surrogateescape"))
            os.fchown(descriptor, owner, owner)
            os.fchmod(descriptor, mode)
        try:
            os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            os.unlink(fresh, dir_fd=directory)
            raise
    finally:
        os.close(directory)


def read(root: str, path: str, *, most: int) -> str | None:
    """Return what a file holds as a process would read it whose root that is; None if none is there.

    Only a file is opened: a pipe would keep whoever reads it waiting, a device may do anything.

    Args:
        root: the directory that no link leads out of.
        path: as somebody whose root that is would write it.
        most: bytes; of a longer file only these are returned.

    Raises:
        OSError: the kernel refused.
    """
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_inside(top, path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
            return None
        raise
    finally:
        os.close(top)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return None
        with open(f"/proc/self/fd/{found}", "rb") as file:
            return file.read(most).decode(errors="surrogateescape")
    finally:
        os.close(found)


def _open(directory: int, path: str, flags: int, resolve: int) -> int:
    name = os.fsencode(path)
    if b"\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=resolve)
    while True:
        found = _libc.syscall(
            _OPENAT2,
            directory,
            name or b".",
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if found >= 0:
            return int(found)
        number = ctypes.get_errno()
        # A directory was renamed somewhere while ".." was walked: the kernel does not say it was ours.
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), path)
