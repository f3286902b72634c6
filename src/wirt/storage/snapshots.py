"""Snapshots of roots. Loaded only by the commands that are about them.

A pool keeps what is a guest's own in one directory or file, its layer. A snapshot is a copy of it in ``snapshots/NAME`` beside
it, a plain one or a subvolume; it gets its name when it is whole and on disk. A name with a dot is one in the making, because
no snapshot can be called so.
"""

import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext, suppress

from wirt.errors import Failed, OutOfSpace
from wirt.host import btrfs, files, mount, run
from wirt.model.presence import Presence
from wirt.units import render_bytes

NEW, _OLD = ".new", ".old"
"""Ends of the names of a copy in the making, and of a layer that another takes the place of."""


class LayerSnapshots(ABC):
    """The port ``Snapshots``, over the few things that differ between kinds of layers.

    Args:
        directory: the pool's.
    """

    instant: bool
    layer: str = ""
    """Path of the layer in a guest's directory, unless ``_live`` knows better."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @abstractmethod
    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes of the disk that would be free without the snapshot."""

    @abstractmethod
    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        """Make a copy of a layer at a path where nothing is; what fails or dies leaves a part of it."""

    def _standing_still(self, guest_id: str) -> AbstractContextManager[None]:
        """Keep the kernel from writing to a guest's layer, for as long as the block runs."""
        return nullcontext()

    @abstractmethod
    def _erase(self, layer: str) -> None:
        """Delete a layer, or a part of one; no error if there is none."""

    @abstractmethod
    def _bound(self, layer: str, size: int) -> None:
        """Bound a layer that is not in use to ``size`` bytes, where the pool bounds them."""

    @abstractmethod
    def _show(self, layer: str, form_path: str, target: str) -> None:
        """Mount a layer as a root that can only be read."""

    def take(self, guest_id: str, name: str) -> None:
        """Copy the layer, then give the copy its name."""
        self._take(guest_id, name)

    def _take(self, guest_id: str, name: str, *others: str) -> None:
        """Copy the layer, and other directories into the copy."""
        path = self._snapshot(guest_id, name)
        if os.path.exists(path):
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._erase(path + NEW)
        with self._standing_still(guest_id):
            self._copy(self._live(guest_id), path + NEW, read_only=True)
            for other in others:
                files.copy_all(other, os.path.join(path + NEW, os.path.basename(other)))
        self._name(path)

    def delete(self, guest_id: str, name: str) -> None:
        """Delete the copy, whole or not."""
        self.detach(guest_id, name)
        path = self._snapshot(guest_id, name)
        self._erase(path + NEW)
        self._erase(path)
        _remove_if_empty(os.path.dirname(path))

    def probe(self, guest_id: str, name: str) -> Presence:
        """Look for the copy."""
        path = self._snapshot(guest_id, name)
        if os.path.exists(path):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.exists(path + NEW) else Presence.ABSENT

    def attach(self, form_path: str, guest_id: str, name: str) -> str:
        """Mount the copy in the guest's directory."""
        target = self._mount_point(guest_id, name)
        if not mount.is_mounted(target):
            os.makedirs(target, mode=0o700, exist_ok=True)
            self._show(self._snapshot(guest_id, name), form_path, target)
        return target

    def detach(self, guest_id: str, name: str) -> None:
        """Unmount it, and take its mount point away."""
        target = self._mount_point(guest_id, name)
        mount.unmount_below(target)
        for directory in (target, os.path.dirname(target)):
            _remove_if_empty(directory)

    def find_attached(self, guest_id: str, name: str) -> str | None:
        """Ask the kernel for the mount."""
        target = self._mount_point(guest_id, name)
        return target if mount.is_mounted(target) else None

    def prepare_restore(self, guest_id: str, name: str, size: int) -> None:
        """Copy the snapshot beside the guest's layer, and bound the copy."""
        snapshot, fresh = self._snapshot(guest_id, name), self._live(guest_id) + NEW
        if not os.path.exists(snapshot):
            raise Failed(f"{snapshot} is gone", hint="somebody has deleted it by hand")
        self._erase(fresh)
        self._copy(snapshot, fresh, read_only=False)
        self._bound(fresh, size)
        run.check(["sync", "-f", fresh])

    def cancel_restore(self, guest_id: str) -> None:
        """Delete that copy."""
        self._erase(self._live(guest_id) + NEW)

    def finish_restore(self, guest_id: str) -> None:
        """Rename the layer out of the way and the copy to its name; what a crash left undone of it is done."""
        live = self._live(guest_id)
        if os.path.exists(live + NEW):
            if os.path.exists(live):
                os.rename(live, live + _OLD)
            os.rename(live + NEW, live)
            files.sync_directory(os.path.dirname(live))
        self._erase(live + _OLD)

    def _name(self, path: str) -> None:
        """Give a copy that is whole its name."""
        # Once it has that the state says that it is there, which must not be truer than the disk.
        run.check(["sync", "-f", path + NEW])
        os.rename(path + NEW, path)
        files.sync_directory(os.path.dirname(path))

    def _live(self, guest_id: str) -> str:
        return os.path.join(self._directory, guest_id, self.layer)

    def _snapshot(self, guest_id: str, name: str) -> str:
        return os.path.join(self._directory, guest_id, "snapshots", name)

    def _mount_point(self, guest_id: str, name: str) -> str:
        return os.path.join(self._directory, guest_id, "mounted", name)


