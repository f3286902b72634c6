"""Files and directories, changed so that a crash leaves the old or the new, never half of one."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Error, Failed, NotPermitted, OutOfSpace


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


def open_to_group(path: str, gid: int) -> None:
    """Let a group, and nobody else but root, pass through a directory to names that it knows."""
    os.chown(path, 0, gid)
    os.chmod(path, 0o710)


def remove_tree(path: str) -> None:
    """Delete a directory and everything in it; no error if it is gone.

    Symbolic links inside are removed, never followed.
    """
    if os.path.isdir(path) and not os.path.islink(path):
        # Loaded here: it brings the compression libraries along, and most commands remove nothing.
        import shutil

        shutil.rmtree(path)


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
