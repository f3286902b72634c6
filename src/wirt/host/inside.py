"""Files below a root that somebody hostile has made, and may be changing meanwhile.

The kernel itself keeps every link inside (``openat2`` with RESOLVE_IN_ROOT): a check beforehand would be out of date by the
time of the write.
"""

import ctypes
import errno
import os
from contextlib import suppress

_OPENAT2 = 437
"""By number: Debian 12's C library does not know it."""
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_TRIES = 20
"""The kernel asks to try again where something is renamed at the same time."""


_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


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
    directory = _open_directory(root, os.path.dirname(path))
    name = os.path.basename(path)
    fresh = f".{name}.wirt"
    try:
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, mode, dir_fd=directory)
        with open(descriptor, "w") as file:
            file.write(content)
            os.fchown(descriptor, owner, owner)
            os.fchmod(descriptor, mode)
        try:
            os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            os.unlink(fresh, dir_fd=directory)
            raise
    finally:
        os.close(directory)


def _open_directory(root: str, path: str) -> int:
    """Return a descriptor of a directory below a root."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    how = _How(flags=flags, resolve=_RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    top = os.open(root, flags)
    try:
        for _ in range(_TRIES):
            found: int = _libc.syscall(
                _OPENAT2, top, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
            )
            if found >= 0:
                return found
            number = ctypes.get_errno()
            if number != errno.EAGAIN:
                break
        raise OSError(number, os.strerror(number), path)
    finally:
        os.close(top)
