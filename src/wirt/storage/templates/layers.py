"""Lays the layers of an image upon each other: a root, of which every member was checked as a tar's are.

Nothing is unpacked. The layers are read twice: once to learn which member each path of the root comes from in the end
(a later layer replaces, and removes by its whiteouts, what earlier ones brought), and once to write just those members
to a new archive. Both times what they unpack to is held against the checksum in the image's configuration.

Which layers an image has, and where they are, is for ``oci`` to find out.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from wirt.errors import InvalidInput
from wirt.storage.templates.archive import Contents, Copier, writing
from wirt.storage.templates.tarcheck import (
    MOST_MEMBERS,
    MemberCheck,
    check_top,
    inner_name,
    no_file_before,
)
from wirt.storage.templates.tarread import check_room, is_device, members_of, reading, size_on_disk

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_BUILD_AGAIN = "build the image again without it"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: a tar of changes."""

    path: str
    name: str
    """What it is called in messages: "layer 2 of app.tar"."""
    program: str | None
    """What unpacks it; None if it is plain."""
    algorithm: str
    checksum: str
    """Of what it unpacks to, hexadecimal."""


class _Node:
    """A path of the root: its kind, which member it comes from, and what is below it."""

    __slots__ = ("children", "kind", "origin")

    def __init__(self, kind: bytes, origin: tuple[int, int] | None) -> None:
        self.kind = kind
        self.origin = origin
        """Number of the layer and of the member in it; None for a directory that no layer describes."""
        self.children: dict[str, _Node] = {}


class _Member(msgspec.Struct, frozen=True):
    """What has to be remembered of a member until the whole layer has been read."""

    number: int
    name: str
    kind: bytes
    target: str


def merge(
    layers: Sequence[Layer], out: str, *, image: str, room: int, skip_devices: bool
) -> Contents:
    """Write the root that the layers make, the first at the bottom, to ``out`` (tar.zst).

    Args:
        layers: the layers, whose files are only read.
        out: becomes the archive.
        image: what the image is called in messages.
        room: bytes that the unpacked root may take.
        skip_devices: True to leave device nodes out, which are refused otherwise.

    Raises:
        InvalidInput: a layer is no tar, is damaged, or has a member that is refused; or this is no root.
        OutOfSpace: the unpacked root would not fit.
    """
    root = _Root(image, room=room, skip_devices=skip_devices)
    for number, layer in enumerate(layers):
        root.lay(number, layer)
    check_top(image, root.top(), "give an image that holds a whole system")
    wanted = root.survivors(len(layers))
    with writing(out) as fresh:
        copier = Copier(fresh, image, room=room)
        copier.devices_left_out = root.devices_left_out
        for name in root.undescribed():
            copier.add_directory(name)
        for layer, paths_of in zip(layers, wanted, strict=True):
            with _opened(layer, room=room) as tar:
                for member_number, member in enumerate(members_of(tar)):
                    if paths := paths_of.get(member_number):
                        copier.copy(tar, member, paths[0])
                        for other in paths[1:]:
                            copier.add_hard_link(other, paths[0])
    return copier.contents()


