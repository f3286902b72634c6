"""Pools of every kind, with something to clone from: what the contracts about pools are asked of."""

from collections.abc import Callable

import msgspec
import pytest

from wirt.model.resources import Idmap, Root, RootTree
from wirt.storage.base import Pool
from wirt.storage.btrfs import BtrfsPool
from wirt.storage.directory import DirectoryPool
from wirt.storage.fake import FakePool
from wirt.storage.image import ImagePool
from wirt.units import GIB

GUEST, OTHER = "0000aa", "0000bb"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A pool and what it clones from."""

    pool: Pool
    form_path: str
    root: str
    directory: str

    def clone(self, guest_id: str = GUEST) -> None:
        self.pool.clone(self.form_path, guest_id, root=self.root, size=GIB)

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
TREES = [name for name, (_, root) in KINDS.items() if root == "tree"]
WITH_SNAPSHOTS = ["fake", "directory", "btrfs", "image-tree"]
SHIFTING = [name for name in TREES if name != "fake"]


def only(kinds: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("made", kinds, indirect=True)
