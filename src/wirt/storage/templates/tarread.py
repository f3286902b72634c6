"""Reads tars that come from anywhere: forward only, whole or not at all, and never much of them at once.

What is in them is for ``tarcheck`` to judge, and what becomes of it for ``archive`` and ``layers``.
"""

import os
import signal
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from wirt.errors import InvalidInput, OutOfSpace
from wirt.host import run
from wirt.storage.templates.tarcheck import inner_name
from wirt.units import render_bytes

BLOCK = 4096
"""Bytes that the smallest file takes on disk."""

_UNPACKERS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LARGEST_HEADER = 1024 * 1024


def members_of(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members in their order. tarfile remembers every one it met; millions must not fill the memory."""
    while (member := _next(tar)) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        yield member


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except (ValueError, OverflowError, RecursionError) as error:
        # Of numbers that are none, and of headers that only announce headers.
        raise tarfile.ReadError(f"it has a header that cannot be read: {error}") from error


def is_device(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a device node."""
    return member.ischr() or member.isblk()


def size_on_disk(member: tarfile.TarInfo) -> int:
    """Return about how many bytes a member takes when it is unpacked."""
    return BLOCK + -(-member.size // BLOCK) * BLOCK


def check_room(archive: str, total: int, room: int) -> None:
    """Check that what an archive unpacks to still fits.

    Raises:
        OutOfSpace: it does not.
    """
    if total > room:
        raise OutOfSpace(
            f"{archive} was not imported: unpacked it takes more than {render_bytes(total)}, "
            f"and {render_bytes(room)} are free",
            hint="free some space and try again",
        )


class _Forward:
    """A stream that can be asked where it is and moved forward, which is all that tarfile needs to read.

    It never hands out more than a header's worth at once, so that a header that claims to be gigabytes long is
    refused before it is in memory.
    """

    def __init__(
        self, stream: IO[bytes], archive: str, heard: Callable[[bytes], object] | None = None
    ) -> None:
        self._stream = stream
        self._archive = archive
        self._heard = heard
        self._position = 0
        self.ended_with_zeros = False

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise InvalidInput(
                f"{self._archive} cannot be read: it has a header of {render_bytes(size)}",
                hint="pack it again with tar",
            )
        parts = []
        while size > 0 and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
        data = b"".join(parts)
        self._position += len(data)
        if self._heard is not None:
            self._heard(data)
        self.ended_with_zeros = len(data) == tarfile.BLOCKSIZE and not any(data)
        return data

    def seekable(self) -> bool:
        # As far as whoever passes over the holes of a file has to ask.
        return True

    def seek(self, position: int) -> None:
        while self._position < position and self.read(min(position - self._position, 65536)):
            pass
        if self._position != position:
            raise tarfile.ReadError("unexpected end of data")


def packer_of(raw: IO[bytes]) -> str | None:
    """Return the program that unpacks a file, by its first bytes; None for one that no known program packed."""
    magic = raw.read(6)
    raw.seek(0)
    return next((name for mark, name in _UNPACKERS.items() if magic.startswith(mark)), None)


@contextmanager
def reading(
    raw: IO[bytes],
    archive: str,
    *,
    room: int,
    program: str | None,
    heard: Callable[[bytes], object] | None = None,
) -> Iterator[tarfile.TarFile]:
    """Give the foreign tar in a file, to be read once from its beginning to its end.

    Args:
        raw: the file, at its beginning.
        archive: what it is called in messages.
        room: bytes that the root may take: of more, nobody wants to read what follows the end mark.
        program: what unpacks it; None if it is plain.
        heard: is given all that the file unpacks to.

    Raises:
        InvalidInput: it is no tar, cut short or damaged.
    """
    with _unpacked(raw, archive, program) as stream:
        source = _Forward(stream, archive, heard)
        try:
            tar = tarfile.TarFile(fileobj=source, errors="surrogateescape")  # type: ignore[arg-type]
        except tarfile.TarError as error:
            raise InvalidInput(
                f"{archive} is not a tar archive",
                hint="give a tar of a root file system, plain or packed with gzip, xz or zstd",
            ) from error
        try:
            with tar:
                yield tar
        except tarfile.TarError as error:
            raise damaged(archive, str(error)) from error
        if not source.ended_with_zeros:
            raise damaged(archive, "it has no end mark")
        # Read on to the end, where checksums are, but not through gigabytes of padding.
        left = room
        while left > 0 and (part := source.read(65536)):
            left -= len(part)


def first_member(path: str) -> str | None:
    """Return the first path in a tar that may be packed, but for the root's own; None if there is no tar."""
    archive = os.path.basename(path)
    with (
        suppress(tarfile.TarError, InvalidInput),
        open(path, "rb", buffering=0) as raw,
        _unpacked(raw, archive, packer_of(raw)) as stream,
        tarfile.TarFile(
            fileobj=_Forward(stream, archive),  # type: ignore[arg-type]
            errors="surrogateescape",
        ) as tar,
    ):
        for member in members_of(tar):
            if name := inner_name(member.name):
                return name
    return None


@contextmanager
def _unpacked(raw: IO[bytes], archive: str, program: str | None) -> Iterator[IO[bytes]]:
    """Give what a file unpacks to, which is the file itself if it is plain."""
    if program is None:
        yield raw
        return
    with run.streaming([program, "-dcq"], stdin=raw.fileno()) as output:
        yield output.stream
    if output.status not in (0, 128 + signal.SIGPIPE):
        raise damaged(archive, f"{program} cannot read it to its end")


def damaged(archive: str, reason: str) -> InvalidInput:
    """Return the error for an archive that is not what its maker wrote."""
    return InvalidInput(
        f"{archive} is cut short or damaged: {reason}", hint="fetch or pack it again"
    )
