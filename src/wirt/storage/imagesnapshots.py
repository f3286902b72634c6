"""Snapshots of what the pool ``image`` keeps: disks of trees, and layers above a template's image."""

import os
from contextlib import AbstractContextManager, nullcontext

from wirt.errors import OutOfSpace, Unsupported
from wirt.host import files, loop, mount
from wirt.storage import backing, loopdisk
from wirt.storage.disks import diskfiles
from wirt.storage.snapshots import TravellingSnapshots, does_not_fit


class ImageSnapshots(TravellingSnapshots):
    """Copies of disks: of the file that holds a tree's file system, or of the layer above a template's image."""

    instant = False

    def take_with_disks(self, guest_id: str, name: str) -> None:
        """Copy a layer, and the further disks beside it."""
        self._take(guest_id, name, os.path.join(self._directory, guest_id, diskfiles.DIRECTORY))

    def finish_restore(self, guest_id: str) -> None:
        """Rename the layers, and put disks that came with the restored one in their places."""
        super().finish_restore(guest_id)
        came = os.path.join(self._live(guest_id), diskfiles.DIRECTORY)
        if os.path.isdir(came):
            diskfiles.put_back(came, os.path.join(self._directory, guest_id, diskfiles.DIRECTORY))

    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes of the copy."""
        path = self._snapshot(guest_id, name)
        return files.disk_usage(path) if os.path.isdir(path) else os.stat(path).st_blocks * 512

    def delete(self, guest_id: str, name: str) -> None:
        """Delete the copy; who died while copying a disk in use has left its file system held still."""
        if mount.is_mounted(self._file_system(guest_id)):
            mount.let_go_on(self._file_system(guest_id))
        super().delete(guest_id, name)

    def attach(self, form_path: str, guest_id: str, name: str) -> str:
        """Mount the copy of a tree's disk.

        Raises:
            Unsupported: it is the copy of an image's layer.
        """
        if not self._is_tree(guest_id):
            raise Unsupported(
                f"snapshot {name} cannot be shown: the file system on its image is the guest's own",
                hint="restore it, and look from inside the guest",
            )
        return super().attach(form_path, guest_id, name)

    def detach(self, guest_id: str, name: str) -> None:
        """Unmount it, and return when it is no device any more."""
        super().detach(guest_id, name)
        loop.wait_free(self._snapshot(guest_id, name), loopdisk.FREE_SECONDS)

    def _live(self, guest_id: str) -> str:
        directory = os.path.join(self._directory, guest_id)
        if self._is_tree(guest_id):
            return os.path.join(directory, loopdisk.DISK)
        # While a restored one takes its place it has its own name not always.
        is_qcow2 = any(name.startswith("qcow2") for name in os.listdir(directory))
        return os.path.join(directory, "qcow2" if is_qcow2 else "ubd")

    def _standing_still(self, guest_id: str) -> AbstractContextManager[None]:
        # A guest that is frozen writes nothing, but the kernel does what it has written before.
        file_system = self._file_system(guest_id)
        return mount.held_still(file_system) if mount.is_mounted(file_system) else nullcontext()

    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        files.copy_all(source, target)

    def _settle(self, layer: str, form_path: str) -> None:
        if os.path.isdir(layer):
            backing.rest_on(layer, form_path)

    def _erase(self, layer: str) -> None:
        if os.path.isfile(layer):
            os.unlink(layer)
        else:
            files.remove_tree(layer)

    def _show(self, layer: str, form_path: str, target: str) -> None:
        loopdisk.show_disk(layer, form_path, target)

    def _bound(self, layer: str, size: int) -> None:
        # An image's layer has the size that it was made with, as long as there is a guest.
        if os.path.isfile(layer):
            try:
                loopdisk.resize_file(layer, size)
            except OutOfSpace as error:
                raise does_not_fit(error, size) from error

    def _is_tree(self, guest_id: str) -> bool:
        return os.path.isdir(self._file_system(guest_id))

    def _file_system(self, guest_id: str) -> str:
        return os.path.join(self._directory, guest_id, loopdisk.MOUNTED)
