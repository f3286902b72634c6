"""Roots as disk images: for guests with a kernel of their own, a copy-on-write layer on the template's raw image.

QEMU gets a qcow2 file, User-Mode Linux a UBD copy-on-write file; the raw image below is shared by all guests and never
written to. A clone costs the same whatever the template's size. A UBD layer is made by User-Mode Linux itself at the
guest's first start, so its clone is an empty directory; it is as large as the image below and cannot be larger. Trees have disks
of their own too: see ``loopdisk``.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType

from wirt.errors import InvalidInput
from wirt.host import files, run
from wirt.model.capability import Capability, no, yes
from wirt.model.disk import DiskImage
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, DiskUsage, Idmap, Root
from wirt.storage import backing
from wirt.storage.base import Disks, Snapshots
from wirt.storage.disks import diskfiles
from wirt.storage.guestdirectories import GuestDirectories
from wirt.storage.loopdisk import LoopDisks
from wirt.units import render_bytes


class ImagePool(GuestDirectories):
    """A pool of disk images in a directory of any file system."""

    name = "image"
    forms: Mapping[str, str] = MappingProxyType({"qcow2": "image", "ubd": "image", "tree": "tree"})
    forms_in: str | None = None

    instant_copy = False

    def __init__(self, directory: str) -> None:
        """Keep the images below ``directory``, which is made when the first one is."""
        super().__init__(directory)
        self._trees = LoopDisks(directory)

    def probe_capability(self) -> Capability:
        """Ask whether the program that makes qcow2 files is there; UBD files need none."""
        if run.find_program("qemu-img") is None:
            return no(
                self.name, "the program qemu-img is not installed", "apt-get install qemu-utils"
            )
        return yes(
            self.name,
            "copy-on-write images, at least as large as the template's; a tree is an ext4 file system of its "
            "own, which bounds bytes and inodes",
        )

    def most_bytes(self, root: str, image: int) -> int | None:
        """Return the size of the image for a UBD layer, which has no size of its own."""
        return image if root == "ubd" else None

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Make the guest's empty layer, at least as large as the template's image.

        Raises:
            InvalidInput: a UBD layer larger than the template's image was asked for.
            OutOfSpace, Failed: the layer could not be written.
        """
        if root == "tree":
            self._trees.clone(form_path, guest_id, root=root, size=size)
            return
        least = os.stat(form_path).st_size
        layer = self._layer(guest_id, root)
        if root == "ubd":
            if size > least:
                raise InvalidInput(
                    f"a disk of {render_bytes(size)} cannot be given to a User-Mode Linux guest",
                    hint=f"its template's image has {render_bytes(least)}; ask for no more",
                )
            self._make_directory(guest_id, layer)
            return
        if os.path.exists(layer):
            return
        self._make_directory(guest_id, layer)
        with files.translated(f"make the disk of guest {guest_id}"):
            fresh = f"{layer}.new"
            base = ["-F", "raw", "-b", form_path]
            length = str(max(size, least))
            run.check(["qemu-img", "create", "-q", "-f", "qcow2", *base, fresh, length])
            os.rename(fresh, layer)

    def take_image(self, image: DiskImage | None, guest_id: str, *, root: str, size: int) -> None:
        """Make the guest's layer a whole disk: above nothing."""
        from wirt.storage.disks.diskimages import take_in

        layer = self._layer(guest_id, root)
        if not os.path.exists(layer):
            self._make_directory(guest_id, layer)
            take_in(image, layer, root, size)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Copy a tree's disk, or a layer; one of User-Mode Linux is there once its guest has been started."""
        if self._is_tree(source_id):
            self._trees.copy(source_id, guest_id, size=size)
            return
        kind = self._kind(source_id)
        source, layer = self._layer(source_id, kind), self._layer(guest_id, kind)
        self._make_directory(guest_id, layer)
        if os.path.exists(source):
            files.copy_all(source, f"{layer}.new")
            os.rename(f"{layer}.new", layer)

    def probe_image_copies(self, root: str) -> Capability:
        """Ask for the programs."""
        from wirt.storage import imagefiles

        return imagefiles.probe(root)

    def forget_identity(self, form_path: str, guest_id: str) -> list[str]:
        """Work on the file system in the layer."""
        from wirt.storage import imagefiles

        kind = self._kind(guest_id)
        layer = self._layer(guest_id, kind)
        # Who has never been started has nothing of its own.
        if not os.path.exists(layer):
            return []
        return imagefiles.forget_identity(layer, kind, form_path)

    def parts(self, guest_id: str) -> tuple[str, ...]:
        """Return a tree's disk, or the layer."""
        if self._is_tree(guest_id):
            return self._trees.parts(guest_id)
        kind = self._kind(guest_id)
        disks = os.path.join(self._path(guest_id), diskfiles.DIRECTORY)
        return (f"{kind}/", *([f"{diskfiles.DIRECTORY}/"] if os.path.isdir(disks) else []))

    def write_out(self, guest_id: str) -> None:
        """Write what a tree's disk has not written yet."""
        if self._is_tree(guest_id):
            self._trees.write_out(guest_id)

    def adopt(self, form_path: str, guest_id: str) -> None:
        """Have a layer say where the template's image is here."""
        for kind in ("ubd", "qcow2"):
            backing.rest_on(self._layers(guest_id, kind), form_path)

    def _make_directory(self, guest_id: str, layer: str) -> None:
        """Make the directory of a layer: what is on a guest's disk is for nobody else on the node."""
        with files.translated(f"make the disk of guest {guest_id}"):
            os.makedirs(self._directory, mode=0o711, exist_ok=True)
            os.makedirs(self._path(guest_id), mode=0o700, exist_ok=True)
            os.makedirs(os.path.dirname(layer), exist_ok=True)

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> Root:
        """Mount a tree; return an image as it is, because nothing of it has to be mounted on the node."""
        if root == "tree":
            return self._trees.attach(form_path, guest_id, root=root, idmap=idmap)
        return BlockImage(path=self._layer(guest_id, root), format=root, backing=form_path or None)

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount a tree at ``target``, for reading alone; there are trees alone to be shown."""
        self._trees.show(form_path, guest_id, target)

    def detach(self, guest_id: str) -> None:
        """Unmount a tree; of an image, nothing was mounted."""
        if self._is_tree(guest_id):
            self._trees.detach(guest_id)

    def remove(self, guest_id: str) -> None:
        """Delete the guest's layer or disk."""
        if self._is_tree(guest_id):
            self._trees.remove(guest_id)
        files.remove_tree(self._path(guest_id))

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's layer or disk is there."""
        if self._is_tree(guest_id):
            return self._trees.probe(guest_id)
        qcow2 = os.path.exists(self._layer(guest_id, "qcow2"))
        if qcow2 or os.path.isdir(os.path.dirname(self._layer(guest_id, "ubd"))):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel for a tree; an image is used by its engine alone, which has a probe of its own."""
        return self._trees.probe_attached(guest_id) if self._is_tree(guest_id) else Presence.ABSENT

    def probe_bound(self) -> Capability:
        """Say yes: a tree is a file system of its size."""
        return yes(self.name, "a tree is a file system of that size")

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Ask whether it is a tree; one that is mounted can at most grow."""
        if not self._is_tree(guest_id):
            return no(self.name, "the file system on its image is the guest's own affair")
        return self._trees.probe_resize(guest_id, size)

    def resize(self, guest_id: str, size: int) -> None:
        """Give a tree's file system another size."""
        self._trees.resize(guest_id, size)

    def probe_closing(self, guest_id: str) -> Capability:
        """Ask whether it is a tree."""
        if not self._is_tree(guest_id):
            return no(self.name, "the file system on its image is the guest's own affair")
        return yes(self.name, "what is free is taken by a file that the guest cannot reach")

    def close(self, guest_id: str, soft: int) -> None:
        """Take what is free of a tree's disk."""
        self._trees.close(guest_id)

    def reopen(self, guest_id: str, size: int) -> None:
        """Give it back."""
        self._trees.reopen(guest_id)

    def clone_with_inodes(
        self, form_path: str, guest_id: str, *, root: str, size: int, inodes: int
    ) -> None:
        """Make a tree's disk with them; on an image they are its guest's affair."""
        if root == "tree":
            self._trees.clone_with_inodes(form_path, guest_id, root=root, size=size, inodes=inodes)
        else:
            self.clone(form_path, guest_id, root=root, size=size)

    def most_inodes(self, guest_id: str) -> int | None:
        """Ask a tree's file system."""
        return self._trees.most_inodes(guest_id) if self._is_tree(guest_id) else None

    def hold_inodes(self, guest_id: str, inodes: int) -> None:
        """Bound a tree's."""
        if self._is_tree(guest_id):
            self._trees.hold_inodes(guest_id, inodes)

    def probe_users(self, root: str) -> Capability:
        """Ask the node's kernel for trees; what is on an image is its guest's affair."""
        if root != "tree":
            return no(self.name, "the file system on its image is the guest's own affair")
        return self._trees.probe_users()

    def count_users(self, guest_id: str, *, on: bool) -> None:
        """Change the file system of a tree's disk."""
        if self._is_tree(guest_id):
            self._trees.count_users(guest_id, on=on)

    def counted_at(self, guest_id: str) -> str | None:
        """Ask for a tree's."""
        return self._trees.counted_at(guest_id) if self._is_tree(guest_id) else None

    def snapshots(self) -> Snapshots:
        """Return the keeper of this pool's snapshots: copies of disks and layers."""
        from wirt.storage.imagesnapshots import ImageSnapshots

        return ImageSnapshots(self._directory)

    def disks(self) -> Disks:
        """Return the keeper of further disks: files beside the layer."""
        return diskfiles.DiskFiles(self._directory)

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Ask a tree's file system; what an image holds only its guest knows."""
        return self._trees.measure(guest_id) if self._is_tree(guest_id) else None

    def _is_tree(self, guest_id: str) -> bool:
        # Only trees have a place to be mounted at, and it is what is made first.
        return os.path.isdir(os.path.join(self._path(guest_id), "layer"))

    def _kind(self, guest_id: str) -> str:
        """Return the form of the guest's layer."""
        return next(
            kind for kind in ("qcow2", "ubd") if os.path.isdir(self._layers(guest_id, kind))
        )

    def _layer(self, guest_id: str, root: str) -> str:
        return os.path.join(self._layers(guest_id, root), "disk")

    def _layers(self, guest_id: str, root: str) -> str:
        return os.path.join(self._path(guest_id), root)
