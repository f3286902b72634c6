"""A pool without file systems of its own, for tests and for trying things out.

A root is a copy of the template's tree, and "mounted" is a file beside it: both are there for the next process when one
is killed. It fails when it is told to, leaving the work half done.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from typing_extensions import override

from wirt.errors import Failed
from wirt.host import files
from wirt.model.capability import Capability, yes
from wirt.model.presence import Presence, present_if
from wirt.model.resources import DiskUsage, Idmap, RootTree
from wirt.storage.base import Disks
from wirt.storage.disks.diskfiles import DIRECTORY, DiskFiles
from wirt.storage.snapshots import TravellingSnapshots

FAKE_INODES = 100_000
"""What a root has of them."""


class FakePool:
    """Roots that are plain copies.

    Args:
        directory: where they live.
        fail_at: number of the call (the first is 1) that fails, to ``clone``, ``copy``, ``attach``, ``detach`` or
            ``remove``, or to something of its snapshots that changes one.
    """

    name = "fake"
    forms: Mapping[str, str] = MappingProxyType({"tree": "tree"})
    forms_in: str | None = None
    instant_copy = False

    def __init__(self, directory: str, *, fail_at: int | None = None) -> None:
        self._directory = directory
        self._fail_at = fail_at
        self.calls: list[str] = []
        """The names of the calls so far that change something."""

    def probe_capability(self) -> Capability:
        """Say yes."""
        return yes(self.name, "it needs nothing")

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Copy the template's tree."""
        if self.probe(guest_id) is Presence.PRESENT:
            return
        os.makedirs(self._path(guest_id), exist_ok=True)
        self._count("clone")
        files.write(self._path(guest_id, "size"), str(size))
        shutil.copytree(form_path, self._path(guest_id, "root"), symlinks=True)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Copy the other guest's copy."""
        os.makedirs(self._path(guest_id), exist_ok=True)
        self._count("copy")
        files.write(self._path(guest_id, "size"), str(size))
        shutil.copytree(self._path(source_id, "root"), self._path(guest_id, "root"), symlinks=True)

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> RootTree:
        """Say that the copy is mounted; ids are not shifted, whatever is asked for."""
        if self.probe(guest_id) is not Presence.PRESENT:
            raise Failed(f"guest {guest_id} has no root to attach")
        self._count("attach")
        files.write(self._path(guest_id, "attached"), "")
        return RootTree(path=self._path(guest_id, "root"), idmap=idmap)

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Show nothing: there is nothing in a fake's root."""
        self._count("show")

    def detach(self, guest_id: str) -> None:
        """Say that it is not mounted."""
        self._count("detach")
        if self.probe_attached(guest_id) is Presence.PRESENT:
            os.unlink(self._path(guest_id, "attached"))

    def remove(self, guest_id: str) -> None:
        """Delete the copy."""
        self._count("remove")
        files.remove_tree(self._path(guest_id))

    def probe(self, guest_id: str) -> Presence:
        """Look for the copy."""
        if os.path.isdir(self._path(guest_id, "root")):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Look for the file that says so."""
        there = os.path.exists(self._path(guest_id, "attached"))
        return present_if(there)

    def place(self, guest_id: str) -> str:
        """Return the guest's directory."""
        return self._path(guest_id)

    def list_guests(self) -> list[str]:
        """Return the ids of the guests that have a directory here."""
        try:
            return sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Say yes."""
        return yes(self.name, "it needs nothing")

    def resize(self, guest_id: str, size: int) -> None:
        """Write the size down."""
        self._count("resize")
        files.write(self._path(guest_id, "size"), str(size))

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Count the bytes of the copy; the bound is what was written down."""
        used = files.disk_usage(self._path(guest_id, "root"))
        with open(self._path(guest_id, "size")) as size:
            return DiskUsage(
                bytes=used,
                bytes_limit=int(size.read()),
                inodes=sum(1 for _file in Path(self._path(guest_id, "root")).rglob("*")),
                inodes_limit=FAKE_INODES,
            )

    def probe_closing(self, guest_id: str) -> Capability:
        """Say yes."""
        return yes(self.name, "it needs nothing")

    def close(self, guest_id: str, soft: int) -> None:
        """Write down that it may not grow."""
        self._count("close")
        files.write(self._path(guest_id, "closed"), str(soft))

    def reopen(self, guest_id: str, size: int) -> None:
        """Strike that."""
        self._count("reopen")
        Path(self._path(guest_id, "closed")).unlink(missing_ok=True)

    def clone_with_inodes(
        self, form_path: str, guest_id: str, *, root: str, size: int, inodes: int
    ) -> None:
        """Copy the template's tree."""
        self.clone(form_path, guest_id, root=root, size=size)

    def most_inodes(self, guest_id: str) -> int | None:
        """Return a number that tests can ask for more than."""
        return FAKE_INODES

    def hold_inodes(self, guest_id: str, inodes: int) -> None:
        """Write the bound down."""
        files.write(self._path(guest_id, "inodes"), str(inodes))

    def parts(self, guest_id: str) -> tuple[str, ...]:
        """Return the copy, and the disks beside it."""
        disks = os.path.isdir(self._path(guest_id, DIRECTORY))
        return ("root/", *([f"{DIRECTORY}/"] if disks else []))

    def write_out(self, guest_id: str) -> None:
        """Do nothing: a copy is plain files."""

    def adopt(self, form_path: str, guest_id: str) -> None:
        """Count."""
        self._count("adopt")

    def disks(self) -> Disks:
        """Return the keeper of real files."""
        return DiskFiles(self._directory)

    def snapshots(self) -> "FakeSnapshots":
        """Return the keeper of its snapshots, which counts the same calls."""
        return FakeSnapshots(self._directory, self._count)

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _path(self, guest_id: str, part: str = "") -> str:
        return os.path.join(self._directory, guest_id, part).rstrip("/")


