"""What pools share that keep what is a guest's own in one directory, called by its id."""

import os

from wirt.host import mount


class GuestDirectories:
    """The directories of a pool's guests, and what is mounted in them.

    Args:
        directory: the pool's, which is made when the first root is.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def place(self, guest_id: str) -> str:
        """Return the guest's directory."""
        return self._path(guest_id)

    def list_guests(self) -> list[str]:
        """Return the ids of the guests that have a directory here."""
        try:
            return sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []

    def detach(self, guest_id: str) -> None:
        """Unmount whatever is mounted below the guest's directory, but not its snapshots."""
        for target in reversed(self._attached(guest_id)):
            mount.unmount(target)

    def _attached(self, guest_id: str) -> list[str]:
        shown = self._path(guest_id, "mounted") + "/"
        found = mount.mounts_below(self._path(guest_id))
        return [target for target in found if not target.startswith(shown)]

    def _path(self, guest_id: str, part: str = "") -> str:
        return os.path.join(self._directory, guest_id, part).rstrip("/")
