"""Pseudo-terminals: how many there are in the devpts that a process sees."""

import os

import msgspec

from wirt.host.mountinfo import parse_mounts

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Terminals(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one devpts."""

    held: int
    most: int | None
    """What the mount allows; None if it says nothing."""


def count_terminals(pid: int) -> Terminals | None:
    """Return those of the devpts at /dev/pts of a process's root; None if it has none."""
    try:
        with open(f"/proc/{pid}/mountinfo") as file:
            mounts = parse_mounts(file.read().splitlines())
    except OSError:
        return None
    for mount in mounts:
        if mount.type == "devpts" and mount.mount_point == "/dev/pts":
            names = _list(f"/proc/{pid}/root", mount.device_number)
            options = dict(o.partition("=")[::2] for o in mount.super_options.split(","))
            allowed = options.get("max", "")
            return Terminals(
                held=sum(name.isdigit() for name in names),
                most=int(allowed) if allowed.isdigit() else None,
            )
    return None


def _list(root: str, device_number: str) -> list[str]:
    """Return the names in dev/pts below a root that is a stranger's: no link is followed, no other file system listed."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in ("dev", "pts"):
            inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        number = os.fstat(descriptor).st_dev
        if f"{os.major(number)}:{os.minor(number)}" != device_number:
            return []
        return os.listdir(f"/proc/self/fd/{descriptor}")
    except OSError:
        return []
    finally:
        os.close(descriptor)
