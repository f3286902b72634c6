"""``copy``: files and directories between the node and a guest, as ``cp -r`` has them between two places of one machine."""

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext

import msgspec

from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound
from wirt.host import files, pumps, trees
from wirt.model.names import check_name
from wirt.ops.context import Context
from wirt.ops.guestfiles import (
    Found,
    GuestFiles,
    Kind,
    NobodyReads,
    pack_entry,
    reached,
    unpack_archive,
)

STREAM = "-"
"""In the place of a path of the node: a tar on standard input, or to standard output."""

_ORDINARY_MODES = 0o777
"""What of a mode is kept of files that come from a guest: none of theirs is to run as their owner here."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a copy: a path, and of which guest; of the node's, if it is None."""

    guest: str | None
    path: str

    @property
    def where(self) -> str:
        """Return whose path it is, for people."""
        return "on the node" if self.guest is None else f"in guest {self.guest}"

    @property
    def is_stream(self) -> bool:
        """Return whether it is no path but a stream of the command."""
        return self.guest is None and self.path == STREAM

    @property
    def is_content(self) -> bool:
        """Return whether not a directory is meant but what it holds: ``DIR/.``."""
        return self.path.rstrip("/").rpartition("/")[2] in ("", ".", "..")

    def split(self) -> tuple[str, str]:
        """Return the directory that it lies in, and its name there."""
        above, _, name = self.path.rstrip("/").rpartition("/")
        return above or ("/" if self.path.startswith("/") else "."), name


def parse_end(text: str) -> End:
    """Return what ``GUEST:PATH``, or a path of the node, stands for.

    A path of the node that looks like the other begins with ``/`` or ``./``. A guest's begins at its root.

    Raises:
        InvalidInput: it is empty.
    """
    before, colon, path = text.partition(":")
    if colon and before and "/" not in before:
        check_name(before)
        if not path:
            raise InvalidInput(f"{text!r} names no path in the guest", hint=f"write {before}:/PATH")
        return End(guest=before, path=f"/{path.lstrip('/')}")
    if not text:
        raise InvalidInput("the path is empty", hint="write PATH or GUEST:/PATH")
    return End(guest=None, path=text)


def copy(
    context: Context, source: End, target: End, *, keep_owners: bool = False
) -> trees.Amount | None:
    """Copy a file or directory into a guest or out of it, and return how much that was; None of a stream.

    A link is copied as a link. What comes into a guest is its root's, what comes out of one is ours, without what would
    let it run as its owner; device nodes, pipes and sockets are left out.

    Args:
        context: the home.
        source: what.
        target: where to: into a directory that is there, else under that name.
        keep_owners: True to keep the numbers of owners, as the guest sees them.

    Raises:
        InvalidInput, NotFound, Conflict, WrongState, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be copied; on the node nothing was changed, in the guest a part may be there.
    """
    if source.guest is not None and target.guest is None:
        with reached(context, source.guest) as guest:
            return _copy_out(guest, source, target, keep_owners=keep_owners)
    if target.guest is not None and source.guest is None:
        with reached(context, target.guest) as guest:
            return _copy_in(guest, source, target, keep_owners=keep_owners)
    if target.guest is None:
        raise InvalidInput("neither is in a guest", hint="write GUEST:/PATH for one of them")
    raise InvalidInput(
        "both are in guests",
        hint=f"pass it on: wirt copy {source.guest}:{source.path} - | wirt copy - {target.guest}:DIR",
    )


def settle(source: End, found: Found, target: End, there: Found, above: Found) -> tuple[str, str]:
    """Return the directory to copy into, and the name that the source gets there; "" if only what it holds is copied.

    Args:
        source: what is copied.
        found: what that is.
        target: where to, as it was said.
        there: what is there.
        above: what the directory is that the target lies in.

    Raises:
        NotFound, InvalidInput, Conflict: it cannot go there.
    """
    is_directory = found.kind is Kind.DIRECTORY and not (found.is_link and not source.is_content)
    if source.is_content and not is_directory:
        raise InvalidInput(
            f"{source.path} {source.where} is no directory", hint="leave the /. at its end out"
        )
    if there.kind is Kind.DIRECTORY:
        return target.path, "" if source.is_content else source.split()[1]
    directory, name = target.split()
    if above.kind is not Kind.DIRECTORY:
        raise NotFound(f"there is no directory {directory} {target.where}", hint="make it first")
    if there.kind is Kind.OTHER and is_directory:
        raise Conflict(
            f"{target.path} {target.where} is a file, and {source.path} is a directory",
            hint="name a directory",
        )
    if target.path.endswith("/") and not is_directory:
        raise NotFound(f"there is no directory {target.path} {target.where}", hint="make it first")
    return directory, name


