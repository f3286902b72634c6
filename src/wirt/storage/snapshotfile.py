"""One file with all of a snapshot: what it is of, the template that it rests on, memory, and the disk's own part.

It is a tar that zstd has packed and that ends with its checksum. The first member says what it is of, the others lie below the
names of ``Parts``. The checksum finds damage. Whoever means harm writes a right one: so no member is taken that could reach
outside of where it is put, or that is a device; what a layer of overlayfs marks as deleted alone looks like one.
"""

import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import msgspec

from wirt.errors import Corrupt, Failed, OutOfSpace
from wirt.host import files, sealedfile
from wirt.host.run import feeding, streaming
from wirt.storage.templates.tarcheck import MemberCheck, inner_name
from wirt.storage.templates.tarread import members_of, reading

WHAT = "what.json"
TEMPLATE, MEMORY, DISK = "template", "memory", "disk"
WHAT_IT_IS = "snapshot of a guest"

_KEPT = ("trusted.overlay.opaque", "security.capability", "user.*")
"""Attributes of a layer's files. Overlayfs writes down more, which is about the files below on that one node."""
_KEEP = ("--numeric-owner", "--acls", "--xattrs", *(f"--xattrs-include={one}" for one in _KEPT))
"""What tar keeps beside the content."""
_EARLIER = re.compile(r"memory/images(/before-\d+)?/parent")
_PARENT = re.compile(r"(\.\./)?before-\d+")
_FLAT = re.compile(r"(template|memory(/images(/before-\d+)?)?)/[^/]+")
_DIRECTORIES = re.compile(r"template|memory(/images(/before-\d+)?)?")
_LARGEST = 1 << 20
"""Bytes of the member that says what it is of."""
_PIECE = 1 << 20
_ENDLESS = 1 << 62
_HINT = "import it from whom it was exported by"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of a snapshot lie, or are put."""

    template: str | None = None
    """Directory with the files of a template; None: it is left out."""
    template_files: tuple[str, ...] = ()
    memory: str | None = None
    """Directory; None: there is none, or it is left out."""
    disk: str | None = None
    """File or directory; None: it is left out."""


def write(path: str, what: bytes, parts: Parts) -> int:
    """Write a file that is not there yet and return its bytes.

    Args:
        path: the file; what dies or fails leaves a part of it.
        what: the JSON that says what it is of.
        parts: all of it; nobody changes them meanwhile.

    Raises:
        OutOfSpace, Failed: it could not be written.
    """
    with tempfile.TemporaryDirectory(prefix="wirt-") as staging, tempfile.TemporaryFile() as said:
        files.write(os.path.join(staging, WHAT), what.decode())
        with (
            streaming(_tar(staging, parts), stderr=said.fileno()) as packing,
            streaming(["zstd", "-T0", "-3", "-q"], stdin=packing.stream.fileno()) as packed,
        ):
            size = sealedfile.write(path, iter(lambda: packed.stream.read(_PIECE), b""))
        if packing.status != 0 or packed.status != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").splitlines()
            raise Failed(
                f"cannot write {path}: {words[-1] if words else 'zstd could not pack it'}",
                detail="\n".join(words[-30:]),
            )
    return size


def _tar(staging: str, parts: Parts) -> list[str]:
    """Return the command that writes the plain tar."""
    sources: list[str] = ["-C", staging, WHAT]
    names = []
    if parts.template is not None:
        for file in parts.template_files:
            names.append(_renamed(file, f"{TEMPLATE}/{file}"))
            sources += ["-C", parts.template, file]
    for place, part in ((parts.memory, MEMORY), (parts.disk, DISK)):
        if place is not None:
            above, name = os.path.split(place.rstrip("/"))
            names.append(_renamed(name, part))
            sources += ["-C", above, name]
    plain = ["--pax-option=delete=atime,delete=ctime", "--sort=name"]
    # Most of an image is holes. Nothing else is.
    holes = ["--sparse"] if any(os.path.isfile(place) for place in _images(parts)) else []
    return ["tar", "--format=posix", *plain, *_KEEP, *holes, *names, "-cf", "-", *sources]


def _images(parts: Parts) -> list[str]:
    template = [f"{parts.template}/{file}" for file in parts.template_files]
    images = [file for file in template if file.endswith(".img")]
    if parts.disk is None:
        return images
    kept = os.path.join(parts.disk, "disk")
    return [*images, kept if os.path.isdir(parts.disk) else parts.disk]


def _renamed(name: str, to: str) -> str:
    """Return the option by which a member, and all below it, gets another name; what links lead to stays as it is."""
    return f"--transform=flags=rSh;s,^{re.escape(name)}\\(/\\|$\\),{to}\\1,"


def read_what(path: str) -> bytes:
    """Return the JSON that says what a file is of, which has been verified.

    Raises:
        InvalidInput, Corrupt: it is none of ours.
    """
    with _opened(path) as tar:
        first = tar.next()
        if first is None or first.name != WHAT or not first.isreg() or first.size > _LARGEST:
            raise _no_snapshot(path)
        body = tar.extractfile(first)
        assert body is not None
        content = body.read()
        # It is read to its end: so zstd's own checksums are right too.
        for _ in members_of(tar):
            pass
    return content


def check(path: str) -> None:
    """Check every member of a file that has been verified.

    Raises:
        InvalidInput: one is refused.
    """
    unpack(path, Parts())


def unpack(path: str, into: Parts) -> None:
    """Put the parts that are wanted where they are to be; all members are checked, those of other parts too.

    Args:
        path: the file, which has been verified.
        into: empty directories, or what a disk's file is to replace; what fails leaves a part there.

    Raises:
        InvalidInput: a member is refused.
        OutOfSpace, Failed: it could not be written.
    """
    name = os.path.basename(path)
    checker = MemberCheck(name, hint=_HINT, device_hint=_HINT)
    with _opened(path) as tar, ExitStack() as sinks:
        layer: tarfile.TarFile | None = None
        seen: set[str] = set()
        for member in members_of(tar):
            whiteout = member.ischr() and (member.devmajor, member.devminor) == (0, 0)
            checker.check(_as_file(member) if whiteout else member)
            inner = checker.name
            part = inner.split("/")[0]
            if inner in seen:
                raise checker.refusal(member.name, "is there twice")
            seen.add(inner)
            if part == DISK:
                if member.islnk() and inner_name(member.linkname).split("/")[0] != DISK:
                    raise checker.refusal(member.name, "is a hard link to another part")
            elif whiteout or not _is_ours(member, inner):
                raise checker.refusal(member.name, "is nothing that a snapshot has")
            target = {TEMPLATE: into.template, MEMORY: into.memory, DISK: into.disk}.get(part)
            if target is None:
                continue
            with files.translated(f"unpack {name}"):
                if part != DISK:
                    _put(tar, member, os.path.join(target, *inner.split("/")[1:]))
                elif inner == DISK and member.isreg():
                    _put(tar, member, target)
                else:
                    layer = layer or sinks.enter_context(_unpacking(name, target))
                    plain = _plain(member, inner)
                    layer.addfile(plain, tar.extractfile(member) if member.isreg() else None)


def _is_ours(member: tarfile.TarInfo, inner: str) -> bool:
    """Return whether a member outside of the disk is one that ``write`` writes."""
    if member.issym():
        return bool(_EARLIER.fullmatch(inner) and _PARENT.fullmatch(member.linkname))
    if member.isdir():
        return _DIRECTORIES.fullmatch(inner) is not None
    return member.isreg() and (inner == WHAT or _FLAT.fullmatch(inner) is not None)


def _as_file(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an empty file of a member's name: what a layer has deleted is checked as one."""
    made = tarfile.TarInfo(member.name)
    made.type = tarfile.REGTYPE
    return made


