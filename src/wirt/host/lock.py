"""Locks between commands: files under the run directory, held by the kernel and gone with their process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Busy
from wirt.host import interrupts

_PAUSE = 0.02


@contextmanager
def hold(path: str, what: str, *, wait: float) -> Iterator[None]:
    """Hold the lock ``path`` for as long as the block runs.

    The file keeps the holder's process id as a courtesy to who is refused; only the kernel's lock counts. It is deleted
    while it is still held, and who was waiting for the deleted file sees that it has no name any more and starts again:
    so no file is left, and no two commands ever hold two files of one name.

    Raises:
        Busy: another process still held it after ``wait`` seconds.
    """
    deadline = time.monotonic() + wait
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _take(descriptor) and _is_still(descriptor, path):
            break
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise Busy(
                f"{what} is in use by another command (process {holder})",
                hint="wait for it to end and try again",
            )
        with interrupts.allowed():
            time.sleep(_PAUSE)
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.unlink(path)
        os.close(descriptor)


def holder(path: str) -> int | None:
    """Return the process that holds the lock ``path``, None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _take(descriptor):
            return None
        said = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(said) if said.isdigit() else None
    finally:
        os.close(descriptor)


def sweep(directory: str) -> None:
    """Delete the lock files that dead processes left in a directory; those that are held stay."""
    for name in os.listdir(directory):
        with suppress(Busy), hold(os.path.join(directory, name), name, wait=0):
            pass  # to hold it is to delete it afterwards


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
