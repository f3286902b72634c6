"""Roots as directories: an overlay on the template's unpacked tree.

A clone is three empty directories, whatever the template's size. The guest's changes lie below ``upper`` with the ids
that the guest sees; for an unprivileged guest both layers are mounted with shifted ids, so that the same files could
serve any approach. (LXC's own ``overlay:`` cannot shift the ids of its layers, which is why the mount is made here.)
"""

import os
from collections.abc import Mapping
from types import MappingProxyType

from wirt.host import files, mount
from wirt.model.capability import Capability, no, yes
from wirt.model.presence import Presence
from wirt.model.resources import Idmap, RootTree
from wirt.storage.base import Snapshots
from wirt.storage.guestdirectories import GuestDirectories

_BOUNDS = "a tree's size is not bounded; a snapshot is a copy of what the guest has changed"


class DirectoryPool(GuestDirectories):
    """A pool in a directory of any file system that overlayfs can write to."""

    name = "directory"
    forms: Mapping[str, str] = MappingProxyType({"tree": "tree"})
    forms_in: str | None = None
    instant_copy = False

    def probe_capability(self) -> Capability:
        """Ask whether the kernel has overlayfs."""
        with open("/proc/filesystems") as known:
            if any(line.split()[-1] == "overlay" for line in known):
                return yes(self.name, f"the kernel has overlayfs; {_BOUNDS}")
        if os.path.isdir(f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs"):
            return yes(self.name, f"overlayfs is a module of this kernel; {_BOUNDS}")
        return no(self.name, "the kernel has no overlayfs", "load the module: modprobe overlay")

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Make the guest's empty upper layer; ``size`` is not bounded here.

        Nobody but root may come here: on disk a guest's files have the ids that the guest sees, so a program that its
        root made setuid is the node's root's.
        """
        os.makedirs(self._directory, mode=0o711, exist_ok=True)
        os.makedirs(self._path(guest_id), mode=0o700, exist_ok=True)
        for part in ("layer/upper", "layer/work", "root"):
            os.makedirs(self._path(guest_id, part), mode=0o755, exist_ok=True)
        os.chmod(self._path(guest_id, "layer"), 0o700)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Copy the upper layer."""
        DirectoryPool.clone(self, "", guest_id, root="tree", size=size)
        files.copy_all(self._path(source_id, "layer/upper"), self._path(guest_id, "layer/upper"))

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> RootTree:
        """Mount the overlay; the layers' own mounts are gone again when this returns.

        A crash in between leaves mounts below the guest's directory, which ``detach`` takes away.
        """
        target = self._path(guest_id, "root")
        layer = self._path(guest_id, "layer")
        if mount.is_mounted(target):
            return RootTree(path=target, idmap=idmap)
        files.open_to_group(self._path(guest_id), idmap.first if idmap else 0)
        if idmap is None:
            mount.overlay(form_path, f"{layer}/upper", f"{layer}/work", target)
            return RootTree(path=target)
        shifted_template = self._path(guest_id, "shifted-template")
        shifted_layer = self._path(guest_id, "shifted-layer")
        for point in (shifted_template, shifted_layer):
            os.makedirs(point, exist_ok=True)
        mount.bind_idmapped(
            [(form_path, shifted_template), (layer, shifted_layer)],
            first=idmap.first,
            size=idmap.size,
        )
        try:
            mount.overlay(
                shifted_template, f"{shifted_layer}/upper", f"{shifted_layer}/work", target
            )
        finally:
            mount.unmount(shifted_layer)
            mount.unmount(shifted_template)
        return RootTree(path=target, idmap=idmap)

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount both layers at ``target``, for reading alone."""
        mount.overlay_to_read([self._path(guest_id, "layer/upper"), form_path], target)

    def remove(self, guest_id: str) -> None:
        """Delete the guest's directory; it must not be attached, or the template would be emptied through it."""
        mount.unmount_below(self._path(guest_id))
        files.remove_tree(self._path(guest_id))

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's layer is there."""
        if os.path.isdir(self._path(guest_id, "root")):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel whether the overlay is mounted."""
        found = self._attached(guest_id)
        if found == [self._path(guest_id, "root")]:
            return Presence.PRESENT
        return Presence.PARTIAL if found else Presence.ABSENT

    def parts(self, guest_id: str) -> tuple[str, ...]:
        """Return the layer."""
        return ("layer/",)

    def write_out(self, guest_id: str) -> None:
        """Do nothing: files are read through the same memory that they are written to."""

    def adopt(self, form_path: str, guest_id: str) -> None:
        """Do nothing: the layer says nothing of where the template is."""

    def snapshots(self) -> Snapshots:
        """Return the keeper of this pool's snapshots: copies of the layer."""
        from wirt.storage.snapshots import DirectorySnapshots

        return DirectorySnapshots(self._directory)
