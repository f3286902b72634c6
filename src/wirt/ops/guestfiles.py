"""The files of a guest, come to in such a way that nothing that lies there leads out of it.

A running guest does the work itself: its own ``tar`` packs and unpacks, so whatever links its processes put in the way at
whatever moment are resolved in the guest. A stopped guest has no processes; its root is shown on the node, and the kernel
resolves every path as if that were the root of all.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

import msgspec

from wirt.errors import Failed, Unsupported
from wirt.host import files, inside, interrupts, trees
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.execute import execute_in, listening
from wirt.ops.steps.ladder import Ladder
from wirt.storage.templates.tarread import members_of, reading

_SAID = 4096
"""Bytes of what a guest's tar has to say that are looked at."""

_GNU = "gnu"
_FIND = f"""
case $(tar --version 2>/dev/null) in *GNU*) echo {_GNU};; esac
if [ -L "$1" ]; then echo link; fi
if [ -d "$1" ]; then echo directory
elif [ -e "$1" ] || [ -L "$1" ]; then echo other
else echo nothing; fi
"""

_HARMLESS = ("file changed as we read it", "socket ignored")
"""Complaints with which GNU tar ends with 1 although it has packed all that it should."""

_BROKEN = 141
"""Exit status of a program that wrote to nobody (128 + SIGPIPE)."""