class FakeSnapshots(TravellingSnapshots):
    """Snapshots that are plain copies, as the roots are; "mounted" is a link to one.

    Args:
        directory: the pool's.
        count: called with the name of each call that changes something; may raise.
    """

    instant = False
    layer = "root"

    def __init__(self, directory: str, count: Callable[[str], None]) -> None:
        super().__init__(directory)
        self._count = count

    @override
    def measure(self, guest_id: str, name: str) -> int:
        return files.disk_usage(self._snapshot(guest_id, name))

    @override
    def delete(self, guest_id: str, name: str) -> None:
        self._count("delete")
        super().delete(guest_id, name)

    @override
    def attach(self, form_path: str, guest_id: str, name: str) -> str:
        self._count("attach")
        target = self._mount_point(guest_id, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with suppress(FileExistsError):
            os.symlink(self._snapshot(guest_id, name), target)
        return target

    @override
    def detach(self, guest_id: str, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._mount_point(guest_id, name))

    @override
    def find_attached(self, guest_id: str, name: str) -> str | None:
        target = self._mount_point(guest_id, name)
        return target if os.path.islink(target) else None

    @override
    def prepare_restore(self, guest_id: str, name: str, size: int) -> None:
        super().prepare_restore(guest_id, name, size)
        files.write(self._size(guest_id) + ".new", str(size))

    @override
    def cancel_restore(self, guest_id: str) -> None:
        super().cancel_restore(guest_id)
        with suppress(FileNotFoundError):
            os.unlink(self._size(guest_id) + ".new")

    @override
    def finish_restore(self, guest_id: str) -> None:
        self._count("finish_restore")
        super().finish_restore(guest_id)
        with suppress(FileNotFoundError):
            os.rename(self._size(guest_id) + ".new", self._size(guest_id))

    @override
    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        os.mkdir(target)
        self._count("copy")
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)

    @override
    def _erase(self, layer: str) -> None:
        files.remove_tree(layer)

    @override
    def _bound(self, layer: str, size: int) -> None:
        """Do nothing: ``prepare_restore`` does it."""

    @override
    def _show(self, layer: str, form_path: str, target: str) -> None:
        """Do nothing: ``attach`` does it all."""

    def _size(self, guest_id: str) -> str:
        return os.path.join(self._directory, guest_id, "size")
