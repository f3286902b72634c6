"""Roots as thin volumes of LVM: a clone is a snapshot of the template's.

Serves trees, which are mounted here, and guests with a kernel of their own, which get the volume as their disk. A template's image
is written to a volume once; whatever a guest does not change it shares with it.

Every volume is reached by a link in the guest's directory: see ``volumes``.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from types import MappingProxyType

from wirt.errors import Busy, Failed, OutOfSpace
from wirt.host import ext4, files, lock, lvm, mount, run
from wirt.model.capability import Capability, no, yes
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, DiskUsage, Idmap, Root, RootTree
from wirt.storage import volumes
from wirt.storage.base import Snapshots
from wirt.storage.guestdirectories import GuestDirectories
from wirt.storage.loopdisk import usage_of
from wirt.units import render_bytes

VOLUME = "volume"
"""Name, in the guest's directory, of the link to its volume."""

_MOUNTED = "layer/volume"
_RESIZED, _OLD = f"{VOLUME}.resized", f"{VOLUME}.replaced"
_IMAGE, _WRITTEN = "image", "written"
_TEMPLATE_SECONDS = 600.0


class LvmPool(GuestDirectories):
    """A pool of thin volumes.

    Args:
        directory: where the links and mounts of its roots are.
        thin_pool: the thin pool, ``GROUP/NAME``.
        templates: the directory of the links to the volumes that templates were written to.
    """

    name = "lvm"
    forms: Mapping[str, str] = MappingProxyType({"tree": "image", "qcow2": "image", "ubd": "image"})
    forms_in: str | None = None
    instant_copy = True

    def __init__(self, directory: str, *, thin_pool: str, templates: str) -> None:
        super().__init__(directory)
        self._thin_pool = thin_pool
        self._templates = templates

    def probe_capability(self) -> Capability:
        """Ask whether LVM is installed and the kernel has thin volumes."""
        if not lvm.has_thin_volumes():
            return no(
                self.name,
                "the kernel has no device-mapper with thin volumes",
                "use a kernel with dm-thin-pool, as Debian's linux-image-amd64 is",
            )
        if not lvm.has_programs():
            return no(
                self.name, "LVM is not installed", "apt-get install lvm2 thin-provisioning-tools"
            )
        return yes(
            self.name,
            "thin volumes, each as large as its disk; a snapshot takes an instant; such a pool is made: "
            "wirt pool create",
        )

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Snapshot the volume of the template, and give the file system on it its size.

        A guest with a kernel of its own gets a disk at least as large as the template's image.

        Raises:
            OutOfSpace: the template does not fit into a disk of that size.
            Failed: it could not be made.
        """
        self._make_directories(guest_id, is_tree=root == "tree")
        link = self._path(guest_id, VOLUME)
        if os.path.exists(link):
            return
        wanted = size if root == "tree" else max(size, os.stat(form_path).st_size)
        with self._templates_lock(wait=_TEMPLATE_SECONDS):
            volumes.fork(self._template(form_path), f"{link}.new", owner=guest_id)
        try:
            volumes.fit(f"{link}.new", wanted)
        except OutOfSpace as error:
            raise OutOfSpace(
                f"the template does not fit into a disk of {render_bytes(wanted)}",
                detail=error.detail,
                hint="ask for a larger one, with --disk",
            ) from error
        os.rename(f"{link}.new", link)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Snapshot the other guest's volume."""
        self._make_directories(guest_id, is_tree=True)
        if not os.path.exists(link := self._path(guest_id, VOLUME)):
            volumes.fork(self._path(source_id, VOLUME), link, owner=guest_id)

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> Root:
        """Mount a tree's volume, and show it at the guest's root, its ids shifted if need be; a disk is given as it is."""
        if root != "tree":
            return BlockImage(path=self._path(guest_id, VOLUME), format="raw", backing=None)
        volume, target = self._path(guest_id, _MOUNTED), self._path(guest_id, "root")
        if mount.is_mounted(target):
            return RootTree(path=target, idmap=idmap)
        with files.translated(f"mount the volume of guest {guest_id}"):
            self._drop_replaced(guest_id)
            files.open_to_group(self._path(guest_id), idmap.first if idmap else 0)
            if not mount.is_mounted(volume):
                # What the guest deletes the thin pool gets back.
                device = os.path.realpath(self._path(guest_id, VOLUME))
                mount.mount(device, volume, "ext4", data="discard")
            if idmap is None:
                mount.bind(volume, target)
            else:
                mount.bind_idmapped([(volume, target)], first=idmap.first, size=idmap.size)
        return RootTree(path=target, idmap=idmap)

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount the volume at ``target``, for reading alone."""
        volume = self._path(guest_id, _MOUNTED)
        if mount.is_mounted(volume):
            mount.bind(volume, target, read_only=True)
        else:
            volumes.show(self._path(guest_id, VOLUME), target)

    def remove(self, guest_id: str) -> None:
        """Remove every volume that a link of the guest's leads to, and its directory."""
        mount.unmount_below(self._path(guest_id))
        for part in ("snapshots", ""):
            directory = self._path(guest_id, part)
            for name in os.listdir(directory) if os.path.isdir(directory) else []:
                volumes.erase(f"{directory}/{name}")
        files.remove_tree(self._path(guest_id))
        # Whoever is at it does it too.
        with suppress(Busy), self._templates_lock(wait=0):
            self._drop_templates()

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's volume is there."""
        if os.path.exists(self._path(guest_id, VOLUME)):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel whether volume and root are mounted; a disk is used by its engine alone, which has a probe of its own."""
        found = self._attached(guest_id)
        if found == [self._path(guest_id, _MOUNTED), self._path(guest_id, "root")]:
            return Presence.PRESENT
        return Presence.PARTIAL if found else Presence.ABSENT

    def probe_bound(self) -> Capability:
        """Say yes: a tree is a file system of its size."""
        return yes(self.name, "a tree is a file system of that size")

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Ask whether it is a tree; one that is mounted can at most grow."""
        if not os.path.isdir(self._path(guest_id, "root")):
            return no(self.name, "the file system on its disk is the guest's own affair")
        if not mount.is_mounted(self._path(guest_id, _MOUNTED)):
            return yes(
                self.name, "its file system is changed in a snapshot, which then takes its place"
            )
        if size < self._file_system_size(guest_id):
            return no(
                self.name, "a mounted ext4 file system cannot be made smaller", "stop it first"
            )
        if not ext4.may_grow():
            return no(
                self.name,
                "its file system is mounted, and the kernel makes it larger only for who has "
                "CAP_SYS_RESOURCE",
                "stop it first, or run this with that capability",
            )
        return yes(self.name, "its volume and its file system grow where they are")

    def resize(self, guest_id: str, size: int) -> None:
        """Give the guest's disk another size: where it is if it is mounted, else in a snapshot that takes its place.

        Raises:
            OutOfSpace: what it holds does not fit; it is as before.
            Failed: as before, too.
        """
        link, resized = self._path(guest_id, VOLUME), self._path(guest_id, _RESIZED)
        with files.translated(f"resize the disk of guest {guest_id}"):
            self._drop_replaced(guest_id)
            if mount.is_mounted(layer := self._path(guest_id, _MOUNTED)):
                self._grow(guest_id, layer, size)
            elif self._file_system_size(guest_id) != volumes.whole(size):
                try:
                    volumes.fork(link, resized)
                    volumes.fit(resized, size)
                except Failed:
                    volumes.erase(resized)
                    raise
                self._replace(guest_id, link, resized)

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Ask a tree's file system, None if it is not mounted."""
        layer = self._path(guest_id, _MOUNTED)
        return usage_of(layer) if mount.is_mounted(layer) else None

    def snapshots(self) -> Snapshots:
        """Return the keeper of this pool's snapshots: thin snapshots."""
        from wirt.storage.lvmsnapshots import LvmSnapshots

        return LvmSnapshots(self._directory)

    def _template(self, form_path: str) -> str:
        """Return the link to the volume that a template's image was written to, and write it if it was not yet."""
        self._drop_templates()
        place = os.path.join(self._templates, _key(form_path))
        os.makedirs(place, mode=0o700, exist_ok=True)
        image, link, written = (f"{place}/{name}" for name in (_IMAGE, VOLUME, _WRITTEN))
        if not os.path.lexists(image):
            os.symlink(form_path, image)
        if not os.path.exists(written):
            volumes.make(link, self._thin_pool, "template", os.stat(form_path).st_size)
            # A new thin volume reads as zeros, so holes need not be written.
            how = ["status=none", "bs=1M", "conv=sparse,fsync,nocreat"]
            run.check(["dd", *how, f"if={form_path}", f"of={link}"])
            files.write(written, "")
        return link

    def _templates_lock(self, *, wait: float) -> AbstractContextManager[None]:
        """Hold the lock of whoever writes or drops a template's volume."""
        os.makedirs(self._templates, mode=0o700, exist_ok=True)
        return lock.hold(f"{self._templates}.lock", "a template's volume", wait=wait)

    def _drop_templates(self) -> None:
        """Remove the volumes of templates that are gone, or have been made anew; guests of theirs go on without."""
        for key in os.listdir(self._templates):
            place = os.path.join(self._templates, key)
            try:
                is_current = _key(os.readlink(f"{place}/{_IMAGE}")) == key
            except FileNotFoundError:
                is_current = False
            if not is_current:
                with suppress(FileNotFoundError):
                    os.unlink(f"{place}/{_WRITTEN}")
                volumes.erase(f"{place}/{VOLUME}")
                files.remove_tree(place)

    def _grow(self, guest_id: str, layer: str, size: int) -> None:
        wanted, has = volumes.whole(size), self._file_system_size(guest_id)
        if wanted < has:
            raise Failed("a mounted ext4 file system cannot be made smaller", hint="stop it first")
        if wanted > has:
            # If the file system does not follow, its volume is larger than it, which nobody notices.
            lvm.resize(volumes.volume_of(self._path(guest_id, VOLUME)), wanted)
            ext4.grow(layer, wanted)

    def _replace(self, guest_id: str, link: str, fresh: str) -> None:
        """Let a link lead to the volume of another one, and remove the volume that it led to.

        A crash before the rename leaves two links to one volume, which ``_drop_replaced`` sees; one after it the old volume,
        which it removes.
        """
        os.symlink(os.readlink(link), self._path(guest_id, _OLD))
        os.rename(fresh, link)
        files.sync_directory(self._path(guest_id))
        self._drop_replaced(guest_id)

    def _drop_replaced(self, guest_id: str) -> None:
        """Remove what a change of size, perhaps one that died, left."""
        link, old = self._path(guest_id, VOLUME), self._path(guest_id, _OLD)
        if os.path.lexists(old):
            if os.readlink(old) == os.readlink(link):
                os.unlink(old)
            else:
                volumes.erase(old)
        if os.path.lexists(resized := self._path(guest_id, _RESIZED)):
            volumes.erase(resized)

    def _file_system_size(self, guest_id: str) -> int:
        return ext4.read_size(self._path(guest_id, VOLUME))

    def _make_directories(self, guest_id: str, *, is_tree: bool) -> None:
        """Make the guest's directory: what is on its disk is for nobody else on the node."""
        os.makedirs(self._directory, mode=0o711, exist_ok=True)
        os.makedirs(self._path(guest_id), mode=0o700, exist_ok=True)
        if is_tree:
            os.makedirs(self._path(guest_id, "layer"), mode=0o700, exist_ok=True)
            os.makedirs(self._path(guest_id, _MOUNTED), mode=0o755, exist_ok=True)
            os.makedirs(self._path(guest_id, "root"), mode=0o755, exist_ok=True)


def _key(form_path: str) -> str:
    """Return the name by which a template's image is known; one that takes its place at the same path has another.

    Raises:
        FileNotFoundError: it is gone.
    """
    found = os.stat(form_path)
    told = f"{form_path} {found.st_dev} {found.st_ino} {found.st_mtime_ns}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
