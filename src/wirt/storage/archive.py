"""Packed roots: made, checked, unpacked.

A tar from outside is never unpacked as it came. ``normalise`` reads it once, refuses what could reach outside of the
root, and writes a new archive of just what it checked; the archive that is unpacked later is that one, so a tar on
which two readers disagree gains nothing.
"""

import hashlib
import io
import os
import signal
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import msgspec

from wirt.errors import Failed, InvalidInput, OutOfSpace
from wirt.host.run import Streams, check, exit_status, spawn
from wirt.storage.tarcheck import MemberCheck, inner_name
from wirt.units import render_bytes

_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
_KEEP = (
    *("--numeric-owner", "--acls", "--xattrs"),
    *("--xattrs-include=security.capability", "--xattrs-include=user.*"),
)
"""What tar keeps beside the content. Not ``trusted.*``: overlayfs would take those for its own orders."""

_UNPACKERS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LARGEST_HEADER = 1024 * 1024
_BLOCK = 4096
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive of a root holds."""

    distribution: str
    suite: str
    unpacked_bytes: int


def pack(tree: str, out: str) -> None:
    """Pack the root ``tree`` into ``out`` (tar.zst)."""
    compress = "--use-compress-program=zstd -T0 -3 -q"
    check(
        [*_WITH_US, "tar", *_KEEP, compress, "--sort=name", "-C", tree, "-cf", out, "."],
    )


def unpack(archive: str, tree: str) -> None:
    """Unpack an archive made by ``pack`` or ``normalise`` into the directory ``tree``."""
    check(
        [
            *_WITH_US,
            *("tar", *_KEEP, "--same-owner", "--same-permissions"),
            *("--use-compress-program=zstd", "-C", tree, "-xf", archive),
        ]
    )


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def normalise(source: str, out: str, *, room: int) -> Contents:
    """Check the tar ``source`` (plain, gzip, xz or zstd) and write what it holds to ``out`` (tar.zst).

    Args:
        source: the foreign archive; only read.
        out: becomes the checked one.
        room: bytes that the unpacked root may take.

    Raises:
        InvalidInput: it is no tar, is damaged, holds no root file system, or has a member that is refused.
        OutOfSpace: the unpacked root would not fit.
    """
    archive = os.path.basename(source)
    with open(source, "rb", buffering=0) as raw, _unpacked(raw, archive, room) as stream:
        forward = _Forward(stream, archive)
        with _packed(out) as sink:
            return _copy_checked(forward, sink, archive=archive, room=room)


def _copy_checked(source: "_Forward", sink: IO[bytes], *, archive: str, room: int) -> Contents:
    try:
        tar = tarfile.TarFile(fileobj=source, errors="surrogateescape")  # type: ignore[arg-type]
    except tarfile.TarError as error:
        raise InvalidInput(
            f"{archive} is not a tar archive",
            hint="give a tar of a root file system, plain or packed with gzip, xz or zstd",
        ) from error
    try:
        with (
            tar,
            tarfile.open(
                fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
            ) as fresh,
        ):
            contents = _copy_members(tar, fresh, archive=archive, room=room)
    except tarfile.TarError as error:
        raise _damaged(archive, str(error)) from error
    if not source.ended_with_zeros:
        raise _damaged(archive, "it has no end mark")
    return contents


def _copy_members(
    tar: tarfile.TarFile, fresh: tarfile.TarFile, *, archive: str, room: int
) -> Contents:
    members = MemberCheck(archive)
    release: dict[str, str] = {}
    total = 0
    while (member := tar.next()) is not None:
        # tarfile remembers every member it met; an archive of millions must not fill the memory.
        tar.members.clear()  # type: ignore[attr-defined]
        members.check(member)
        total += _BLOCK + -(-member.size // _BLOCK) * _BLOCK
        if total > room:
            raise OutOfSpace(
                f"{archive} was not imported: unpacked it takes more than {render_bytes(total)}, "
                f"and {render_bytes(room)} are free",
                hint="free some space and try again",
            )
        body: IO[bytes] | None = tar.extractfile(member) if member.isreg() else None
        if body is not None and members.name in _OS_RELEASE and member.size < _BLOCK:
            content = body.read()
            release |= _parse_release(content)
            body = io.BytesIO(content)
        fresh.addfile(_plain(member), body)
    members.check_is_root()
    return Contents(
        distribution=release.get("ID", "unknown"),
        suite=release.get("VERSION_CODENAME") or release.get("VERSION_ID") or "unknown",
        unpacked_bytes=total,
    )


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member with what a root needs and nothing else: no sparse maps, no unknown headers."""
    plain = tarfile.TarInfo(inner_name(member.name) or ".")
    plain.type = tarfile.REGTYPE if member.isreg() else member.type
    plain.mode = member.mode & 0o7777
    plain.uid, plain.gid, plain.mtime = member.uid, member.gid, member.mtime
    plain.size = member.size if member.isreg() else 0
    plain.linkname = inner_name(member.linkname) if member.islnk() else member.linkname
    plain.pax_headers = {
        key: value
        for key, value in member.pax_headers.items()
        if key.startswith(("SCHILY.acl.", "SCHILY.xattr.security.capability", "SCHILY.xattr.user."))
        and not key.startswith("SCHILY.xattr.user.overlay.")
    }
    return plain


