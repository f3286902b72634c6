"""Snapshots of the pool ``lvm``: thin snapshots, made in an instant, and as large as what has been changed since."""

import os

from wirt.errors import OutOfSpace, Unsupported
from wirt.host import lvm
from wirt.model.presence import Presence
from wirt.storage import volumes
from wirt.storage.snapshots import NEW, LayerSnapshots, does_not_fit


class LvmSnapshots(LayerSnapshots):
    """Links to volumes, beside the link to the guest's own."""

    instant = True
    layer = "volume"

    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes that the snapshot shares with no other volume."""
        return lvm.exclusive_bytes(volumes.volume_of(self._snapshot(guest_id, name)))

    def probe(self, guest_id: str, name: str) -> Presence:
        """Look for the link; one in the making may lead nowhere yet."""
        found = super().probe(guest_id, name)
        if found is Presence.ABSENT and os.path.islink(self._snapshot(guest_id, name) + NEW):
            return Presence.PARTIAL
        return found

    def attach(self, form_path: str, guest_id: str, name: str) -> str:
        """Mount a tree's volume.

        Raises:
            Unsupported: it is the disk of a guest with a kernel of its own.
        """
        if not self._is_tree(guest_id):
            raise Unsupported(
                f"snapshot {name} cannot be shown: the file system on its disk is the guest's own",
                hint="restore it, and look from inside the guest",
            )
        return super().attach(form_path, guest_id, name)

    def _copy(self, source: str, target: str, *, read_only: bool) -> None:
        volumes.fork(source, target)

    def _erase(self, layer: str) -> None:
        volumes.erase(layer)

    def _bound(self, layer: str, size: int) -> None:
        if not self._is_tree(os.path.basename(os.path.dirname(layer))):
            return
        try:
            volumes.fit(layer, size)
        except OutOfSpace as error:
            raise does_not_fit(error, size) from error

    def _show(self, layer: str, form_path: str, target: str) -> None:
        volumes.show(layer, target)

    def _is_tree(self, guest_id: str) -> bool:
        return os.path.isdir(os.path.join(self._directory, guest_id, "root"))
