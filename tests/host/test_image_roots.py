"""Roots that come out of images of disks: found by table and partition, put right, and refused."""

import os
import subprocess
from pathlib import Path

import pytest

from wirt.errors import Conflict, InvalidInput
from wirt.host import mount
from wirt.model.disk import DiskImage
from wirt.model.template import Template
from wirt.ops.context import Context
from wirt.ops.template import take_image
from wirt.storage.disks.partitions import (
    HEAD,
    SECTOR,
    Partition,
    find_partitions,
    kind_of_file_system,
)
from wirt.units import MIB

OWN = {
    "etc/fstab": "UUID=1 / ext4 defaults 0 1\n",
    "etc/network/interfaces": "auto ens18\niface ens18 inet dhcp\n",
    "etc/netplan/50-cloud-init.yaml": "network: {}\n",
    "etc/systemd/network/10-ens18.network": "[Match]\nName=ens18\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ssh/ssh_host_rsa_key": "secret\n",
    "etc/motd": "welcome\n",
    "bin/sh": "a shell\n",
    "sbin/init": "an init\n",
}
TABLE = {
    "dos": "label: dos\nstart=2048, size=2048, type=82\nstart=4096, size=16384, type=83, bootable\n",
    "gpt": "label: gpt\nstart=2048, size=2048, type=swap\nstart=4096, size=16384, type=linux\n",
}
START, LENGTH = 4096 * SECTOR, 16384 * SECTOR


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give the root of another machine; one of its files is a link that leads to the node."""
    root = tmp_path / "root"
    for path, content in OWN.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "etc/crypttab").symlink_to("/etc/hostname")
    return root


def partitioned(tmp_path: Path, label: str, tree: Path) -> str:
    """Return the image of a disk with two partitions, the root on the second."""
    path = tmp_path / f"{label}.raw"
    path.touch()
    os.truncate(path, 12 * MIB)
    subprocess.run(["sfdisk", "-q", path], input=TABLE[label], text=True, check=True)
    offset = ["-E", f"offset={START}"]
    size = f"{LENGTH // 1024}k"
    subprocess.run(["mke2fs", "-q", "-F", *offset, "-d", tree, path, size], check=True)
    return str(path)


def take(context: Context, path: str, form: str = "raw", partition: int | None = None) -> Template:
    image = DiskImage(path=path, form=form)
    return take_image(context, image, "old", partition=partition, progress=lambda text: None)


def refusal(context: Context, path: str, partition: int | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        take(context, path, partition=partition)
    return str(caught.value)


@pytest.mark.parametrize("label", TABLE)
def test_partitions_are_found_as_sfdisk_makes_them(tmp_path: Path, label: str) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 12 * MIB)
    subprocess.run(["sfdisk", "-q", path], input=TABLE[label], text=True, check=True)

    assert find_partitions(path.read_bytes()[:HEAD]) == [
        Partition(number=1, start=2048 * SECTOR, length=2048 * SECTOR),
        Partition(number=2, start=START, length=LENGTH),
    ]


@pytest.mark.parametrize("head", [b"", bytes(HEAD), bytes(510) + b"\x55\xaa", b"\xff" * HEAD])
def test_disk_without_a_table_has_no_partitions(head: bytes) -> None:
    assert find_partitions(head) == []
    assert kind_of_file_system(head) is None


@pytest.mark.parametrize("length", [SECTOR, 2 * SECTOR, 3 * SECTOR, HEAD - 1])
def test_table_that_is_cut_off_is_no_crash(tmp_path: Path, length: int) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 12 * MIB)
    subprocess.run(["sfdisk", "-q", path], input=TABLE["gpt"], text=True, check=True)

    assert len(find_partitions(path.read_bytes()[:length])) in (0, 2)


def test_root_in_an_image_becomes_a_template_without_what_was_its_machines(
    context: Context, tree: Path, tmp_path: Path
) -> None:
    path = partitioned(tmp_path, "gpt", tree)
    image = str(tmp_path / "disk.qcow2")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", path, image], check=True)
    before = Path("/etc/hostname").read_bytes()
    said: list[str] = []
    made = take_image(
        context,
        DiskImage(path=image, form="qcow2"),
        "old",
        partition=2,
        progress=said.append,
    )
    root = Path(context.templates.path_of_form("old", "tree"))

    assert made.description == "made of image disk.qcow2"
    assert (root / "etc/fstab").read_text() == ""
    assert (root / "etc/network/interfaces").read_text() == ""
    assert os.listdir(root / "etc/netplan") == os.listdir(root / "etc/systemd/network") == []
    assert (root / "etc/machine-id").read_text() == ""
    assert not (root / "etc/ssh/ssh_host_rsa_key").exists()
    assert (root / "etc/motd").read_text() == "welcome\n"
    assert said == [
        "put right: etc/fstab",
        "put right: etc/netplan/50-cloud-init.yaml",
        "put right: etc/network/interfaces",
        "put right: etc/systemd/network/10-ens18.network",
        "lacking for uml, qemu and kvm: qemu-guest-agent",
        "lacking for uml, qemu and kvm: systemd-networkd, which sets the address",
        "put right: the machine id",
        "put right: SSH host keys (1)",
    ]
    assert Path("/etc/hostname").read_bytes() == before
    assert mount.mounts_below(context.home.data) == []
    assert [name for name in os.listdir(context.home.templates) if name.startswith(".tmp")] == []


def test_partition_has_to_be_named_if_there_are_several(
    context: Context, tree: Path, tmp_path: Path
) -> None:
    path = partitioned(tmp_path, "dos", tree)

    assert refusal(context, path) == (
        f"{path} has several partitions: 1, 2; say with --partition where the root is"
    )
    assert refusal(context, path, 3) == f"{path} has no partition 3; it has 1, 2"
    assert refusal(context, path, 1) == (
        f"partition 1 of {path} holds no file system that a root is on; ext4, xfs and btrfs are known; "
        "name another with --partition"
    )


def test_file_system_without_a_table_is_taken(context: Context, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.raw"
    subprocess.run(["mke2fs", "-q", "-F", "-d", tree, path, "8M"], check=True)
    take(context, str(path))

    assert "old" in [template.name for template in context.templates.list()]


def test_template_of_that_name_is_found_before_anything_is_copied(
    context: Context, tree: Path, tmp_path: Path
) -> None:
    take(context, partitioned(tmp_path, "dos", tree), partition=2)
    with pytest.raises(Conflict) as caught:
        take(context, "/nothing")

    assert str(caught.value) == (
        "there is a template called old; remove it first: wirt template remove old"
    )
