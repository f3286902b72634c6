"""Directories in which something is made before it gets its name: ``.tmp-NAME``, held by a lock while its maker lives.

A crash leaves such a directory with nobody holding it. Whoever makes something next in the same place takes it over,
or removes it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from wirt.errors import Busy
from wirt.host.files import remove_tree

_PREFIX = ".tmp-"


class WorkDir(msgspec.Struct, frozen=True, kw_only=True):
    """A directory that is ours until we rename it or give it up."""

    path: str
    lock: int
    """Descriptor of the lock; a child that inherits it holds the lock too."""


@contextmanager
def claimed(directory: str, name: str, *, wait: bool) -> Iterator[WorkDir]:
    """Own the empty directory ``.tmp-NAME``; what is still there of it at the end is removed.

    Raises:
        Busy: another process owns it and ``wait`` is False.
    """
    path = os.path.join(directory, _PREFIX + name)
    lock = _lock_directory(path, wait=wait)
    if lock is None:
        raise Busy(
            f"another command is at work on template {name}", hint="try again when it has ended"
        )
    try:
        empty_directory(path)
        yield WorkDir(path=path, lock=lock)
    finally:
        # Not if it has been renamed to its name, and another process has made a new one since.
        if _is_at(path, lock):
            remove_tree(path)
        os.close(lock)


def remove_leftovers(directory: str) -> None:
    """Remove what dead processes left in ``directory``; what a living one holds stays."""
    for entry in os.listdir(directory):
        if entry.startswith(_PREFIX):
            path = os.path.join(directory, entry)
            lock = _lock_directory(path, wait=False)
            if lock is not None:
                remove_tree(path)
                os.close(lock)


def empty_directory(path: str) -> None:
    """Delete everything in a directory, but not the directory."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                os.unlink(entry.path)


def _lock_directory(path: str, *, wait: bool) -> int | None:
    """Make a directory if it is not there and lock it; None if another process holds it."""
    while True:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its owner has removed or renamed it this very moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if _is_at(path, lock):
            return lock
        os.close(lock)


def _is_at(path: str, descriptor: int) -> bool:
    """Return whether a path still leads to an open directory."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
