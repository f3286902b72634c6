"""Files and directories, changed so that a crash leaves the old or the new, never half of one."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Error, Failed, NotPermitted, OutOfSpace
from wirt.host import run
from wirt.units import render_bytes

_CLONE = 0x40049409
"""Source: ioctl_ficlone(2)."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomically(path: str, content: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` with ``content``; a crash leaves ``.NAME.wirt-new`` beside it at most, which the next call removes.

    Nothing is written through a link, at ``path`` or beside it.

    Raises:
        OSError: it was not replaced; of ``path``, and nothing is left beside it.
    """
    directory, name = os.path.split(os.path.abspath(path))
    fresh = os.path.join(directory, f".{name}.wirt-new")
    try:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.rename(fresh, path)
        except OSError:
            os.unlink(fresh)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    sync_directory(directory)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: str) -> None:
    """Make what a file holds durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_to_group(path: str, gid: int) -> None:
    """Let a group, and nobody else but root, pass through a directory to names that it knows."""
    os.chown(path, 0, gid)
    os.chmod(path, 0o710)


def remove_tree(path: str) -> None:
    """Delete a directory and everything in it, however deep; no error if it is gone.

    Symbolic links inside are removed, never followed. It was a stranger's perhaps: ``shutil.rmtree`` ends at a thousand
    directories below each other, and brings the compression libraries along.

    Raises:
        OSError: something could not be removed, or others change the tree meanwhile; of ``path``.
    """
    if not os.path.isdir(path) or os.path.islink(path):
        return
    try:
        _empty(os.open(path, _DIRECTORY))
        os.rmdir(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def empty_tree(path: str) -> None:
    """Delete everything in a directory, as ``remove_tree`` does, but not itself.

    Raises:
        OSError: something could not be removed; of ``path``.
    """
    try:
        _empty(os.open(path, _DIRECTORY))
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _empty(place: int) -> None:
    """Delete everything in a directory, and close it; only one directory is open at a time."""
    # Of each directory on the way down: which it is, and which in it are still to be emptied.
    above: list[tuple[os.stat_result, list[str]]] = []
    try:
        left = _directories_left(place)
        while left or above:
            if left:
                above.append((os.fstat(place), left))
                place = _moved(place, left[-1])
                left = _directories_left(place)
            else:
                expected, left = above.pop()
                place = _moved(place, "..")
                if not os.path.samestat(os.fstat(place), expected):
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
                os.rmdir(left.pop(), dir_fd=place)
    finally:
        os.close(place)


def _directories_left(place: int) -> list[str]:
    """Delete what a directory holds but for the directories that are not empty, and return these."""
    left = []
    with os.scandir(place) as entries:
        for entry in list(entries):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=place)
                continue
            try:
                os.rmdir(entry.name, dir_fd=place)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                left.append(entry.name)
    return left


def _moved(place: int, name: str) -> int:
    """Open a directory beside another that is open, and close that."""
    there = os.open(name, _DIRECTORY, dir_fd=place)
    os.close(place)
    return there


def link_tree(source: str, target: str) -> None:
    """Give every file below a directory a second name below another, which is there.

    What has one there from an earlier time keeps it; what is there and no more here goes.

    Raises:
        OSError: EXDEV if they are on two file systems, which is found out before anything is made.
    """
    if os.stat(source).st_dev != os.stat(target).st_dev:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), target)
    with os.scandir(source) as entries:
        ours = {entry.name: entry for entry in entries}
    theirs = set(os.listdir(target))
    for name in theirs - ours.keys():
        _remove(os.path.join(target, name))
    for name, entry in ours.items():
        place = os.path.join(target, name)
        if entry.is_dir(follow_symlinks=False):
            os.makedirs(place, stat.S_IMODE(entry.stat().st_mode), exist_ok=True)
            link_tree(entry.path, place)
        elif name not in theirs:
            os.link(entry.path, place, follow_symlinks=False)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        os.unlink(path)