class Kind(StrEnum):
    """What is at a path, when all links are followed."""

    NOTHING = "nothing"
    DIRECTORY = "directory"
    OTHER = "other"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is at a path."""

    kind: Kind
    is_link: bool = False
    """The path itself is a symbolic link."""


class NobodyReads(Failed):
    """What was packed was not read to its end."""


class GuestFiles(Protocol):
    """The files of one guest."""

    may_hold: bool
    """What it is given to write to or read from, a process of it may hold for longer than that takes."""
    keeps_holes: bool
    """What it unpacks may come without the holes of files; known once something has been looked for."""

    def find(self, path: str) -> Found:
        """Return what is at a path."""
        ...

    def pack(self, directory: str, name: str, stream: int) -> None:
        """Write a tar of one entry of a directory, or of the directory itself (``.``), to a descriptor.

        Raises:
            NobodyReads: the other end was closed.
            Failed: it could not be read.
        """
        ...

    def unpack(self, directory: str, stream: int) -> None:
        """Unpack a tar from a descriptor in a directory.

        Raises:
            InvalidInput, Conflict, OutOfSpace, Failed: it could not be, or not all of it.
        """
        ...


@contextmanager
def reached(context: Context, name: str) -> Iterator[GuestFiles]:
    """Give the files of a guest, running or stopped, which stays so meanwhile.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
    """
    guest = guests.observed(context, context.store.find(name))
    if not guest.state.is_up:
        with guests.held(context, name) as held:
            if not held.state.is_up:
                with _of_stopped(context, held) as stopped:
                    yield stopped
                return
            guest = held
    next_state(guest.state, "exec", guest.name)
    yield _Running(context, guest)


@contextmanager
def _of_stopped(context: Context, guest: Guest) -> Iterator[GuestFiles]:
    ladder = Ladder(context, guest)
    # One that is mounted stays so.
    steps = [ladder.root.to_reach()] if guest.state is State.STOPPED else []
    journal.begin(context, guest, "copy")
    journal.build(context, "copy", guest, steps, otherwise=guest)
    try:
        root = os.open(ladder.root.reached(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with interrupts.allowed():
                yield _Stopped(guest.name, root)
        finally:
            os.close(root)
    finally:
        journal.dismantle("copy", steps)
        journal.settle(context, "copy", guest, guest)


class _Running:
    may_hold = True

    def __init__(self, context: Context, guest: Guest) -> None:
        if context.approach(guest.approach).needs.own_kernel:
            raise Unsupported(
                f"guest {guest.name} has a kernel of its own, and nothing is copied to or from it",
                hint=f"small files go through a command: wirt exec {guest.name} -- cat FILE",
            )
        self._context = context
        self._guest = guest
        self.keeps_holes = False

    def find(self, path: str) -> Found:
        with listening(_SAID) as (said, heard):
            argv = ["/bin/sh", "-c", _FIND, "sh", path]
            status = execute_in(self._context, self._guest, argv, streams=Streams(stdout=said))
        words = heard.content.decode(errors="replace").split()
        self.keeps_holes = _GNU in words
        if status != 0 or not words or words[-1] not in set(Kind):
            raise Failed(
                f"guest {self._guest.name} did not say what is at {path}",
                hint="it needs a shell; stop it, and the node looks by itself",
            )
        return Found(kind=Kind(words[-1]), is_link="link" in words)

    def pack(self, directory: str, name: str, stream: int) -> None:
        entry = "." if name == "." else f"./{name}"
        holes = ["-S"] if self.keeps_holes else []
        argv = ["tar", "-c", *holes, "-f", "-", "-C", directory, entry]
        self._tar(argv, f"pack {os.path.join(directory, name)}", stdout=stream)

    def unpack(self, directory: str, stream: int) -> None:
        argv = ["tar", "-x", "-p", "-f", "-", "-C", directory]
        self._tar(argv, f"unpack in {directory}", stdin=stream)

    def _tar(
        self, argv: list[str], what: str, *, stdin: int | None = None, stdout: int | None = None
    ) -> None:
        with listening(_SAID) as (said, heard):
            streams = Streams(stdin=stdin, stdout=stdout, stderr=said)
            status = execute_in(self._context, self._guest, argv, streams=streams)
        if status == 0:
            return
        text = heard.content.decode(errors="replace")
        lines = ["".join(c for c in line if c.isprintable()) for line in text.splitlines()]
        if stdout is not None and status == 1 and all(line.endswith(_HARMLESS) for line in lines):
            return
        if status == _BROKEN or "Broken pipe" in text:
            raise NobodyReads(f"what guest {self._guest.name} packed was not read to its end")
        if status == 127:
            raise Failed(
                f"guest {self._guest.name} cannot {what}: it has no program tar",
                hint="stop it, and the node does it by itself",
            )
        reason = lines[0] if lines else f"tar ended with status {status}"
        raise Failed(f"guest {self._guest.name} cannot {what}: {reason}")


class _Stopped:
    may_hold = False
    keeps_holes = True

    def __init__(self, name: str, root: int) -> None:
        self._name = name
        self._root = root

    def find(self, path: str) -> Found:
        is_link = stat.S_ISLNK(self._mode(path, os.O_PATH | os.O_NOFOLLOW))
        mode = self._mode(path, os.O_PATH)
        if stat.S_ISDIR(mode):
            return Found(kind=Kind.DIRECTORY, is_link=is_link)
        return Found(kind=Kind.OTHER if mode or is_link else Kind.NOTHING, is_link=is_link)

    def _mode(self, path: str, flags: int) -> int:
        """Return the mode of what is there, 0 if there is nothing."""
        try:
            found = inside.open_inside(self._root, path, flags)
        except OSError:
            return 0
        try:
            return os.fstat(found).st_mode
        finally:
            os.close(found)

    def pack(self, directory: str, name: str, stream: int) -> None:
        with files.translated(f"pack {directory}/{name} of guest {self._name}"):
            opened = inside.open_inside(self._root, directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                pack_entry(opened, name, name, stream, keep_owners=True)
            finally:
                os.close(opened)

    def unpack(self, directory: str, stream: int) -> None:
        there = os.fstatvfs(self._root)
        unpack_archive(
            stream,
            trees.Unpacking(
                trees.open_in_root(self._root, directory),
                modes=0o7777,
                keep_owners=True,
                keep_top=False,
                room=there.f_bavail * there.f_frsize,
            ),
        )


def pack_entry(
    directory: int,
    name: str,
    path: str,
    stream: int,
    *,
    keep_owners: bool,
    keep_holes: bool = False,
) -> trees.Amount:
    """Write a tar of one entry of an open directory, to be unpacked as ``path``, to a descriptor that stays open.

    With an empty path, only what the entry holds is packed, to be unpacked in a directory that keeps its own mode.

    Raises:
        NobodyReads: the other end was closed.
        OSError: something could not be read.
    """
    is_whole = False
    try:
        with (
            open(stream, "wb", closefd=False) as sink,
            # GNU's, because the tar of small systems knows no long names but these.
            tarfile.open(
                fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT, errors="surrogateescape"
            ) as archive,
        ):
            packing = trees.Packing(archive, keep_owners=keep_owners, keep_holes=keep_holes)
            if path:
                packing.add(directory, name, path)
            else:
                packing.add_content(directory, name)
            is_whole = True
    except BrokenPipeError as error:
        # Of the end mark, some read only the beginning.
        if not is_whole:
            raise NobodyReads("what was packed was not read to its end") from error
    return packing.amount


def unpack_archive(stream: int, unpacking: trees.Unpacking) -> trees.Amount:
    """Unpack a tar from a descriptor, which stays open.

    Raises:
        InvalidInput: it is no tar, or a member of it is refused.
        Conflict, OutOfSpace, Failed: a member could not be written.
    """
    with (
        open(stream, "rb", closefd=False) as raw,
        reading(raw, "the archive", room=unpacking.room, program=None) as archive,
    ):
        unpacking.unpack(archive, members_of(archive))
    return unpacking.amount
