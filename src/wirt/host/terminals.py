"""Pseudo-terminals: how many there are in the devpts that a process sees, and how many there may be.

As a program, for the node's shell: ``python -m wirt.host.terminals PID MOST``.
"""

import ctypes
import os
import sys

import msgspec

from wirt.errors import Failed
from wirt.host.mountinfo import Mount, parse_mounts

_FSPICK, _FSCONFIG = 433, 431
_EMPTY_PATH, _CLOSE_ON_EXEC = 8, 1
_SET_STRING, _RECONFIGURE = 1, 7
"""Sources: linux/mount.h, asm-generic/unistd.h; Linux 5.2."""
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Terminals(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one devpts."""

    held: int
    most: int | None
    """What the mount allows; None if it says nothing."""


def count_terminals(pid: int) -> Terminals | None:
    """Return those of the devpts at /dev/pts of a process's root; None if it has none."""
    mount = _find_mount(pid)
    if mount is None:
        return None
    names = _list(f"/proc/{pid}/root", mount.device_number)
    allowed = _options(mount).get("max", "")
    return Terminals(
        held=sum(name.isdigit() for name in names),
        most=int(allowed) if allowed.isdigit() else None,
    )


def bound(pid: int, most: int) -> None:
    """Hold the devpts at /dev/pts of a process's root to a number of terminals; nothing if it has none.

    Raises:
        Failed: the kernel refused.
    """
    mount = _find_mount(pid)
    if mount is None or _options(mount).get("max") == str(most):
        return
    directory = _open(f"/proc/{pid}/root", mount.device_number)
    if directory is None:
        return
    # What is not said is as when it was first mounted, on kernels before 6.
    options = {**_options(mount), "max": str(most)}
    try:
        picked = _call(_FSPICK, directory, b"", _EMPTY_PATH | _CLOSE_ON_EXEC)
        try:
            for key, value in options.items():
                if key in ("uid", "gid", "mode", "ptmxmode", "max"):
                    _call(_FSCONFIG, picked, _SET_STRING, key.encode(), value.encode(), 0)
            _call(_FSCONFIG, picked, _RECONFIGURE, None, None, 0)
        finally:
            os.close(picked)
    except OSError as error:
        raise Failed(f"cannot bound the terminals of process {pid}: {error.strerror}") from error
    finally:
        os.close(directory)


def _find_mount(pid: int) -> Mount | None:
    try:
        with open(f"/proc/{pid}/mountinfo") as file:
            mounts = parse_mounts(file.read().splitlines())
    except OSError:
        return None
    # What was mounted last is what is seen.
    found = [one for one in mounts if one.type == "devpts" and one.mount_point == "/dev/pts"]
    return found[-1] if found else None


def _options(mount: Mount) -> dict[str, str]:
    return dict(option.partition("=")[::2] for option in mount.super_options.split(","))


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _list(root: str, device_number: str) -> list[str]:
    """Return the names in dev/pts below a root that is a stranger's."""
    directory = _open(root, device_number)
    if directory is None:
        return []
    try:
        return os.listdir(f"/proc/self/fd/{directory}")
    except OSError:
        return []
    finally:
        os.close(directory)


def _open(root: str, device_number: str) -> int | None:
    """Open dev/pts below a root that is a stranger's: no link is followed, no other file system opened."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in ("dev", "pts"):
            inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        number = os.fstat(descriptor).st_dev
        if f"{os.major(number)}:{os.minor(number)}" == device_number:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


if __name__ == "__main__":
    bound(int(sys.argv[1]), int(sys.argv[2]))
