"""Packed roots: made, checked, unpacked.

A tar from outside is never unpacked as it came. ``normalise`` reads it once, refuses what could reach outside of the
root, and writes a new archive of just what it checked; the archive that is unpacked later is that one, so a tar on
which two readers disagree gains nothing.
"""

import hashlib
import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import IO

import msgspec

from wirt.errors import Failed, InvalidInput
from wirt.host.files import sync_directory
from wirt.host.run import WITH_US, check, feeding, streaming
from wirt.model.template import Template
from wirt.storage.templates.machinethings import Addition, MachineThings
from wirt.storage.templates.ownthings import OwnThings
from wirt.storage.templates.tarcheck import MemberCheck, inner_name
from wirt.storage.templates.tarread import (
    BLOCK,
    check_room,
    damaged,
    is_device,
    members_of,
    packer_of,
    reading,
    size_on_disk,
)

_KEEP = (
    *("--numeric-owner", "--acls", "--xattrs"),
    *("--xattrs-include=security.capability", "--xattrs-include=user.*"),
)
"""What tar keeps beside the content. Not ``trusted.*``: overlayfs would take those for its own orders."""

_INIT = ("sbin/init", "usr/sbin/init")
_KERNEL = re.compile(r"boot/vmlinuz-([^/]+)")
_MODULES = re.compile(r"(?:usr/)?lib/modules/([^/]+)")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive of a root holds."""

    distribution: str
    suite: str
    unpacked_bytes: int
    devices_left_out: int = 0
    has_init: bool = False
    has_kernel: bool = False


def pack(tree: str, out: str) -> None:
    """Pack the root ``tree`` into ``out`` (tar.zst)."""
    compress = "--use-compress-program=zstd -T0 -3 -q"
    check(
        [*WITH_US, "tar", *_KEEP, compress, "--sort=name", "-C", tree, "-cf", out, "."],
    )


def unpack(archive: str, tree: str) -> None:
    """Unpack an archive made by ``pack`` or ``normalise`` into the directory ``tree``."""
    check(
        [
            *WITH_US,
            *("tar", *_KEEP, "--same-owner", "--same-permissions"),
            *("--use-compress-program=zstd", "-C", tree, "-xf", archive),
        ]
    )


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_checked(source: str, target: str, sha256: str) -> bool:
    """Copy a file that has a known checksum; ``target`` appears whole or not at all.

    Returns:
        False if the source is another than the checksum says.
    """
    fresh = f"{target}.new"
    summed = hashlib.sha256()
    with open(source, "rb") as old, open(fresh, "xb") as new:
        try:
            while part := old.read(1024 * 1024):
                summed.update(part)
                new.write(part)
            if summed.hexdigest() != sha256:
                return False
            new.flush()
            os.fsync(new.fileno())
            os.rename(fresh, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(fresh)
    sync_directory(os.path.dirname(os.path.abspath(target)))
    return True


def check_beside(path: str) -> None:
    """Check an archive against the checksum that lies beside it, ``path`` with ``.sha256``, if there is one.

    Raises:
        InvalidInput: it is another, or is none.
    """
    archive, beside = os.path.basename(path), f"{path}.sha256"
    if not os.path.isfile(beside):
        return
    with open(beside, "rb") as file:
        said = file.read(BLOCK).split()
    if not said or re.fullmatch(rb"[0-9a-f]{64}", said[0]) is None:
        raise InvalidInput(
            f"{archive} was not imported: {os.path.basename(beside)} beside it holds no SHA-256",
            hint="remove that file, or write it with sha256sum",
        )
    if said[0].decode() != sha256_of(path):
        raise damaged(archive, f"it is not what {os.path.basename(beside)} beside it says")


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


def pack_anew(
    root: str | IO[bytes], out: str, *, origin: str, room: int, of_machine: bool = False
) -> tuple[Contents, list[str]]:
    """Pack a guest's root without what is that one guest's, and return what came of it and was put right.

    Its files are the guest's, who may have written anything there: they are checked as those of a foreign tar are.

    Args:
        root: its directory, which nobody changes meanwhile, or the plain tar of it; only read.
        out: becomes the archive (tar.zst).
        origin: what the root is called in messages.
        room: bytes that the unpacked root may take.
        of_machine: True if it is that of a machine with disks and cards of its own, which are to be forgotten too.

    Raises:
        InvalidInput: a file of it cannot be part of a template.
        OutOfSpace: it would not fit.
        Failed: the tree could not be read.
    """
    owned = OwnThings()
    machine = MachineThings() if of_machine else None
    hint = f"take it away in the {'machine' if of_machine else 'guest'} and try again"
    with (
        _packing(root) if isinstance(root, str) else nullcontext(root) as raw,
        reading(raw, origin, room=room, program=None) as tar,
        writing(out) as fresh,
    ):
        members = MemberCheck(origin, hint=hint)
        copier = Copier(fresh, origin, room=room)
        for member in members_of(tar):
            if is_device(member):
                continue  # of a chroot; it finds the node's own there
            treated = owned.treat(inner_name(member.name), member)
            if machine is not None and treated is not None:
                treated = machine.treat(inner_name(member.name), treated)
            if treated is not None:
                members.check(treated)
                copier.copy(tar, treated, members.name)
        members.check_is_root()
        if machine is not None:
            for addition in machine.additions():
                made = _as_member(addition)
                members.check(made)
                fresh.addfile(made, io.BytesIO(addition.content.encode()))
    return copier.contents(), [*(machine.said() if machine else ()), *owned.said()]


def _as_member(addition: Addition) -> tarfile.TarInfo:
    made = tarfile.TarInfo(addition.name)
    made.mode, made.size = 0o644, len(addition.content.encode())
    if addition.target is not None:
        made.type, made.linkname = tarfile.SYMTYPE, addition.target
    return made


def describe(name: str, description: str, contents: Contents) -> Template:
    """Return what is known of a template that was not built from metadata, before it is sealed."""
    return Template(
        name=name,
        description=description,
        distribution=contents.distribution,
        suite=contents.suite,
        packages=[],
        unpacked_bytes=contents.unpacked_bytes,
        sha256="",
        packed_bytes=0,
        built=time.time(),
        build_seconds=0.0,
        imported=True,
        has_init=contents.has_init,
        has_kernel=contents.has_kernel,
    )


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
        self._has_init = False
        self._kernels: set[str] = set()
        self._modules: set[str] = set()
        self._total = 0
        self.devices_left_out = 0

    def copy(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        """Write a member, with what it holds, under the path ``name`` of the root.

        Raises:
            OutOfSpace: the unpacked root would not fit.
        """
        self._has_init |= name in _INIT
        if member.isreg() and (kernel := _KERNEL.fullmatch(name)):
            self._kernels.add(kernel[1])
        if modules := _MODULES.match(name):
            self._modules.add(modules[1])
        self._total += size_on_disk(member)
        check_room(self._archive, self._total, self._room)
        body: IO[bytes] | None = tar.extractfile(member) if member.isreg() else None
        if body is not None and name in _OS_RELEASE and member.size < BLOCK:
            content = body.read()
            self._release |= parse_release(content)
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
            has_init=self._has_init,
            has_kernel=not self._kernels.isdisjoint(self._modules),
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


def parse_release(content: bytes) -> dict[str, str]:
    """Parse os-release(5)."""
    pairs = (line.partition("=") for line in content.decode(errors="replace").splitlines())
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs if value}


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
def _packing(tree: str) -> Iterator[IO[bytes]]:
    """Give the plain tar of a directory while it is being packed; other file systems in it are left out."""
    argv = ["tar", *_KEEP, "--sort=name", "--one-file-system", "-C", tree, "-cf", "-", "."]
    with tempfile.TemporaryFile() as said:
        with streaming(argv, stderr=said.fileno()) as output:
            yield output.stream
        if output.status != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").splitlines()
            raise Failed(
                f"cannot pack {tree}: {words[-1] if words else f'exit status {output.status}'}",
                detail="\n".join(words[-30:]),
            )


@contextmanager
def _packed(out: str) -> Iterator[IO[bytes]]:
    """Give a stream whose content ends up compressed in ``out``."""
    with (
        open(out, "wb") as file,
        feeding(["zstd", "-T0", "-3", "-q"], stdout=file.fileno()) as fed,
    ):
        yield fed.stream
    if fed.broken or fed.status != 0:
        raise Failed(
            f"zstd could not write {out}", hint="look at the free space there"
        ) from fed.broken
