"""Which disks a directory is on, read from trees of the kernel that are made up."""

import os
from pathlib import Path

from wirt.host.disks import find_disks, find_weighing
from wirt.host.kerneltree import KernelTree


def make_tree(base: Path, *, partition: bool, disk: bool = True, mounts: str = "") -> KernelTree:
    """Return a kernel that has the device that ``base`` really is on as a partition of 8:0, or as a disk, or not."""
    device = os.stat(base).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kernel = base / "kernel"
    blocks = kernel / "sys/dev/block"
    blocks.mkdir(parents=True)
    whole = kernel / "sys/devices/sda"
    (whole / "sda1").mkdir(parents=True)
    (whole / "dev").write_text("8:0\n")
    (whole / "sda1/partition").write_text("1\n")
    for number_of, target in ((number, "sda/sda1" if partition else "sda"), ("7:3", "sda")):
        if disk:
            (blocks / number_of).symlink_to(f"../../devices/{target}")
    (kernel / "proc/self").mkdir(parents=True)
    (kernel / "proc/self/mountinfo").write_text(mounts)
    return KernelTree(kernel)


def test_partition_counts_as_its_disk(tmp_path: Path) -> None:
    assert find_disks(str(tmp_path), make_tree(tmp_path, partition=True)) == ("8:0",)


def test_disk_below_a_file_system_that_is_mounted_inside_counts_too_and_each_once(
    tmp_path: Path,
) -> None:
    mounts = (
        f"50 1 7:3 / {tmp_path}/12ab34/layer rw - ext4 /dev/loop3 rw\n"
        f"51 1 7:3 / {tmp_path}/12ab34/again rw - ext4 /dev/loop3 rw\n"
        f"52 1 0:44 / {tmp_path}/12ab34/root rw - overlay overlay rw\n"
        "53 1 7:9 / /elsewhere rw - ext4 /dev/loop9 rw\n"
    )
    tree = make_tree(tmp_path, partition=True, mounts=mounts)

    assert find_disks(str(tmp_path), tree) == ("8:0", "7:3")


def test_directory_in_memory_is_on_no_disk(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path, partition=False, disk=False, mounts="50 1 0:44 / / rw - tmpfs tmpfs rw\n"
    )

    assert find_disks(str(tmp_path), tree) == ()


def test_disks_that_know_weights_are_those_with_bfq_and_those_that_count_costs(
    tmp_path: Path,
) -> None:
    for name, number, schedulers in (
        ("sda", "8:0", "none mq-deadline [bfq]"),
        ("sdb", "8:16", "[none] mq-deadline bfq"),
    ):
        (tmp_path / f"sys/block/{name}/queue").mkdir(parents=True)
        (tmp_path / f"sys/block/{name}/queue/scheduler").write_text(f"{schedulers}\n")
        (tmp_path / f"sys/block/{name}/dev").write_text(f"{number}\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/io.cost.qos").write_text(
        "8:32 enable=1 ctrl=auto rpct=0.00\n8:48 enable=0 ctrl=auto rpct=0.00\n"
    )

    assert find_weighing(KernelTree(tmp_path)) == ("8:0", "8:32")
    assert find_weighing(KernelTree(tmp_path / "empty")) == ()
