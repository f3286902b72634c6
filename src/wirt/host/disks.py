"""Which disks a directory lies on, by the numbers that the kernel's block layer has for them."""

import os
import stat

from wirt.host import facts
from wirt.host.kerneltree import KernelTree
from wirt.host.mountinfo import parse_mounts


def find_disks(directory: str, tree: KernelTree | None = None) -> tuple[str, ...]:
    """Return MAJOR:MINOR of the disks below a directory and below what is mounted in it; none if it is on none.

    A file in the place of the directory will do, and of a block device it is that device.

    A partition counts as its disk: what is bounded is the disk's queue. A device that is made of others, as by LVM, is a
    disk of its own, and so is a loop device. Of a file system on several it is the first.
    """
    tree = tree or KernelTree()
    numbers = [_number_of(directory, tree)]
    numbers += [
        mount.device_number
        for mount in parse_mounts(tree.lines("/proc/self/mountinfo"))
        if mount.mount_point.startswith(f"{directory}/")
    ]
    disks = [disk for number in numbers if (disk := _disk(number, tree)) is not None]
    return tuple(dict.fromkeys(disks))


def find_weighing(tree: KernelTree | None = None) -> tuple[str, ...]:
    """Return MAJOR:MINOR of the disks that share themselves out by the weights of groups.

    Source: the kernel's block/bfq-iosched, and admin-guide/cgroup-v2 (io.cost.qos) for disks without a scheduler.
    """
    tree = tree or KernelTree()
    found = [
        tree.text(f"{path.removesuffix('/queue/scheduler')}/dev") or ""
        for path, schedulers in tree.texts("/sys/block/*/queue/scheduler").items()
        if "[bfq]" in schedulers
    ]
    for qos in tree.texts("/sys/fs/cgroup/io.cost.qos").values():
        found += [line.split()[0] for line in qos.splitlines() if "enable=1" in line.split()]
    return tuple(dict.fromkeys(found))


def _number_of(directory: str, tree: KernelTree) -> str:
    status = os.stat(directory)
    if stat.S_ISBLK(status.st_mode):
        return _written(status.st_rdev)
    number = _written(status.st_dev)
    if not tree.exists(f"/sys/dev/block/{number}"):
        # Some file systems have numbers of their own, btrfs one for each subvolume.
        found = facts.probe_filesystem(directory, tree)
        if found is not None and found.device.startswith("/dev/"):
            return _written(os.stat(found.device).st_rdev)
    return number


def _disk(number: str, tree: KernelTree) -> str | None:
    device = f"/sys/dev/block/{number}"
    if tree.exists(f"{device}/partition"):
        return tree.text(f"{device}/../dev")
    return number if tree.exists(device) else None


def _written(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"
