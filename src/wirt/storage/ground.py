"""What the pools that a person makes lie on: a directory, or a btrfs file system on a device or in a file made for it.

Each is made of parts, the first at the bottom; each part can be made and taken away again and again.
"""

import os
from contextlib import suppress

from wirt.errors import Conflict, Failed, NotFound
from wirt.host import btrfs, files, loop, mount, run
from wirt.model.pool import StoragePool
from wirt.model.presence import present_if
from wirt.storage.base import Ground, Part
from wirt.storage.groundchecks import check_absent, check_device, check_passable, check_room

_FREE_SECONDS = 5.0


def ground_of(pool: StoragePool) -> Ground:
    """Return what a pool lies on."""
    if pool.source is None:
        return DirectoryGround(pool)
    if pool.kind == "lvm":
        from wirt.storage.lvmground import LvmGround

        return LvmGround(pool, pool.source)
    return BtrfsGround(pool, pool.source)


class DirectoryGround:
    """A directory that a person gives."""

    def __init__(self, pool: StoragePool) -> None:
        self._pool = pool

    def check_new(self, *, force: bool) -> None:
        """Check that it is an empty directory that guests can pass through."""
        path = self._pool.path
        if not os.path.isdir(path):
            raise NotFound(f"there is no directory {path}", hint="make it first")
        if os.listdir(path):
            raise Conflict(
                f"directory {path} is not empty", hint="give one that is, or make one in it"
            )
        check_passable(path)

    def parts(self) -> list[Part]:
        """Return the directory of the roots."""
        roots = self._pool.roots
        return [
            Part(
                name="directory",
                make=lambda: os.makedirs(roots, mode=0o711, exist_ok=True),
                take_away=lambda: files.remove_tree(roots),
                probe=lambda: present_if(os.path.isdir(roots)),
            )
        ]

    def is_open(self) -> bool:
        """Look for it: it may be on a disk that is not mounted."""
        return os.path.isdir(self._pool.roots)

    def open(self) -> None:
        """Say that it is not there if it is not."""
        if not self.is_open():
            raise Failed(
                f"pool {self._pool.name} is not there: there is no directory {self._pool.roots}",
                hint="mount the file system that it is on",
            )

    def free_bytes(self) -> int:
        """Ask the file system that it is on."""
        return files.free_bytes(self._pool.path)


class BtrfsGround:
    """A btrfs file system of the pool's own, its quotas on.

    Args:
        pool: whose.
        source: the device or file that it is on.
    """

    def __init__(self, pool: StoragePool, source: str) -> None:
        self._pool = pool
        self._source = source

    def check_new(self, *, force: bool) -> None:
        """Check that there is room for the file, or that the device holds nothing that is missed."""
        if run.find_program("mkfs.btrfs") is None:
            raise Failed(
                "the program mkfs.btrfs is not installed", hint="apt-get install btrfs-progs"
            )
        if self._pool.size is None:
            check_device(self._source, "a btrfs", force=force)
        else:
            check_room(os.path.dirname(self._source), self._pool.size)
            check_absent(self._source)
        check_absent(self._pool.path)

    def parts(self) -> list[Part]:
        """Return the file, if it is on one, the file system in it, and its mount."""
        file = Part(
            name="file",
            make=self._make_file,
            take_away=self._remove_file,
            probe=lambda: present_if(os.path.exists(self._source)),
        )
        return [
            *([file] if self._pool.size is not None else []),
            Part(
                name="file-system",
                make=self._format,
                take_away=self._wipe,
                probe=lambda: present_if(self._is_ours(self._source)),
            ),
            Part(
                name="mount",
                make=self.open,
                take_away=self._unmount,
                # Half of it is a mount point with nothing there.
                probe=lambda: present_if(os.path.isdir(self._pool.path)),
            ),
        ]

    def is_open(self) -> bool:
        """Ask the kernel for the mount."""
        return mount.is_mounted(self._pool.path)

    def open(self) -> None:
        """Mount it if it is not mounted, as after a reboot."""
        path = self._pool.path
        if self.is_open():
            return
        with files.translated(f"mount pool {self._pool.name}"):
            os.makedirs(path, mode=0o711, exist_ok=True)
            if self._pool.size is None:
                mount.mount(self._get_device(), path, "btrfs")
            else:
                with loop.opened(self._source) as device:
                    mount.mount(device, path, "btrfs")
            if not btrfs.has_quota(path):
                btrfs.enable_quota(path)
            os.chmod(path, 0o711)
            os.makedirs(self._pool.roots, mode=0o711, exist_ok=True)
            os.makedirs(self._pool.forms, mode=0o700, exist_ok=True)

    def free_bytes(self) -> int:
        """Ask the file system."""
        return files.free_bytes(self._pool.path)

    def _make_file(self) -> None:
        assert self._pool.size is not None
        os.makedirs(os.path.dirname(self._source), exist_ok=True)
        file = os.open(self._source, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # All of it now: a btrfs whose file cannot grow when it must loses what was written to it.
            os.posix_fallocate(file, 0, self._pool.size)
        finally:
            os.close(file)

    def _remove_file(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._source)

    def _format(self) -> None:
        if not self._is_ours(self._source):
            assert self._pool.uuid is not None
            label = f"wirt-{self._pool.name}"
            run.check(["mkfs.btrfs", "-q", "-f", "-U", self._pool.uuid, "-L", label, self._source])

    def _wipe(self) -> None:
        """Let the device hold nothing again, if it is there; a file goes as a whole."""
        device = self._find_device() if self._pool.size is None else None
        if device is not None:
            run.check(["wipefs", "--quiet", "--all", device])

    def _unmount(self) -> None:
        mount.unmount_below(self._pool.path)
        loop.wait_free(self._source, _FREE_SECONDS)
        with suppress(FileNotFoundError):
            os.rmdir(self._pool.path)

    def _get_device(self) -> str:
        found = self._find_device()
        if found is None:
            raise Failed(
                f"pool {self._pool.name} cannot be mounted: its file system is neither on "
                f"{self._source} nor on another device",
                hint="connect the disk that it is on",
            )
        return found

    def _find_device(self) -> str | None:
        """Return the device that holds the file system now: names change when disks are added."""
        if self._is_ours(self._source):
            return self._source
        # Its cache may know what was on a device a moment ago; asked with --uuid, it looks there whatever it is told.
        look = ["blkid", "--cache-file", "/dev/null", "--output", "device"]
        found = run.run([*look, "--match-token", f"UUID={self._pool.uuid}"]).stdout.split()
        return next(filter(self._is_ours, found), None)

    def _is_ours(self, device: str) -> bool:
        try:
            return btrfs.read_uuid(device) == self._pool.uuid
        except OSError:
            return False
