"""Files and directories into archives and out of them, by descriptors of directories and never by paths.

What is packed and what is unpacked may be a stranger's: no link is followed that the caller has not allowed, and no device
is opened or made.
"""

import errno
import fcntl
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

import msgspec

from wirt.errors import Conflict, Failed, InvalidInput, OutOfSpace
from wirt.host import files, holes, inside

DEEPEST = 200
"""Directories below each other; every one of them is held open while it is walked, and more is no ordinary tree."""

_PREFIX = ".wirt-copy-"
_LARGEST_ID = 2**32 - 2
_LATEST = 2**33
"""Seconds since 1970 that every file system can write down."""
_PART = 1 << 20


class Amount(msgspec.Struct, kw_only=True):
    """What has been packed or unpacked so far."""

    entries: int = 0
    bytes: int = 0
    left_out: int = 0
    """Device nodes, pipes and sockets."""


class Packing:
    """Writes files and directories to an archive.

    Args:
        archive: where to.
        keep_owners: False to make everything root's.
        keep_holes: True to leave the holes of files out, as GNU's tar does, which not every other one can read.
    """

    def __init__(
        self, archive: tarfile.TarFile, *, keep_owners: bool, keep_holes: bool = False
    ) -> None:
        self._archive = archive
        self._keep_owners = keep_owners
        self._keep_holes = keep_holes
        self._linked: dict[tuple[int, int], str] = {}
        self.amount = Amount()

    def add_content(self, directory: int, name: str) -> None:
        """Write what the directory ``name`` of another one holds, but not the directory itself."""
        self._add_below(directory, name, "", 0)

    def add(self, directory: int, name: str, path: str, depth: int = 0) -> None:
        """Write the entry ``name`` of a directory, with all below it, as ``path``.

        Raises:
            InvalidInput: it is nested too deep.
            OSError: it could not be read.
        """
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        member = tarfile.TarInfo(path)
        member.mode = stat.S_IMODE(status.st_mode)
        member.mtime = int(status.st_mtime)
        if self._keep_owners:
            member.uid, member.gid = status.st_uid, status.st_gid
        match stat.S_IFMT(status.st_mode):
            case stat.S_IFDIR:
                member.type = tarfile.DIRTYPE
                self._write(member)
                self._add_below(directory, name, path, depth)
            case stat.S_IFLNK:
                member.type = tarfile.SYMTYPE
                member.linkname = os.readlink(name, dir_fd=directory)
                self._write(member)
            case stat.S_IFREG:
                self._add_file(directory, name, member, status)
            case _:
                self.amount.left_out += 1

    def _add_below(self, above: int, name: str, path: str, depth: int) -> None:
        if depth >= DEEPEST:
            raise too_deep(path)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        directory = os.open(name, flags, dir_fd=above)
        try:
            for below in sorted(os.listdir(directory)):
                self.add(directory, below, f"{path}/{below}" if path else below, depth + 1)
        finally:
            os.close(directory)

    def _add_file(
        self, directory: int, name: str, member: tarfile.TarInfo, status: os.stat_result
    ) -> None:
        if status.st_nlink > 1:
            first = self._linked.setdefault((status.st_dev, status.st_ino), member.name)
            if first != member.name:
                member.type, member.linkname = tarfile.LNKTYPE, first
                self._write(member)
                return
        # It may be another file than a moment ago: to open a pipe must not wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=directory), "rb") as file:
            opened = os.fstat(file.fileno())
            if not stat.S_ISREG(opened.st_mode):
                raise OSError(errno.EAGAIN, "it changed while it was read", name)
            member.size = opened.st_size
            if self._keep_holes and opened.st_blocks * 512 < opened.st_size:
                holes.add(self._archive, member, file.fileno())
                self.amount.entries += 1
            else:
                self._write(member, file)
            self.amount.bytes += opened.st_size

    def _write(self, member: tarfile.TarInfo, body: IO[bytes] | None = None) -> None:
        self._archive.addfile(member, body)
        self.amount.entries += 1


