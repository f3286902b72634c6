"""Pools of every kind, with something to clone from: what the contracts about pools are asked of."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from wirt.model.resources import Idmap, Root, RootTree
from wirt.storage.base import Pool
from wirt.storage.btrfs import BtrfsPool
from wirt.storage.directory import DirectoryPool
from wirt.storage.fake import FakePool
from wirt.storage.image import ImagePool
from wirt.storage.lvm import LvmPool
from wirt.units import GIB

GUEST, OTHER = "0000aa", "0000bb"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A pool and what it clones from."""

    pool: Pool
    form_path: str
    root: str
    directory: str
    tree: str
    """The template's files."""
    size: int = GIB
    """Bytes of a guest's disk."""

    def clone(self, guest_id: str = GUEST) -> None:
        self.pool.clone(self.form_path, guest_id, root=self.root, size=self.size)

    def attach(self, guest_id: str = GUEST, *, idmap: Idmap | None = None) -> Root:
        return self.pool.attach(self.form_path, guest_id, root=self.root, idmap=idmap)

    def attach_tree(self, guest_id: str = GUEST, *, idmap: Idmap | None = None) -> RootTree:
        found = self.attach(guest_id, idmap=idmap)
        assert isinstance(found, RootTree)
        return found


KINDS: dict[str, tuple[Callable[[str], Pool], str]] = {
    "fake": (FakePool, "tree"),
    "directory": (DirectoryPool, "tree"),
    "btrfs": (BtrfsPool, "tree"),
    "image-qcow2": (ImagePool, "qcow2"),
    "image-ubd": (ImagePool, "ubd"),
    "image-tree": (ImagePool, "tree"),
}
HAS_LVM = LvmPool("", thin_pool="", templates="").probe_capability().available
"""Only some nodes have device-mapper; the lab host has."""
if HAS_LVM:
    # Neither takes a directory alone: the fixture makes them.
    KINDS |= {"lvm-tree": (FakePool, "tree"), "lvm-disk": (FakePool, "qcow2")}
LVM = [name for name in KINDS if name.startswith("lvm")]
LVM_TREE = ["lvm-tree"] if HAS_LVM else []
TREES = [name for name, (_, root) in KINDS.items() if root == "tree"]
WITH_SNAPSHOTS = ["fake", "directory", "btrfs", "image-tree", *LVM_TREE]
SHIFTING = [name for name in TREES if name != "fake"]


def only(kinds: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("made", kinds, indirect=True)


def loops_of(disk: str) -> list[str]:
    said = subprocess.run(
        ["losetup", "-n", "-O", "NAME", "-j", disk], capture_output=True, text=True
    )
    return said.stdout.split()


def write_file(made: Made, size: int) -> None:
    """Write a file into the root; the disk has taken it, or refused, when this returns."""
    path = Path(made.attach_tree().path, "etc/filler")
    try:
        path.write_bytes(b"x" * size)
    finally:
        subprocess.run(["sync", "-f", made.directory], check=True)
    made.pool.detach(GUEST)