def is_full(error: OSError | Failed) -> bool:
    """Return whether it was for want of space that something failed, a program perhaps, which has only words for it."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    said = f"{error.message}\n{error.detail or ''}"
    return "No space left on device" in said or "enough free space" in said


def disk_usage(tree: str) -> int:
    """Return the bytes that the files below a directory take on disk, hard links once."""
    total = 0
    linked: set[int] = set()
    pending = [tree]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    if status.st_ino in linked:
                        continue
                    linked.add(status.st_ino)
                total += status.st_blocks * 512
    return total


def free_bytes(path: str) -> int:
    """Return the bytes that may still be written to the file system of ``path`` or its nearest existing parent."""
    found = os.statvfs(_existing(path))
    return found.f_bavail * found.f_frsize


def size_of_filesystem(path: str) -> tuple[int, int]:
    """Return the bytes and the inodes of the file system of ``path`` or its nearest existing parent; inodes 0: any number."""
    found = os.statvfs(_existing(path))
    return found.f_blocks * found.f_frsize, found.f_files


def _existing(path: str) -> str:
    place = os.path.abspath(path)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return place


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn an ``OSError`` inside into one of Wirt's errors that says what could not be done.

    Raises:
        OutOfSpace, NotPermitted, Failed: by the error number; the message is ``cannot WHAT: REASON``.
    """
    try:
        yield
    except OSError as error:
        raise translate(error, what) from error


def translate(error: OSError, what: str) -> Error:
    """Return Wirt's error for an ``OSError`` met when doing ``what``."""
    reason = error.strerror or str(error)
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfSpace(f"cannot {what}: {reason}{place}", hint="free some space and try again")
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermitted(f"cannot {what}: {reason}{place}", hint="run it as root")
    return Failed(f"cannot {what}: {reason}{place}")


def write(path: str, content: str, *, mode: int = 0o600) -> None:
    """Write a file that may be lost in a power cut."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "w") as file:
        file.write(content)


def replace(path: str, content: str, *, mode: int = 0o600) -> None:
    """Replace a file that may be lost in a power cut; whoever reads it meanwhile has the old or the new."""
    fresh = f"{path}.new"
    write(fresh, content, mode=mode)
    os.rename(fresh, path)


def copy_all(source: str, target: str) -> None:
    """Copy a file or directory with all that it is, its holes too, and share its blocks where the file system can.

    Raises:
        OutOfSpace: there is no room for it; nothing was copied, unless the room went meanwhile.
        Failed: it could not be; a part of it may be there.
    """
    check_room_for(source, target)
    # An archive holds what overlayfs writes down in layers: whiteouts are device nodes, the rest is attributes.
    kind = ["--archive", "--reflink=auto", "--no-target-directory"]
    try:
        run.check(["cp", *kind, source, target])
    except Failed as error:
        if not is_full(error):
            raise
        raise OutOfSpace(
            f"a copy of {source} does not fit on the disk",
            detail=error.detail,
            hint="free some space and try again",
        ) from error


def check_room_for(source: str, target: str) -> None:
    """Check that there is room for a copy of a file or directory, if it cannot share the blocks of what it copies.

    Raises:
        OutOfSpace: there is none.
    """
    free = free_bytes(target)
    there = os.statvfs(source)
    # What all of a file system holds is known at once; what one tree in it holds wants a look at every file.
    if (there.f_blocks - there.f_bfree) * there.f_frsize <= free:
        return
    needed = disk_usage(source) if os.path.isdir(source) else os.stat(source).st_blocks * 512
    if needed > free and not _can_share(source, _existing(target)):
        raise OutOfSpace(
            f"a copy of {source} does not fit on the disk: it takes {render_bytes(needed)}, and "
            f"{render_bytes(free)} are free",
            hint="free some space and try again",
        )


def _can_share(source: str, directory: str) -> bool:
    """Return whether a file in a directory can have the blocks of a source's (btrfs, XFS), by trying it."""
    if not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    with suppress(OSError):
        sample = next(_files_with_blocks(source), None)
        if sample is None:
            return False
        with open(sample, "rb") as some:
            fresh = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                fcntl.ioctl(fresh, _CLONE, some.fileno())
                return True
            finally:
                os.close(fresh)
    return False


def _files_with_blocks(source: str) -> Iterator[str]:
    if not os.path.isdir(source):
        yield source
    for directory, _, names in os.walk(source):
        for name in names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_blocks:
                yield path