class Unpacking:
    """Makes files and directories of the members of an archive that may have been made to do harm.

    Nothing is left of what was there under the name of a file; a directory that is there is kept, with what it holds.

    Args:
        open_directory: opens the directory of a path below the place where it is unpacked: it says which links are
            followed on the way.
        modes: the bits of a mode that are kept.
        keep_owners: False to leave everything to whoever unpacks.
        keep_top: True to give the place itself the mode that the archive has for it.
        room: bytes that there is room for. What is nothing but zeros takes none: it becomes a hole.
    """

    def __init__(
        self,
        open_directory: Callable[[str], int],
        *,
        modes: int,
        keep_owners: bool,
        keep_top: bool,
        room: int,
    ) -> None:
        self._open_directory = open_directory
        self._modes = modes
        self._keep_owners = keep_owners
        self._keep_top = keep_top
        self.room = room
        self._written = 0
        self._directories: list[tuple[str, tarfile.TarInfo]] = []
        self.amount = Amount()

    def unpack(self, archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo]) -> None:
        """Unpack all members.

        Raises:
            InvalidInput, Conflict: a member is refused; what was unpacked stays.
            OutOfSpace, Failed: one could not be written.
        """
        for member in members:
            path = _checked(member)
            with _naming(path):
                if path:
                    self._make(archive, member, path)
                elif member.isdir() and self._keep_top:
                    self._directories.append((path, member))
        # Last, and the innermost first: what is written into a directory changes its time, and needs its mode.
        for path, member in reversed(self._directories):
            with _naming(path), _opened(self._open_directory(path)) as directory:
                self._dress(directory, member)

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        above, _, name = path.rpartition("/")
        with _opened(self._open_above(above)) as directory:
            if member.isdir():
                self._make_directory(directory, name, path)
                self._directories.append((path, member))
            elif member.isreg():
                self._make_file(archive, member, directory, name)
            elif member.issym():
                _unlink(directory, name)
                os.symlink(member.linkname, name, dir_fd=directory)
                if self._keep_owners:
                    os.chown(name, *_owner(member), dir_fd=directory, follow_symlinks=False)
            elif member.islnk():
                self._link(member, directory, name)
            else:
                self.amount.left_out += 1
                return
        self.amount.entries += 1

    def _open_above(self, path: str) -> int:
        """Open a directory that members lie in, made if no member has described it."""
        try:
            return self._open_directory(path)
        except FileNotFoundError:
            if not path:
                raise
            above, _, name = path.rpartition("/")
            with _opened(self._open_above(above)) as directory:
                os.mkdir(name, 0o755 & self._modes, dir_fd=directory)
            return self._open_directory(path)

    def _make_directory(self, directory: int, name: str, path: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            try:
                os.close(self._open_directory(path))
            except OSError:
                raise Conflict(
                    f"{path!r} is there, and no directory", hint="move it out of the way"
                ) from None

    def _make_file(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, directory: int, name: str
    ) -> None:
        _unlink(directory, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        body = archive.extractfile(member)
        assert body is not None
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            # What its map says that there is of it; of one that was packed with its holes, all of it.
            there: list[holes.Stretch] = member.sparse or [(0, member.size)]  # type: ignore[assignment]
            for start, length in there:
                if start or length:
                    body.seek(start)
                    self._copy(body, descriptor, start, length, member.name)
            os.ftruncate(descriptor, member.size)
            self._dress(descriptor, member)
        except OutOfSpace:
            _unlink(directory, name)
            raise
        finally:
            os.close(descriptor)
        self.amount.bytes += member.size

    def _copy(self, body: IO[bytes], target: int, start: int, length: int, name: str) -> None:
        """Write a stretch of a file to where it was, but for what is nothing but zeros.

        Raises:
            OutOfSpace: there is no room for it.
        """
        while length > 0 and (part := body.read(min(length, _PART))):
            for offset, data in holes.without(part):
                self._written += len(data)
                if self._written > self.room:
                    raise OutOfSpace(
                        f"there is no room for {name!r}", hint="free some space and try again"
                    )
                _write_at(target, data, start + offset)
            start += len(part)
            length -= len(part)

    def _link(self, member: tarfile.TarInfo, directory: int, name: str) -> None:
        above, _, old = _inner(member.linkname).rpartition("/")
        with _opened(self._open_directory(above)) as other:
            status = os.stat(old, dir_fd=other, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidInput(f"{member.name!r} is a second name of what is no file")
            _unlink(directory, name)
            os.link(old, name, src_dir_fd=other, dst_dir_fd=directory, follow_symlinks=False)

    def _dress(self, descriptor: int, member: tarfile.TarInfo) -> None:
        """Give what is open the owner, mode and time of a member; the mode last, because a new owner takes bits away."""
        if self._keep_owners:
            os.fchown(descriptor, *_owner(member))
        os.fchmod(descriptor, member.mode & self._modes)
        time = _time(member)
        os.utime(descriptor, (time, time))


@contextmanager
def private_directory(beside: str) -> Iterator[str]:
    """Give a new directory in the directory ``beside`` that nobody else can enter; it is gone at the end of the block.

    One that a process left that was killed is taken away by the next that wants one there.
    """
    _sweep(beside)
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=beside)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Somebody may have taken it for a leftover before it was locked.
        if os.path.isdir(path):
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        files.remove_tree(path)
        os.close(descriptor)


def land(source: str, target: str) -> None:
    """Move a file or directory to where it shall be; into a directory that is there, entry by entry.

    A link that is there is never followed: it may have come from the same stranger before.

    Raises:
        Conflict: a file is in the place of a directory, or the other way round; nothing was moved.
    """
    _check_way(source, target)
    _move(source, target)


def too_deep(path: str) -> InvalidInput:
    """Return the error for a tree that no ordinary program can walk."""
    return InvalidInput(
        f"{path[:60]!r}... is nested more than {DEEPEST} directories deep",
        hint="copy a directory that lies further below",
    )


def _check_way(source: str, target: str) -> None:
    if not os.path.lexists(target):
        return
    found = "a symbolic link" if os.path.islink(target) else "a file"
    if os.path.isdir(target) and not os.path.islink(target):
        found = "a directory"
    wanted = "a directory" if _is_directory(source) else "a file"
    if wanted != found and "a directory" in (wanted, found):
        raise Conflict(
            f"{target} is {found}, and {wanted} was to be put there", hint="move it out of the way"
        )
    if wanted == "a directory":
        for name in os.listdir(source):
            _check_way(os.path.join(source, name), os.path.join(target, name))


def _move(source: str, target: str) -> None:
    if _is_directory(source) and _is_directory(target):
        for name in os.listdir(source):
            _move(os.path.join(source, name), os.path.join(target, name))
    else:
        os.rename(source, target)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _sweep(directory: str) -> None:
    for name in os.listdir(directory):
        if not name.startswith(_PREFIX):
            continue
        path = os.path.join(directory, name)
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            with _opened(os.open(path, flags)) as descriptor:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    files.remove_tree(path)


def _inner(name: str) -> str:
    """Return a path of an archive without ``./`` and doubled slashes.

    Raises:
        InvalidInput: it leads out of the place where it is unpacked, or is too deep.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise InvalidInput(
            f"{name[:100]!r} leads out of the archive", hint="pack with paths that begin below"
        )
    if len(parts) > DEEPEST:
        raise too_deep(name)
    return "/".join(parts)


def _checked(member: tarfile.TarInfo) -> str:
    if member.size < 0:
        raise InvalidInput(f"{member.name[:100]!r} has a negative size")
    return _inner(member.name)


def _owner(member: tarfile.TarInfo) -> tuple[int, int]:
    if not (0 <= member.uid <= _LARGEST_ID and 0 <= member.gid <= _LARGEST_ID):
        raise InvalidInput(f"{member.name[:100]!r} has an owner that cannot be")
    return member.uid, member.gid


def _time(member: tarfile.TarInfo) -> int:
    """Return the time of a member; one that cannot be written down is none."""
    try:
        time = int(member.mtime)
    except (ValueError, OverflowError):
        return 0
    return time if 0 <= time <= _LATEST else 0


def _write_at(target: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written


def _unlink(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Name the member that an ``OSError`` is about.

    Raises:
        InvalidInput: there is a link on the way that is not followed.
        OutOfSpace, Failed: by the error number.
    """
    try:
        yield
    except OSError as error:
        name = repr(path[:100] or ".")
        if error.errno in (errno.ELOOP, errno.EXDEV):
            raise InvalidInput(f"{name} lies below a symbolic link") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(
                f"cannot write {name}: {error.strerror}", hint="free some space and try again"
            ) from error
        raise Failed(f"cannot write {name}: {error.strerror}") from error


def open_below(directory: int) -> Callable[[str], int]:
    """Return what opens a directory below another when no link is on the way."""
    return lambda path: inside.open_beneath(directory, path, os.O_RDONLY | os.O_DIRECTORY)


def open_in_root(root: int, at: str) -> Callable[[str], int]:
    """Return what opens a directory below the path ``at`` of a tree, following links as its own programs would."""
    return lambda path: inside.open_inside(root, f"{at}/{path}", os.O_RDONLY | os.O_DIRECTORY)