class _Root:
    """The paths that the layers so far make."""

    def __init__(self, image: str, *, room: int, skip_devices: bool) -> None:
        self._image = image
        self._room = room
        self._skip_devices = skip_devices
        self._tree = _Node(tarfile.DIRTYPE, None)
        self._bytes = 0
        self._members = 0
        self.devices_left_out = 0

    def lay(self, number: int, layer: Layer) -> None:
        """Lay a layer upon what there is: first what it takes away, then what it brings."""
        check = MemberCheck(layer.name, hint=_BUILD_AGAIN, is_file_below=self._is_file)
        members = self._survey(layer, check)
        brought = []
        for member in members:
            parent, _, last = member.name.rpartition("/")
            if last == _OPAQUE:
                if (found := self._find(parent)) is not None:
                    found.children.clear()
            elif last.startswith(_WHITEOUT):
                if (found := self._find(parent)) is not None:
                    found.children.pop(last.removeprefix(_WHITEOUT), None)
            else:
                brought.append(member)
        for member in brought:
            self._put(number, member, check)

    def top(self) -> list[str]:
        """Return the names at the root's top."""
        return list(self._tree.children)

    def survivors(self, layers: int) -> list[dict[int, list[str]]]:
        """Return, for each layer, the members that are part of the root: number -> the paths that it has there."""
        found: list[dict[int, list[str]]] = [{} for _ in range(layers)]
        for name, node in self._walk():
            if node.origin is not None:
                layer, member = node.origin
                found[layer].setdefault(member, []).append(name)
        return found

    def undescribed(self) -> list[str]:
        """Return the directories that hold something and that no layer describes."""
        return [name for name, node in self._walk() if node.origin is None and name]

    def _survey(self, layer: Layer, check: MemberCheck) -> list[_Member]:
        """Read and check a layer, and return what it brings and what it takes away."""
        members = []
        with _opened(layer, room=self._room) as tar:
            for number, member in enumerate(members_of(tar)):
                self._bytes += size_on_disk(member)
                check_room(self._image, self._bytes, self._room)
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise InvalidInput(
                        f"{self._image} was not imported: it has more than {MOST_MEMBERS} members",
                        hint="give an image of a smaller system",
                    )
                if is_device(member) and self._skip_devices:
                    self.devices_left_out += 1
                    continue
                check.check(member)
                _check_mark(member, check)
                kind = tarfile.REGTYPE if member.isreg() else member.type
                members.append(_Member(number, check.name, kind, member.linkname))
        return members

    def _put(self, number: int, member: _Member, check: MemberCheck) -> None:
        """Make a member part of the root."""
        if not member.name:
            self._tree.origin = (number, member.number)
            return
        parent, last = self._parent_of(member.name, check)
        old = parent.children.get(last)
        origin, kind = (number, member.number), member.kind
        if kind == tarfile.LNKTYPE:
            target = self._find(inner_name(member.target))
            if target is None or target.kind != tarfile.REGTYPE:
                # It was below this layer, and this layer itself has taken it away.
                raise check.refusal(member.name, no_file_before(member.target))
            assert target.origin is not None
            origin, kind = target.origin, target.kind
        fresh = _Node(kind, origin)
        if kind == tarfile.DIRTYPE and old is not None and old.kind == tarfile.DIRTYPE:
            fresh.children = old.children
        parent.children[last] = fresh

    def _parent_of(self, name: str, check: MemberCheck) -> tuple[_Node, str]:
        """Return the directory that a path lies in, made if no layer has described it, and its name there."""
        *parents, last = name.split("/")
        node = self._tree
        for depth, part in enumerate(parents, 1):
            node = node.children.setdefault(part, _Node(tarfile.DIRTYPE, None))
            if node.kind != tarfile.DIRTYPE:
                above = "/".join(parents[:depth])
                link = node.kind == tarfile.SYMTYPE
                raise check.refusal(
                    name,
                    f"lies below the symbolic link {above}"
                    if link
                    else f"lies below {above}, which is no directory",
                )
        return node, last

    def _find(self, name: str) -> _Node | None:
        node: _Node | None = self._tree
        for part in name.split("/") if name else ():
            node = node.children.get(part) if node is not None else None
        return node

    def _is_file(self, name: str) -> bool:
        found = self._find(name)
        return found is not None and found.kind == tarfile.REGTYPE

    def _walk(self) -> Iterator[tuple[str, _Node]]:
        """Give every path; without recursion, for a layer may nest deeper than Python does."""
        pending = [("", self._tree)]
        while pending:
            name, node = pending.pop()
            yield name, node
            above = f"{name}/" if name else ""
            pending += [(above + part, child) for part, child in node.children.items()]


def _check_mark(member: tarfile.TarInfo, check: MemberCheck) -> None:
    """Check the names that are kept for whiteouts.

    Raises:
        InvalidInput: it is one that nobody knows, or that would take away more than a name.
    """
    *parents, last = check.name.split("/")
    if any(part.startswith(_WHITEOUT) for part in parents):
        raise check.refusal(member.name, "lies below a whiteout")
    if not last.startswith(_WHITEOUT) or last == _OPAQUE:
        return
    hidden = last.removeprefix(_WHITEOUT)
    if hidden in ("", ".", "..") or hidden.startswith(_WHITEOUT) or not member.isreg():
        raise check.refusal(member.name, "is a whiteout of an unknown kind")


@contextmanager
def _opened(layer: Layer, *, room: int) -> Iterator[tarfile.TarFile]:
    """Give the members of a layer.

    Raises:
        InvalidInput: once it has been read to its end, and is not what the image's configuration says.
    """
    checksum = hashlib.new(layer.algorithm)
    descriptor = os.open(layer.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with (
        open(descriptor, "rb", buffering=0) as raw,
        reading(raw, layer.name, room=room, program=layer.program, heard=checksum.update) as tar,
    ):
        yield tar
    if checksum.hexdigest() != layer.checksum:
        raise InvalidInput(
            f"{layer.name} is damaged: what it unpacks to is not what the image's configuration says",
            hint="fetch or copy the image again",
        )
