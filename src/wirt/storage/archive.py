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
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

import msgspec

from wirt.errors import Failed, InvalidInput, OutOfSpace
from wirt.host.run import Streams, check, exit_status, spawn
from wirt.storage.ownthings import OwnThings
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
    devices_left_out: int = 0


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


def normalise(source: str, out: str, *, room: int, skip_devices: bool = False) -> Contents:
    """Check the tar ``source`` (plain, gzip, xz or zstd) and write what it holds to ``out`` (tar.zst).

    Args:
        source: the foreign archive; only read.
        out: becomes the checked one.
        room: bytes that the unpacked root may take.
        skip_devices: True to leave device nodes out, which are refused otherwise.

    Raises:
        InvalidInput: it is no tar, is damaged, holds no root file system, or has a member that is refused.
        OutOfSpace: the unpacked root would not fit.
    """
    archive = os.path.basename(source)
    with (
        open(source, "rb", buffering=0) as raw,
        reading(raw, archive, room=room, program=packer_of(raw)) as tar,
        writing(out) as fresh,
    ):
        members = MemberCheck(archive)
        copier = Copier(fresh, archive, room=room)
        for member in members_of(tar):
            if is_device(member) and skip_devices:
                copier.devices_left_out += 1
                continue
            members.check(member)
            copier.copy(tar, member, members.name)
        members.check_is_root()
    return copier.contents()


def pack_anew(tree: str, out: str, *, origin: str, room: int) -> tuple[Contents, list[str]]:
    """Pack a guest's root without what is that one guest's, and return what came of it and was put right.

    Its files are the guest's, who may have written anything there: they are checked as those of a foreign tar are.

    Args:
        tree: the root, which nobody changes meanwhile; only read.
        out: becomes the archive (tar.zst).
        origin: what the root is called in messages.
        room: bytes that the unpacked root may take.

    Raises:
        InvalidInput: a file of it cannot be part of a template.
        OutOfSpace: it would not fit.
        Failed: the tree could not be read.
    """
    owned = OwnThings()
    hint = "take it away in the guest and try again"
    with (
        _packing(tree) as raw,
        reading(raw, origin, room=room, program=None) as tar,
        writing(out) as fresh,
    ):
        members = MemberCheck(origin, hint=hint)
        copier = Copier(fresh, origin, room=room)
        for member in members_of(tar):
            if is_device(member):
                continue  # of a chroot; it finds the node's own there
            treated = owned.treat(inner_name(member.name), member)
            if treated is not None:
                members.check(treated)
                copier.copy(tar, treated, members.name)
        members.check_is_root()
    return copier.contents(), owned.said()


class Copier:
    """Writes the checked members of foreign archives to a fresh one, and knows afterwards what it holds.

    Args:
        fresh: where to.
        archive: what they come from, for messages.
        room: bytes that the unpacked root may take.
    """

    def __init__(self, fresh: tarfile.TarFile, archive: str, *, room: int) -> None:
        self._fresh = fresh
        self._archive = archive
        self._room = room
        self._release: dict[str, str] = {}
        self._total = 0
        self.devices_left_out = 0

    def copy(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        """Write a member, with what it holds, under the path ``name`` of the root.

        Raises:
            OutOfSpace: the unpacked root would not fit.
        """
        self._total += size_on_disk(member)
        check_room(self._archive, self._total, self._room)
        body: IO[bytes] | None = tar.extractfile(member) if member.isreg() else None
        if body is not None and name in _OS_RELEASE and member.size < _BLOCK:
            content = body.read()
            self._release |= _parse_release(content)
            body = io.BytesIO(content)
        self._fresh.addfile(_plain(member, name), body)

    def add_hard_link(self, name: str, target: str) -> None:
        """Write a second name of a file that has been written."""
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.LNKTYPE, target
        self._fresh.addfile(link)

    def add_directory(self, name: str) -> None:
        """Write a directory that no archive describes: everybody may pass, root may write."""
        made = tarfile.TarInfo(name)
        made.type, made.mode = tarfile.DIRTYPE, 0o755
        self._fresh.addfile(made)

    def contents(self) -> Contents:
        """Return what has been written."""
        release = self._release
        return Contents(
            distribution=release.get("ID", "unknown"),
            suite=release.get("VERSION_CODENAME") or release.get("VERSION_ID") or "unknown",
            unpacked_bytes=self._total,
            devices_left_out=self.devices_left_out,
        )


def members_of(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the members in their order. tarfile remembers every one it met; millions must not fill the memory."""
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        yield member


def is_device(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a device node."""
    return member.ischr() or member.isblk()


def size_on_disk(member: tarfile.TarInfo) -> int:
    """Return about how many bytes a member takes when it is unpacked."""
    return _BLOCK + -(-member.size // _BLOCK) * _BLOCK


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


def _plain(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    """Return the member with what a root needs and nothing else: no sparse maps, no unknown headers."""
    plain = tarfile.TarInfo(name or ".")
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
                f"{self._archive} was not imported: it has a header of {render_bytes(size)}",
                hint="pack the root again: tar -C ROOT -cf FILE .",
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
def writing(out: str) -> Iterator[tarfile.TarFile]:
    """Give a new archive that ends up compressed in ``out``."""
    with (
        _packed(out) as sink,
        tarfile.open(
            fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
        ) as fresh,
    ):
        yield fresh


@contextmanager
def _unpacked(raw: IO[bytes], archive: str, program: str | None) -> Iterator[IO[bytes]]:
    """Give what a file unpacks to, which is the file itself if it is plain."""
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
        finally:
            stream.close()
            status = exit_status(process.wait())
    if status not in (0, 128 + signal.SIGPIPE):
        raise damaged(archive, f"{program} cannot read it to its end")


@contextmanager
def _packing(tree: str) -> Iterator[IO[bytes]]:
    """Give the plain tar of a directory while it is being packed; other file systems in it are left out."""
    argv = [
        *_WITH_US,
        "tar",
        *_KEEP,
        "--sort=name",
        "--one-file-system",
        "-C",
        tree,
        "-cf",
        "-",
        ".",
    ]
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said, os.fdopen(reader, "rb") as stream:
        try:
            process = spawn(argv, streams=Streams(stdout=writer, stderr=said.fileno()))
        finally:
            os.close(writer)
        try:
            yield stream
        finally:
            stream.close()
            status = exit_status(process.wait())
        if status != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").splitlines()
            raise Failed(
                f"cannot pack {tree}: {words[-1] if words else f'exit status {status}'}",
                detail="\n".join(words[-30:]),
            )


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


def damaged(archive: str, reason: str) -> InvalidInput:
    """Return the error for an archive that is not what its maker wrote."""
    return InvalidInput(
        f"{archive} is cut short or damaged: {reason}", hint="fetch or pack it again"
    )
