"""Loop devices: files of the node as its disks.

A device that is opened here is given up by the kernel itself with its last user, be that a mount or the process that opened
it: so a crash at any instant leaves none. Linux 5.8 and later (``LOOP_CONFIGURE`` binds and marks it in one call).
"""

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTROL = "/dev/loop-control"
_CONFIGURE, _SET_CAPACITY, _GET_FREE = 0x4C0A, 0x4C07, 0x4C82
_AUTOCLEAR = 4
# struct loop_config with the loop_info64 in it: file, block size; 5 numbers; number, 2 of encryption, flags; names, key,
# init, reserved.
_CONFIG = struct.Struct("=II 5Q 4I 64s 64s 32s 2Q 64s")
_PAUSE = 0.01


@contextmanager
def opened(path: str) -> Iterator[str]:
    """Give the loop device of a file for as long as the block runs; once it is mounted it lasts as long as the mount.

    A file that has one keeps it: two devices of one file would be two file systems that overwrite each other.

    Raises:
        OSError: there is no such file, or the kernel gives no device.
    """
    while True:
        device = device_of(path) or _free_device()
        try:
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, BlockingIOError):
            continue
        try:
            # It is asked again: nobody can give up what we hold open.
            if device not in _bound_to(path) and not _bind(descriptor, path):
                continue  # another process was quicker
            yield device
            return
        finally:
            os.close(descriptor)


def wait_free(path: str, timeout: float) -> bool:
    """Return whether no device is bound to a file any more, deleted or not; wait for ``timeout`` seconds at most."""
    deadline = time.monotonic() + timeout
    while _bound_to(path, f"{path} (deleted)"):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def device_of(path: str) -> str | None:
    """Return the device that is bound to a file, None if there is none."""
    return next(iter(_bound_to(path)), None)


def follow_size(device: str) -> None:
    """Let a device have the size that its file has now.

    Raises:
        OSError: the kernel refused.
    """
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _SET_CAPACITY)
    finally:
        os.close(descriptor)


def _bound_to(*names: str) -> list[str]:
    """Return the loop devices whose file the kernel calls by one of these names."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if backing.read_text().rstrip("\n") in names:
                found.append(f"/dev/{backing.parts[3]}")
        except OSError:
            continue  # it was given up this very moment
    return found


def _free_device() -> str:
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        return f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}"
    finally:
        os.close(control)


def _bind(device: int, path: str) -> bool:
    """Bind a device to a file; False if it is bound already."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    name = os.fsencode(path)[-63:]
    numbers = (0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR)
    try:
        fcntl.ioctl(device, _CONFIGURE, _CONFIG.pack(file, 0, *numbers, name, b"", b"", 0, 0, b""))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    finally:
        os.close(file)
    return True
