"""What a pool of kind ``lvm`` lies on: a thin pool in a volume group, which is a person's or made on a device for it."""

import os

from wirt.errors import Conflict, Failed, NotFound, OutOfSpace
from wirt.host import files, lvm, mount
from wirt.model.pool import StoragePool
from wirt.model.presence import present_if
from wirt.storage.base import Part
from wirt.storage.groundchecks import check_absent, check_device
from wirt.units import render_bytes


class LvmGround:
    """A thin pool.

    Args:
        pool: whose.
        thin_pool: its name, ``GROUP/NAME``.
    """

    def __init__(self, pool: StoragePool, thin_pool: str) -> None:
        self._pool = pool
        self._thin_pool = thin_pool
        self._group = thin_pool.partition("/")[0]

    def check_new(self, *, force: bool) -> None:
        """Check that the device holds nothing that is missed, or that the group has room."""
        if not lvm.has_programs():
            raise Failed(
                "LVM is not installed", hint="apt-get install lvm2 thin-provisioning-tools"
            )
        if self._pool.device is not None:
            check_device(self._pool.device, "an lvm", force=force)
            if lvm.has_group(self._group):
                raise Conflict(
                    f"there is a volume group {self._group} already", hint="choose another name"
                )
        else:
            self._check_group()
        check_absent(self._pool.path)

    def parts(self) -> list[Part]:
        """Return the volume group, if it is made for it, the thin pool in it, and the directory of the roots."""
        device = self._pool.device
        group = Part(
            name="group",
            make=lambda: self._make_group(str(device)),
            take_away=self._remove_group,
            probe=lambda: present_if(lvm.has_group(self._group)),
        )
        return [
            *([group] if device is not None else []),
            Part(
                name="thin-pool",
                make=self._make_thin_pool,
                take_away=self._remove_thin_pool,
                probe=lambda: present_if(self._is_ours()),
            ),
            Part(
                name="directory",
                make=self._make_directories,
                take_away=self._remove_directories,
                probe=lambda: present_if(os.path.isdir(self._pool.path)),
            ),
        ]

    def is_open(self) -> bool:
        """Look for a device of its group: after a reboot the node makes all of them, or none."""
        return os.path.isdir(lvm.device(self._group)) and os.path.isdir(self._pool.roots)

    def open(self) -> None:
        """Let its volumes be devices, as they are not if its disk came later than the node."""
        if not self._is_ours():
            raise Failed(
                f"pool {self._pool.name} is not there: there is no thin pool {self._thin_pool} of its",
                hint="connect the disk that it is on",
            )
        lvm.activate(self._thin_pool)
        self._make_directories()

    def free_bytes(self) -> int:
        """Return what the thin pool has left; its volumes are larger together than it is."""
        return lvm.free_in_pool(self._thin_pool)

    @property
    def _tag(self) -> str:
        return f"wirt.{self._pool.uuid}"

    def _is_ours(self) -> bool:
        return lvm.is_there(self._thin_pool, tag=self._tag)

    def _check_group(self) -> None:
        if not lvm.has_group(self._group):
            raise NotFound(
                f"there is no volume group {self._group}", hint="see vgs for those that there are"
            )
        if lvm.is_there(self._thin_pool):
            raise Conflict(
                f"there is a volume {self._thin_pool} already", hint="choose another name"
            )
        size, free = self._pool.size, lvm.free_in_group(self._group)
        if size is not None and size > free:
            raise OutOfSpace(
                f"a pool of {render_bytes(size)} does not fit into group {self._group}: "
                f"{render_bytes(free)} are free",
                hint="ask for less, or add a disk to it",
            )

    def _make_group(self, device: str) -> None:
        if not lvm.has_group(self._group):
            lvm.make_group(self._group, device, tag=self._tag)

    def _remove_group(self) -> None:
        if lvm.has_group(self._group):
            lvm.remove_group(self._group)

    def _make_thin_pool(self) -> None:
        if not self._is_ours():
            lvm.make_thin_pool(self._thin_pool, size=self._pool.size, tag=self._tag)

    def _remove_thin_pool(self) -> None:
        """Remove it, with the volumes that templates were written to."""
        if self._is_ours():
            lvm.remove(self._thin_pool)

    def _make_directories(self) -> None:
        os.makedirs(self._pool.roots, mode=0o711, exist_ok=True)
        os.makedirs(self._pool.forms, mode=0o700, exist_ok=True)

    def _remove_directories(self) -> None:
        mount.unmount_below(self._pool.path)
        files.remove_tree(self._pool.path)