def _plain(member: tarfile.TarInfo, inner: str) -> tarfile.TarInfo:
    """Return a layer's member below the layer, with what a layer needs and nothing else."""
    plain = tarfile.TarInfo(_below_disk(inner))
    plain.type = tarfile.REGTYPE if member.isreg() else member.type
    plain.mode = member.mode & 0o7777
    plain.uid, plain.gid, plain.mtime = member.uid, member.gid, member.mtime
    plain.size = member.size if member.isreg() else 0
    plain.linkname = _below_disk(inner_name(member.linkname)) if member.islnk() else member.linkname
    kept = ("SCHILY.acl.", *(f"SCHILY.xattr.{one.rstrip('*')}" for one in _KEPT))
    plain.pax_headers = {
        key: value for key, value in member.pax_headers.items() if key.startswith(kept)
    }
    return plain


def _below_disk(inner: str) -> str:
    return inner.removeprefix(DISK).lstrip("/") or "."


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    """Put a directory, a link or a file of ours at a path, root's; its holes stay holes."""
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        os.chmod(path, member.mode & 0o755)
    elif member.issym():
        os.symlink(member.linkname, path)
    else:
        body = tar.extractfile(member)
        assert body is not None
        with open(os.open(path, _FRESH, 0o600), "wb", buffering=0) as file:
            # CRIU reads some of them as root of the guest.
            os.fchmod(file.fileno(), member.mode & 0o644)
            # A hole is not read: of a disk it is most.
            data: list[tuple[int, int]] = member.sparse or [(0, member.size)]  # type: ignore[assignment]
            for start, length in data:
                body.seek(start)
                file.seek(start)
                for at in range(0, length, _PIECE):
                    file.write(body.read(min(length - at, _PIECE)))
            file.truncate(member.size)


_FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def _unpacking(name: str, target: str) -> Iterator[tarfile.TarFile]:
    """Give an archive whose members appear in a directory as they are written to it."""
    how = ["--same-owner", "--same-permissions", "-C", target, "-xf", "-"]
    with tempfile.TemporaryFile() as said:
        with (
            feeding(["tar", *_KEEP, *how], stderr=said.fileno()) as fed,
            tarfile.open(
                fileobj=fed.stream, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape"
            ) as fresh,
        ):
            yield fresh
        if fed.broken or fed.status != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").splitlines()
            detail = "\n".join(words[-30:])
            # What tar says when the last of the space is less than it wants to write.
            if "No space left" in detail or "Wrote only" in detail or "quota exceeded" in detail:
                raise OutOfSpace(
                    f"cannot unpack {name}: No space left on device",
                    detail=detail,
                    hint="free some space and try again",
                )
            reason = words[0] if words else "tar gave no reason"
            raise Failed(f"cannot unpack {name}: {reason}", detail=detail) from fed.broken


@contextmanager
def _opened(path: str) -> Iterator[tarfile.TarFile]:
    name = os.path.basename(path)
    raw: IO[bytes]
    with (
        open(path, "rb", buffering=0) as raw,
        reading(raw, name, room=_ENDLESS, program="zstd") as tar,
    ):
        yield tar


def _no_snapshot(path: str) -> Corrupt:
    return Corrupt(f"{os.path.basename(path)} holds no {WHAT_IT_IS}", hint=_HINT)