def _parse_release(content: bytes) -> dict[str, str]:
    """Parse os-release(5)."""
    pairs = (line.partition("=") for line in content.decode(errors="replace").splitlines())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs if value}


class _Forward:
    """A stream that can be asked where it is and moved forward, which is all that tarfile needs to read.

    It never hands out more than a header's worth at once, so that a header that claims to be gigabytes long is
    refused before it is in memory.
    """

    def __init__(self, stream: IO[bytes], archive: str) -> None:
        self._stream = stream
        self._archive = archive
        self._position = 0
        self.ended_with_zeros = False

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise InvalidInput(
                f"{self._archive} was not imported: it has a header of {render_bytes(size)}",
                hint="pack the root again: tar -C ROOT -cf FILE .",
            )
        parts = []
        while size > 0 and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
        data = b"".join(parts)
        self._position += len(data)
        self.ended_with_zeros = len(data) == tarfile.BLOCKSIZE and not any(data)
        return data

    def seek(self, position: int) -> None:
        while self._position < position and self.read(min(position - self._position, 65536)):
            pass
        if self._position != position:
            raise tarfile.ReadError("unexpected end of data")


@contextmanager
def _unpacked(raw: IO[bytes], archive: str, room: int) -> Iterator[IO[bytes]]:
    """Give the tar inside a file that may be compressed."""
    magic = raw.read(6)
    raw.seek(0)
    program = next((name for mark, name in _UNPACKERS.items() if magic.startswith(mark)), None)
    if program is None:
        yield raw
        return
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        try:
            process = spawn(
                [*_WITH_US, program, "-dcq"], streams=Streams(stdin=raw.fileno(), stdout=writer)
            )
        finally:
            os.close(writer)
        try:
            yield stream
            # Read on to the end, where checksums are, but not through gigabytes of padding.
            left = room
            while left > 0 and (part := stream.read(65536)):
                left -= len(part)
        finally:
            stream.close()
            status = exit_status(process.wait())
    if status not in (0, 128 + signal.SIGPIPE):
        raise _damaged(archive, f"{program} cannot read it to its end")


@contextmanager
def _packed(out: str) -> Iterator[IO[bytes]]:
    """Give a stream whose content ends up compressed in ``out``."""
    with open(out, "wb") as file:
        reader, writer = os.pipe()
        try:
            process = spawn(
                [*_WITH_US, "zstd", "-T0", "-3", "-q"],
                streams=Streams(stdin=reader, stdout=file.fileno()),
            )
        finally:
            os.close(reader)
        broken: BrokenPipeError | None = None
        try:
            with os.fdopen(writer, "wb") as sink:
                yield sink
        except BrokenPipeError as error:
            broken = error
        finally:
            status = exit_status(process.wait())
        if broken or status != 0:
            raise Failed(
                f"zstd could not write {out}", hint="look at the free space there"
            ) from broken


def _damaged(archive: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{archive} is cut short or damaged: {reason}", hint="fetch or pack it again"
    )
