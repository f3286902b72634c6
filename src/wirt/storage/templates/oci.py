"""Finds an image in an OCI image layout: ``index.json``, manifest, configuration, layers.

Everything but ``index.json`` is named by the checksum of what it holds, and is held against it before it is read. A
layout comes as a directory, or as the tar of one; of a tar, only what belongs to a layout is unpacked, into a directory
of the caller's. What the layers make together is for ``layers`` to say.

The format: https://github.com/opencontainers/image-spec. The names that Docker gives the same things are known too, since
programs put its images into layouts unchanged.
"""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from wirt.errors import InvalidInput
from wirt.storage.templates.archive import Contents
from wirt.storage.templates.layers import Layer, merge
from wirt.storage.templates.tarcheck import inner_name
from wirt.storage.templates.tarread import (
    check_room,
    first_member,
    members_of,
    packer_of,
    reading,
    size_on_disk,
)

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"
_INDEX = {f"{_OCI}.index.v1+json", f"{_DOCKER}.distribution.manifest.list.v2+json"}
_MANIFEST = {f"{_OCI}.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v2+json"}
_CONFIG = {f"{_OCI}.config.v1+json", f"{_DOCKER}.container.image.v1+json"}
_LAYER = {
    f"{_OCI}.layer.v1.tar": None,
    f"{_OCI}.layer.v1.tar+gzip": "gzip",
    f"{_OCI}.layer.v1.tar+zstd": "zstd",
    f"{_DOCKER}.image.rootfs.diff.tar": None,
    f"{_DOCKER}.image.rootfs.diff.tar.gzip": "gzip",
}
"""Media type of a layer -> the program that unpacks it."""

_NAME = "org.opencontainers.image.ref.name"
_DIGEST = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
_PART = re.compile(r"oci-layout|index\.json|blobs/sha256/[0-9a-f]{64}|blobs/sha512/[0-9a-f]{128}")
_FIRST_MEMBER = re.compile(r"(oci-layout|index\.json|manifest\.json|blobs)(/.*)?")
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "386",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_LARGEST_DOCUMENT = 4 * 1024 * 1024
_DEEPEST = 8
_AGAIN = "fetch or copy the image again"


class _Platform(msgspec.Struct, frozen=True):
    architecture: str
    os: str

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


class _Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    digest: str
    size: int
    platform: _Platform | None = None
    annotations: dict[str, str] | None = None

    @property
    def name(self) -> str | None:
        """Return the name that the image has in this layout."""
        return (self.annotations or {}).get(_NAME)


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    image_layout_version: str


class _Index(msgspec.Struct, frozen=True):
    manifests: list[_Descriptor]


class _Manifest(msgspec.Struct, frozen=True):
    config: _Descriptor
    layers: list[_Descriptor]


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: list[str]


class _Config(msgspec.Struct, frozen=True):
    architecture: str
    os: str
    rootfs: _RootFs


_Document = TypeVar("_Document")


def is_layout(path: str) -> bool:
    """Return whether a path leads to an OCI image layout, or to what can be nothing else: a directory."""
    if os.path.isdir(path):
        return True
    first = first_member(path)
    return first is not None and _FIRST_MEMBER.fullmatch(first) is not None


def flatten(
    path: str, out: str, work: str, *, room: int, image: str | None, skip_devices: bool
) -> Contents:
    """Write the root of an image in a layout to ``out`` (tar.zst).

    Args:
        path: the layout, a directory or a tar; only read.
        out: becomes the archive of the root.
        work: directory that does not exist yet; a tar's parts are unpacked there, and it is removed again.
        room: bytes that may be written.
        image: the image's name in the layout; None if there is but one.
        skip_devices: True to leave device nodes out, which are refused otherwise.

    Raises:
        InvalidInput: it is no layout, damaged, holds no image for this machine, or one that is refused.
        OutOfSpace: it would not fit.
    """
    label = os.path.basename(os.path.abspath(path))
    if os.path.isdir(path):
        layers = _Layout(path, label).layers_of(image)
        return merge(layers, out, image=label, room=room, skip_devices=skip_devices)
    os.mkdir(work, 0o700)
    try:
        room -= _unpack_parts(path, label, work, room=room)
        layers = _Layout(work, label).layers_of(image)
        return merge(layers, out, image=label, room=room, skip_devices=skip_devices)
    finally:
        shutil.rmtree(work)