def does_not_fit(error: OutOfSpace, size: int) -> OutOfSpace:
    """Return the refusal of a snapshot that holds more than a disk of ``size`` bytes."""
    return OutOfSpace(
        f"what the snapshot holds does not fit into a disk of {render_bytes(size)}",
        detail=error.detail,
        hint="give the guest a larger one first, with wirt set --disk",
    )


def _remove_if_empty(directory: str) -> None:
    with suppress(OSError):
        os.rmdir(directory)


class TravellingSnapshots(LayerSnapshots):
    """Those of pools that lie in directories of the node: they go to another node as the files that they are."""

    def part(self, guest_id: str, name: str) -> str:
        """Return the copy."""
        return self._below(guest_id, self._snapshot(guest_id, name))

    def await_copy(self, guest_id: str, name: str) -> str:
        """Copy the layer, and let it be written to."""
        fresh = self._snapshot(guest_id, name) + NEW
        os.makedirs(os.path.dirname(fresh), mode=0o700, exist_ok=True)
        self._erase(fresh)
        self._copy(self._live(guest_id), fresh, read_only=False)
        return self._below(guest_id, fresh)

    def take_copy(self, form_path: str, guest_id: str, name: str) -> None:
        """Give the copy its name."""
        path = self._snapshot(guest_id, name)
        self._settle(path + NEW, form_path)
        self._name(path)

    def _settle(self, layer: str, form_path: str) -> None:
        """Make a copy that has come what one is that was made here."""

    def _below(self, guest_id: str, path: str) -> str:
        part = os.path.relpath(path, os.path.join(self._directory, guest_id))
        return f"{part}/" if os.path.isdir(path) else part


class DirectorySnapshots(TravellingSnapshots):
    """Copies of an overlay's upper layer: as large as what the guest has changed, or nothing where files can share blocks."""

    instant = False
    layer = "layer/upper"

    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes of the copy."""
        return files.disk_usage(self._snapshot(guest_id, name))

    def finish_restore(self, guest_id: str) -> None:
        """Rename, and empty what overlayfs kept beside the layer that is gone."""
        super().finish_restore(guest_id)
        work = os.path.join(os.path.dirname(self._live(guest_id)), "work")
        files.remove_tree(work)
        os.makedirs(work, mode=0o755)

    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        files.copy_all(source, target)

    def _erase(self, layer: str) -> None:
        files.remove_tree(layer)

    def _bound(self, layer: str, size: int) -> None:
        """Do nothing: nothing here is bounded."""

    def _show(self, layer: str, form_path: str, target: str) -> None:
        mount.overlay_to_read([layer, form_path], target)


class BtrfsSnapshots(TravellingSnapshots):
    """Read-only subvolumes: made in an instant, and as large as what has been changed since."""

    instant = True
    layer = "layer/volume"

    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes that the subvolume shares with no other."""
        return btrfs.exclusive_bytes(self._snapshot(guest_id, name))

    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        btrfs.snapshot(source, target, read_only=read_only)

    def _settle(self, layer: str, form_path: str) -> None:
        btrfs.make_read_only(layer)

    def _bound(self, layer: str, size: int) -> None:
        if btrfs.has_quota(layer):
            btrfs.limit(layer, size)

    def _erase(self, layer: str) -> None:
        btrfs.delete(layer)

    def _show(self, layer: str, form_path: str, target: str) -> None:
        mount.bind(layer, target, read_only=True)