def _copy_in(
    guest: GuestFiles, source: End, target: End, *, keep_owners: bool
) -> trees.Amount | None:
    there = guest.find(target.path)
    if source.is_stream:
        if there.kind is not Kind.DIRECTORY:
            raise NotFound(
                f"there is no directory {target.path} {target.where}",
                hint="an archive is unpacked in a directory that is there",
            )
        guest.unpack(target.path, 0)
        return None
    found = _find(source)
    directory, name = settle(source, found, target, there, guest.find(target.split()[0]))
    above, entry = (source.path, ".") if source.is_content else source.split()

    def pack(stream: int) -> trees.Amount:
        with files.translated(f"read {source.path}"):
            opened = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return pack_entry(
                    opened,
                    entry,
                    name,
                    stream,
                    keep_owners=keep_owners,
                    keep_holes=guest.keeps_holes,
                )
            finally:
                os.close(opened)

    def unpack(stream: int) -> None:
        given = pumps.feeding(stream) if guest.may_hold else nullcontext(stream)
        with given as reader:
            guest.unpack(directory, reader)

    return _through_pipe(pack, unpack, inwards=True)


def _copy_out(
    guest: GuestFiles, source: End, target: End, *, keep_owners: bool
) -> trees.Amount | None:
    found = guest.find(source.path)
    if found.kind is Kind.NOTHING:
        raise _not_there(source)
    above, entry = (source.path, ".") if source.is_content else source.split()
    if target.is_stream:
        if os.isatty(1):
            raise InvalidInput(
                "an archive is not written to a terminal", hint="write it to a file: ... - >FILE"
            )
        guest.pack(above, entry, 1)
        return None

    def pack(stream: int) -> None:
        given = pumps.draining(pumps.into(stream)) if guest.may_hold else nullcontext(stream)
        with given as writer:
            guest.pack(above, entry, writer)

    over = End(guest=None, path=target.split()[0])
    directory, name = settle(source, found, target, _look(target), _look(over))
    with (
        files.translated(f"write to {directory}"),
        trees.private_directory(directory) as private,
    ):
        fresh = os.path.join(private, "fresh")
        os.mkdir(fresh, 0o700)
        amount = _through_pipe(
            lambda stream: _unpack(stream, fresh, keep_owners=keep_owners, is_content=entry == "."),
            pack,
            inwards=False,
        )
        came = fresh if entry == "." else os.path.join(fresh, entry)
        if not os.path.lexists(came):
            raise Failed(
                f"nothing of {source.path} {source.where} could be copied",
                hint="only files, directories and links are",
            )
        trees.land(came, os.path.join(directory, name) if name else directory)
    return amount


def _unpack(stream: int, directory: str, *, keep_owners: bool, is_content: bool) -> trees.Amount:
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return unpack_archive(
            stream,
            trees.Unpacking(
                trees.open_below(opened),
                modes=_ORDINARY_MODES,
                keep_owners=keep_owners,
                keep_top=is_content,
                room=files.free_bytes(directory),
            ),
        )
    finally:
        os.close(opened)


def _through_pipe(
    ours: Callable[[int], trees.Amount], guests: Callable[[int], None], *, inwards: bool
) -> trees.Amount:
    """Let the node and a guest each do their part at the two ends of a pipe, and return how much went through.

    The guest's part is done in this thread, where an interruption arrives.

    Raises:
        Error: what went wrong; of two errors the one that is not just the other's consequence.
    """
    reader, writer = os.pipe()
    near, far = (writer, reader) if inwards else (reader, writer)
    done: list[trees.Amount] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            done.append(ours(near))
        except Exception as error:
            failed.append(error)
        finally:
            os.close(near)

    thread = threading.Thread(target=work)
    thread.start()
    theirs: Error | None = None
    try:
        guests(far)
    except Error as error:
        theirs = error
    finally:
        os.close(far)
        thread.join()
    ended = failed[0] if failed else None
    writers, readers = (ended, theirs) if inwards else (theirs, ended)
    # Whoever reads what was cut short is not to blame, and neither is whoever writes to one that has failed.
    cause = (readers or writers) if isinstance(writers, NobodyReads) else (writers or readers)
    if cause is not None:
        raise cause
    return done[0]


def _find(end: End) -> Found:
    found = _look(end)
    if found.kind is Kind.NOTHING:
        raise _not_there(end)
    return found


def _look(end: End) -> Found:
    """Return what is at a path of the node."""
    is_link = os.path.islink(end.path)
    if os.path.isdir(end.path):
        return Found(kind=Kind.DIRECTORY, is_link=is_link)
    return Found(kind=Kind.OTHER if os.path.lexists(end.path) else Kind.NOTHING, is_link=is_link)


def _not_there(end: End) -> NotFound:
    return NotFound(
        f"there is no {end.path} {end.where}", hint="give the path of a file or directory"
    )