def _unpack_parts(path: str, label: str, work: str, *, room: int) -> int:
    """Unpack what belongs to a layout, under names that were checked, and return the bytes that it takes."""
    for algorithm in ("sha256", "sha512"):
        os.makedirs(f"{work}/blobs/{algorithm}")
    total = 0
    with (
        open(path, "rb", buffering=0) as raw,
        reading(raw, label, room=room, program=packer_of(raw)) as tar,
    ):
        for member in members_of(tar):
            name = inner_name(member.name)
            body = tar.extractfile(member) if member.isreg() else None
            if body is None or _PART.fullmatch(name) is None:
                continue
            total += size_on_disk(member)
            check_room(label, total, room)
            with open(f"{work}/{name}", "wb") as file:
                shutil.copyfileobj(body, file)
    return total


class _Layout:
    """A layout in a directory, which anybody may have written."""

    def __init__(self, path: str, label: str) -> None:
        self._path = path
        self._label = label

    def layers_of(self, image: str | None) -> list[Layer]:
        """Return the layers of an image, the lowest first; the file of each is what its name says.

        Raises:
            InvalidInput: there is no such image, or something of it is missing, damaged or unknown.
        """
        self._check_version()
        manifest, config = self._choose(image)
        sums = config.rootfs.diff_ids
        if len(sums) != len(manifest.layers):
            raise InvalidInput(
                f"{self._label} is damaged: the image has {len(manifest.layers)} layers, "
                f"and its configuration speaks of {len(sums)}",
                hint=_AGAIN,
            )
        layers = []
        for number, (found, checksum) in enumerate(zip(manifest.layers, sums, strict=True), 1):
            name = f"layer {number} of {self._label}"
            if found.media_type not in _LAYER:
                raise InvalidInput(
                    f"{self._label} was not imported: its layer {number} is of the unknown media "
                    f"type {found.media_type!r}",
                    hint="known are tar layers, plain or packed with gzip or zstd",
                )
            algorithm, digits = self._parse_digest(checksum)
            layers.append(
                Layer(
                    path=self._verified(found),
                    name=name,
                    program=_LAYER[found.media_type],
                    algorithm=algorithm,
                    checksum=digits,
                )
            )
        return layers

    def _check_version(self) -> None:
        try:
            said = self._read("oci-layout")
        except FileNotFoundError:
            raise InvalidInput(
                f"{self._label} is no OCI image layout: it has no file oci-layout",
                hint="give an OCI image layout, a directory or a tar, or the tar of a root file system",
            ) from None
        version = self._decode(said, _Version, "its file oci-layout").image_layout_version
        if version != "1.0.0":
            raise InvalidInput(
                f"{self._label} is an OCI image layout of the unknown version {version!r}",
                hint="copy it with a program that writes version 1.0.0",
            )

    def _choose(self, image: str | None) -> tuple[_Manifest, _Config]:
        """Return the one image that is meant, as it is for this machine."""
        try:
            index = self._decode(self._read("index.json"), _Index, "its file index.json")
        except FileNotFoundError:
            raise self._damage("it has no file index.json") from None
        names = sorted({one.name for one in index.manifests if one.name is not None})
        if image is not None and image not in names:
            raise InvalidInput(
                f"{self._label} holds no image called {image!r}",
                hint=f"it holds {', '.join(names)}" if names else "its images have no names",
            )
        seen: list[str] = []
        chosen: dict[str | None, tuple[_Manifest, _Config]] = {}
        for one in index.manifests:
            if image in (None, one.name) and one.name not in chosen:
                for found in self._matching(one, seen, depth=0):
                    chosen[one.name] = found
                    break
        if len(chosen) > 1:
            raise InvalidInput(
                f"{self._label} holds several images: "
                f"{', '.join(sorted(name or '(without a name)' for name in chosen))}",
                hint="say which one with --image NAME",
            )
        if not chosen:
            raise InvalidInput(
                f"{self._label} holds no image for {_machine()}"
                + (f", only {', '.join(dict.fromkeys(seen))}" if seen else ""),
                hint="fetch the image for this machine's platform",
            )
        return next(iter(chosen.values()))

    def _matching(
        self, found: _Descriptor, seen: list[str], *, depth: int
    ) -> Iterator[tuple[_Manifest, _Config]]:
        """Give the images for this machine that a descriptor leads to; what else there is goes into ``seen``."""
        if depth > _DEEPEST:
            raise InvalidInput(
                f"{self._label} was not imported: its indexes are nested deeper than {_DEEPEST}",
                hint="copy the image to a layout of its own",
            )
        if found.media_type in _INDEX:
            index = self._document(found, _Index)
            for one in index.manifests:
                yield from self._matching(one, seen, depth=depth + 1)
        elif found.media_type not in _MANIFEST:
            # The specification wants unknown ones passed over; if there was nothing else, they are named.
            seen.append(f"the unknown media type {found.media_type!r}")
        elif found.platform is not None and found.platform != _machine():
            seen.append(str(found.platform))
        else:
            manifest = self._document(found, _Manifest)
            if manifest.config.media_type not in _CONFIG:
                seen.append(f"the unknown media type {manifest.config.media_type!r}")
                return
            config = self._document(manifest.config, _Config)
            platform = _Platform(config.architecture, config.os)
            if platform == _machine():
                yield manifest, config
            else:
                seen.append(str(platform))

    def _document(self, found: _Descriptor, kind: type[_Document]) -> _Document:
        """Read a document that is named by its checksum."""
        self._parse_digest(found.digest)
        try:
            content = self._read(_blob(found.digest))
        except FileNotFoundError:
            raise self._damage(f"it has no blob {found.digest}") from None
        self._check_size(found, len(content))
        algorithm, digits = self._parse_digest(found.digest)
        if hashlib.new(algorithm, content).hexdigest() != digits:
            raise self._damage(f"blob {found.digest} is not what its name says")
        return self._decode(content, kind, f"blob {found.digest}")

    def _verified(self, found: _Descriptor) -> str:
        """Return the path of a blob of any size that is what its name says."""
        algorithm, digits = self._parse_digest(found.digest)
        try:
            descriptor = self._open(_blob(found.digest))
        except FileNotFoundError:
            raise self._damage(f"it has no blob {found.digest}") from None
        with open(descriptor, "rb") as file:
            self._check_size(found, os.fstat(descriptor).st_size)
            if hashlib.file_digest(file, algorithm).hexdigest() != digits:
                raise self._damage(f"blob {found.digest} is not what its name says")
        return os.path.join(self._path, _blob(found.digest))

    def _check_size(self, found: _Descriptor, size: int) -> None:
        if size != found.size:
            raise self._damage(f"blob {found.digest} has {size} bytes, not {found.size}")

    def _read(self, name: str) -> bytes:
        with open(self._open(name), "rb") as file:
            content = file.read(_LARGEST_DOCUMENT + 1)
        if len(content) > _LARGEST_DOCUMENT:
            raise InvalidInput(
                f"{self._label} was not imported: {name} has more than {_LARGEST_DOCUMENT} bytes",
                hint=_AGAIN,
            )
        return content

    def _open(self, name: str) -> int:
        """Open a file of the layout, through no link at its end, and never waiting for the other end of a pipe."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(os.path.join(self._path, name), flags)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._damage(f"{name} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._damage(f"{name} is no file")
        return descriptor

    def _decode(self, content: bytes, kind: type[_Document], what: str) -> _Document:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            raise self._damage(f"{what} cannot be read: {error}") from error

    def _parse_digest(self, digest: str) -> tuple[str, str]:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise self._damage(f"{digest[:80]!r} is no SHA-256 or SHA-512")
        return match[1] or match[3], match[2] or match[4]

    def _damage(self, reason: str) -> InvalidInput:
        return InvalidInput(f"{self._label} is damaged: {reason}", hint=_AGAIN)


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _machine() -> _Platform:
    machine = os.uname().machine
    return _Platform(_ARCHITECTURES.get(machine, machine), "linux")
