"""The root file system in an image of a disk, shown as a tree: of a copy.

The copy is mounted in a mount namespace of this process, so nobody else sees it, and nothing of it is mounted once the process has
ended, however that happens. Device nodes and set-user-id programs in it have no effect meanwhile.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import InvalidInput
from wirt.host import loop, mount
from wirt.model.disk import DiskImage
from wirt.storage.disks import diskimages
from wirt.storage.disks.partitions import (
    HEAD,
    MARKS,
    Partition,
    find_partitions,
    kind_of_file_system,
)
from wirt.storage.templates import workdir


@contextmanager
def opened_root(
    directory: str, name: str, image: DiskImage, partition: int | None
) -> Iterator[str]:
    """Give the tree of the root in an image.

    Args:
        directory: where the copy is made; a crash leaves a part of it, which whoever makes something there next removes.
        name: what the copy is called, for two that are made at once.
        image: the image, which has been looked at; it stays as it is.
        partition: number of the partition that the root is on; None: the only one, or there is no table.

    Raises:
        InvalidInput: there is no such partition, or several and none was named, or no file system that a root is on.
        Busy, OutOfSpace, Failed: it could not be shown.
    """
    with workdir.claimed(directory, f"{name}.disk", wait=False) as work:
        copy, tree = os.path.join(work.path, "copy"), os.path.join(work.path, "tree")
        part = _choose(image.path, find_partitions(_read_head(image, copy)), partition)
        diskimages.copy_part(image, copy, part.start if part else 0, part.length if part else None)
        with open(copy, "rb") as file:
            kind = kind_of_file_system(file.read(MARKS))
        if kind is None:
            raise InvalidInput(
                f"{_where(image.path, part)} holds no file system that a root is on",
                hint="ext4, xfs and btrfs are known; name another with --partition",
            )
        os.mkdir(tree)
        with loop.opened(copy) as device, mount.private_namespace():
            mount.mount(device, tree, kind, mount.MS_NOSUID | mount.MS_NODEV)
            try:
                yield tree
            finally:
                mount.unmount(tree)


def _read_head(image: DiskImage, copy: str) -> bytes:
    size = diskimages.measure(image)
    diskimages.copy_part(image, copy, 0, min(size, HEAD))
    with open(copy, "rb") as file:
        return file.read()


def _choose(path: str, found: list[Partition], wanted: int | None) -> Partition | None:
    if wanted is None and len(found) < 2:
        return found[0] if found else None
    for partition in found:
        if partition.number == wanted:
            return partition
    numbers = ", ".join(str(partition.number) for partition in found) or "none"
    if wanted is None:
        raise InvalidInput(
            f"{path} has several partitions: {numbers}",
            hint="say with --partition where the root is",
        )
    raise InvalidInput(f"{path} has no partition {wanted}", hint=f"it has {numbers}")


def _where(path: str, partition: Partition | None) -> str:
    return f"partition {partition.number} of {path}" if partition else path
