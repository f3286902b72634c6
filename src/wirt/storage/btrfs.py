"""Roots as btrfs subvolumes: a clone is a snapshot of the template's.

Works where the home lies on btrfs; preferred there, because a snapshot is one file system operation and reading through
it costs nothing. For an unprivileged guest the subvolume is shown a second time with shifted ids.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType

from wirt.host import btrfs, files, mount, run
from wirt.model.capability import Capability, no, yes
from wirt.model.presence import Presence, present_if
from wirt.model.resources import DiskUsage, Idmap, RootTree
from wirt.storage.base import Snapshots
from wirt.storage.guestdirectories import GuestDirectories

_VOLUME = "layer/volume"


class BtrfsPool(GuestDirectories):
    """A pool in a directory of a btrfs file system."""

    name = "btrfs"
    forms: Mapping[str, str] = MappingProxyType({"tree": "btrfs"})
    forms_in: str | None = None
    instant_copy = True

    def __init__(self, directory: str, *, forms_in: str | None = None) -> None:
        """Keep the roots below ``directory``, which is made when the first root is.

        Args:
            directory: where.
            forms_in: where on the same file system the forms of templates are; None: the templates themselves are on it.
        """
        super().__init__(directory)
        self.forms_in = forms_in

    def probe_capability(self) -> Capability:
        """Ask whether the home lies on btrfs and its program is there."""
        kind = mount.file_system_type(self._directory)
        if kind != "btrfs":
            return no(self.name, f"the home lies on {kind}", "put WIRT_HOME on a btrfs file system")
        if run.find_program("btrfs") is None:
            return no(
                self.name, "the program btrfs is not installed", "apt-get install btrfs-progs"
            )
        if btrfs.has_quota(self._directory):
            bounds = "quotas are on, so a tree is no larger than its disk"
        else:
            bounds = "quotas are off, so a tree's size is not bounded (btrfs quota enable)"
        return yes(self.name, f"the home lies on btrfs; a snapshot takes an instant; {bounds}")

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Snapshot the template's subvolume, and bound it to ``size`` if quotas are on.

        Nobody but root may come to it: on disk a guest's files have the ids that the guest sees, so a program that its
        root made setuid is the node's root's.
        """
        os.makedirs(self._directory, mode=0o711, exist_ok=True)
        for part in ("", "layer"):
            os.makedirs(self._path(guest_id, part), mode=0o700, exist_ok=True)
        os.makedirs(self._path(guest_id, "root"), mode=0o755, exist_ok=True)
        volume = self._path(guest_id, _VOLUME)
        if not os.path.isdir(volume):
            btrfs.snapshot(form_path, volume)
        if btrfs.has_quota(volume):
            btrfs.limit(volume, size)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Snapshot the other guest's subvolume."""
        self.clone(self._path(source_id, _VOLUME), guest_id, root="tree", size=size)

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> RootTree:
        """Show the subvolume at the guest's root, its ids shifted if need be."""
        volume, target = self._path(guest_id, _VOLUME), self._path(guest_id, "root")
        if mount.is_mounted(target):
            return RootTree(path=target, idmap=idmap)
        files.open_to_group(self._path(guest_id), idmap.first if idmap else 0)
        if idmap is None:
            mount.bind(volume, target)
        else:
            mount.bind_idmapped([(volume, target)], first=idmap.first, size=idmap.size)
        return RootTree(path=target, idmap=idmap)

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount the subvolume at ``target``, for reading alone."""
        mount.bind(self._path(guest_id, _VOLUME), target, read_only=True)

    def remove(self, guest_id: str) -> None:
        """Delete the subvolume, with those that the guest may have made inside it, its snapshots and its directory."""
        mount.unmount_below(self._path(guest_id))
        for part in ("layer", "snapshots"):
            directory = self._path(guest_id, part)
            for name in os.listdir(directory) if os.path.isdir(directory) else []:
                btrfs.delete(f"{directory}/{name}")
        files.remove_tree(self._path(guest_id))

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's subvolume is there."""
        if os.path.isdir(self._path(guest_id, _VOLUME)):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel whether the root is mounted."""
        return present_if(self._attached(guest_id))

    def parts(self, guest_id: str) -> tuple[str, ...]:
        """Return the subvolume: what it has of its template is there already, and does not go over again."""
        return (f"{_VOLUME}/",)

    def write_out(self, guest_id: str) -> None:
        """Do nothing: files are read through the same memory that they are written to."""

    def adopt(self, form_path: str, guest_id: str) -> None:
        """Do nothing: a subvolume says nothing of where the template is."""

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Ask whether quotas are on; then at any time, and at once."""
        return self.probe_bound()

    def probe_bound(self) -> Capability:
        """Ask whether quotas are on."""
        if btrfs.has_quota(self._directory):
            return yes(self.name, "its quota group has a bound, which can be another at once")
        return no(
            self.name, "quotas are off", f"turn them on: btrfs quota enable {self._directory}"
        )

    def counts_templates(self) -> bool:
        """Say yes where quotas are on: a quota group counts what a snapshot shares with others."""
        return self.probe_bound().available

    def resize(self, guest_id: str, size: int) -> None:
        """Give the subvolume's quota group another bound; what it holds beyond it stays."""
        btrfs.limit(self._path(guest_id, _VOLUME), size)

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Return what the subvolume's quota group says, None if quotas are off."""
        volume = self._path(guest_id, _VOLUME)
        if not btrfs.has_quota(volume):
            return None
        quota = btrfs.read_quota(volume)
        return DiskUsage(bytes=quota.used, bytes_limit=quota.limit)

    def probe_closing(self, guest_id: str) -> Capability:
        """Ask whether quotas are on."""
        return self.probe_resize(guest_id, 0)

    def close(self, guest_id: str, soft: int) -> None:
        """Bound the quota group by the soft limit: what is there beyond it stays."""
        btrfs.limit(self._path(guest_id, _VOLUME), soft)

    def reopen(self, guest_id: str, size: int) -> None:
        """Give the quota group the disk's own bound."""
        btrfs.limit(self._path(guest_id, _VOLUME), size)

    def snapshots(self) -> Snapshots:
        """Return the keeper of this pool's snapshots: read-only subvolumes."""
        from wirt.storage.snapshots import BtrfsSnapshots

        return BtrfsSnapshots(self._directory)
