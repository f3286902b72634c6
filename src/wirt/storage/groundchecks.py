"""What is looked at before a pool is made: the device, the room for a file, the place that it will have."""

import errno
import os
import stat

from wirt.errors import Conflict, InvalidInput, NotFound, OutOfSpace
from wirt.host import files, run
from wirt.units import MIB, render_bytes

SMALLEST = 256 * MIB
"""Bytes; mkfs.btrfs takes no less than 109 MiB, and a template has to fit in it."""


def check_device(device: str, kind: str, *, force: bool) -> None:
    """Check that a device is one, is large enough for a pool, is not in use, and holds nothing that is missed.

    Args:
        device: its path.
        kind: of the pool, with its article.
        force: True if what it holds may be lost.

    Raises:
        NotFound, InvalidInput, Conflict, Failed: it cannot be used.
    """
    try:
        is_device = stat.S_ISBLK(os.stat(device).st_mode)
    except FileNotFoundError:
        raise NotFound(
            f"there is no device {device}", hint="see lsblk for those that there are"
        ) from None
    if not is_device:
        raise InvalidInput(
            f"{device} is no block device", hint="give one, or a size to have a file made"
        )
    with files.translated(f"open {device}"):
        try:
            os.close(os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC))
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise Conflict(
                f"device {device} is in use", hint="unmount what is on it, or give another"
            ) from error
        with open(device, "rb") as file:
            size = file.seek(0, os.SEEK_END)
    check_size(size, kind)
    held = run.check(["wipefs", "--noheadings", "--output", "TYPE", device]).split()
    if held and not force:
        raise Conflict(
            f"device {device} holds {held[0]} already",
            hint="pass --force to lose all that is on it",
        )


def check_room(directory: str, size: int) -> None:
    """Check that a file of ``size`` bytes fits into a directory.

    Raises:
        InvalidInput, OutOfSpace: it is too small for a pool, or does not.
    """
    check_size(size, "a btrfs")
    free = files.free_bytes(directory)
    if size > free:
        raise OutOfSpace(
            f"a pool of {render_bytes(size)} does not fit on the disk: {render_bytes(free)} are free",
            hint="ask for less, or give a device",
        )


def check_absent(path: str) -> None:
    """Check that there is nothing at a path.

    Raises:
        Conflict: there is.
    """
    if os.path.lexists(path):
        raise Conflict(
            f"there is something at {path}, where the pool would be",
            hint="move it away, or choose another name",
        )


def check_size(size: int, kind: str) -> None:
    """Check that a pool of that kind, named with its article, is large enough.

    Raises:
        InvalidInput: it is not.
    """
    if size < SMALLEST:
        raise InvalidInput(
            f"{kind} pool of {render_bytes(size)} is too small",
            hint=f"give at least {render_bytes(SMALLEST)}",
        )


def check_passable(path: str) -> None:
    """Check that the root user of an unprivileged guest, who is nobody on the node, can come to a directory.

    Raises:
        InvalidInput: it cannot; says which directory is in the way.
    """
    place = path
    while True:
        if not os.stat(place).st_mode & stat.S_IXOTH:
            raise InvalidInput(
                f"containers cannot come to {path}: {place} is closed to other users",
                hint=f"give another directory, or let them pass: chmod o+x {place}",
            )
        if place == os.path.dirname(place):
            return
        place = os.path.dirname(place)
