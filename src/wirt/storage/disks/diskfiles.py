"""Further disks of guests in a pool of files: a sparse raw image each, in a directory of its guest's.

What a guest has on them is for nobody else on the node. They go with the guest's directory when its root is removed. A snapshot of
its root has copies of them if a person wants it.
"""

import os
from contextlib import suppress

from wirt.host import files
from wirt.model.disk import RAW
from wirt.model.presence import Presence, present_if

DIRECTORY = "disks"
"""In the guest's own."""


def put_back(came: str, directory: str) -> None:
    """Put copies of disks in the places of those of their names; it can be done again after a crash.

    A disk that was grown meanwhile stays as large; what the guest has no more goes.
    """
    for name in os.listdir(came):
        fresh, path = os.path.join(came, name), os.path.join(directory, name)
        if not os.path.exists(path):
            os.unlink(fresh)
            continue
        size = os.stat(path).st_size
        if os.stat(fresh).st_size < size:
            os.truncate(fresh, size)
        os.rename(fresh, path)
    if os.path.isdir(directory):
        files.sync_directory(directory)
    os.rmdir(came)


class DiskFiles:
    """The port ``Disks``, over files.

    Args:
        directory: the pool's.
    """

    format = RAW

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def make(self, guest_id: str, name: str, size: int) -> None:
        """Make an empty file of that size, all of it a hole; a crash leaves none, or an empty one that is found."""
        path = self.path(guest_id, name)
        with files.translated(f"make disk {name}"):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            try:
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            files.sync_directory(os.path.dirname(path))

    def grow(self, guest_id: str, name: str, size: int) -> None:
        """Make the file longer, by a hole."""
        with files.translated(f"grow disk {name}"):
            if os.stat(self.path(guest_id, name)).st_size < size:
                os.truncate(self.path(guest_id, name), size)

    def remove(self, guest_id: str, name: str) -> None:
        """Delete the file, and the directory with the last of them."""
        path = self.path(guest_id, name)
        with suppress(FileNotFoundError):
            os.unlink(path)
        with suppress(OSError):
            os.rmdir(os.path.dirname(path))

    def probe(self, guest_id: str, name: str) -> Presence:
        """Look for the file."""
        return present_if(os.path.exists(self.path(guest_id, name)))

    def path(self, guest_id: str, name: str) -> str:
        """Return where the file is."""
        return os.path.join(self._directory, guest_id, DIRECTORY, name)
