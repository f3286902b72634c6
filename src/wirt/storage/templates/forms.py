"""Makes the forms of a template that pools clone from. Loaded only when one is missing.

A form is made at ``fresh``, in a work directory; giving it its name is for ``templates`` to do.
"""

import os
from collections.abc import Collection

from wirt.errors import Corrupt, Unsupported
from wirt.host import btrfs
from wirt.host.mount import file_system_type
from wirt.host.run import check
from wirt.model.template import Template
from wirt.storage.templates.archive import sha256_of, unpack
from wirt.storage.templates.boot import build_ramdisk, copy_kernel
from wirt.storage.templates.rootimage import build_image
from wirt.storage.templates.workdir import remove_leftovers

KERNEL, RAMDISK = "vmlinuz", "initrd.img"
"""The two files of the form "boot"."""


def make_tree(template: Template, packed: str, fresh: str) -> None:
    """Unpack the packed root into a new directory.

    Raises:
        Corrupt: the packed root is gone or is not the one that was recorded.
    """
    os.mkdir(fresh)
    _unpack_verified(template, packed, fresh)


def make_subvolume(template: Template, packed: str, fresh: str) -> None:
    """Unpack the packed root into a new btrfs subvolume.

    Raises:
        Corrupt: as ``make_tree``.
        Unsupported: the directory is not on btrfs.
    """
    kind = file_system_type(os.path.dirname(fresh))
    if kind != "btrfs":
        raise Unsupported(
            f"template {template.name} cannot be made a subvolume: it is on {kind}, not on btrfs",
            hint="put WIRT_HOME on a btrfs file system",
        )
    check(["btrfs", "subvolume", "create", fresh])
    _unpack_verified(template, packed, fresh)


def make_image(template: Template, tree: str, fresh: str) -> None:
    """Make a raw ext4 image of the unpacked tree."""
    build_image(tree, fresh, template.image_bytes)


def make_boot(tree: str, fresh: str) -> None:
    """Make a directory with the tree's kernel and a small initial ramdisk for it."""
    os.mkdir(fresh)
    copy_kernel(tree, f"{fresh}/{KERNEL}")
    build_ramdisk(tree, f"{fresh}/{RAMDISK}")


def remove_others(directory: str, known: Collection[str]) -> None:
    """Delete the subvolumes in a directory that are not known, and what dead makers left there."""
    remove_leftovers(directory)
    for name in os.listdir(directory):
        if "@" in name and name not in known:
            btrfs.delete(os.path.join(directory, name))


def _unpack_verified(template: Template, packed: str, tree: str) -> None:
    try:
        reason = None if sha256_of(packed) == template.sha256 else "is not what was packed"
    except FileNotFoundError:
        reason = "is gone"
    if reason is not None:
        raise Corrupt(
            f"template {template.name} is damaged: {packed} {reason}",
            hint=f"remove it with wirt template remove {template.name} and make it again",
        )
    unpack(packed, tree)
