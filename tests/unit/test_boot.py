"""Kernels found in a tree, and the ramdisk made for one."""

import gzip
import lzma
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wirt.errors import Unsupported
from wirt.storage import boot

DEPENDENCIES = """\
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/net/core/failover.ko.gz:
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko.gz kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/other.ko:
"""
PACKERS: dict[str, Callable[[bytes], bytes]] = {".xz": lzma.compress, ".gz": gzip.compress}


def make_kernel(tree: Path, version: str, *, dependencies: str = DEPENDENCIES) -> None:
    modules = tree / "lib" / "modules" / version
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text(dependencies)
    (modules / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    for line in dependencies.splitlines():
        path = modules / line.partition(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PACKERS.get(path.suffix, bytes)(f"module {path.name}".encode()))
    (tree / "boot").mkdir(exist_ok=True)
    (tree / "boot" / f"vmlinuz-{version}").write_text("kernel")


def unpack(archive: Path, directory: Path) -> list[str]:
    directory.mkdir()
    done = subprocess.run(
        ["cpio", "--extract", "--verbose", "--quiet"],
        input=archive.read_bytes(),
        cwd=directory,
        capture_output=True,
        check=True,
    )
    return done.stderr.decode().split()


def test_find_kernel_takes_the_newest_as_people_count(tmp_path: Path) -> None:
    for version in ("6.9.0-1", "6.10.0-1", "6.1.0-56"):
        make_kernel(tmp_path, version)

    assert boot.find_kernel(str(tmp_path)) == f"{tmp_path}/boot/vmlinuz-6.10.0-1"


def test_find_kernel_passes_over_one_without_modules(tmp_path: Path) -> None:
    make_kernel(tmp_path, "6.1.0-56")
    (tmp_path / "boot" / "vmlinuz-6.9.0").write_text("no modules")

    assert boot.find_kernel(str(tmp_path)).endswith("vmlinuz-6.1.0-56")


def test_find_kernel_follows_no_links_out_of_the_tree(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    make_kernel(outside, "6.1.0")
    tree = tmp_path / "tree"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot" / "vmlinuz-6.1.0").symlink_to(outside / "boot" / "vmlinuz-6.1.0")
    (tree / "boot" / "vmlinuz-6.1.0-real").write_text("kernel")
    (tree / "lib").symlink_to(outside / "lib")

    with pytest.raises(Unsupported):
        boot.find_kernel(str(tree))


def test_find_kernel_in_a_tree_without_one_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as caught:
        boot.find_kernel(str(tmp_path))

    assert str(caught.value) == (
        "the template has no kernel to boot; add linux-image-cloud-amd64 to its packages, "
        "or use the approach chroot or lxc"
    )


def test_ramdisk_holds_the_modules_unpacked_and_loads_each_after_what_it_rests_on(
    tmp_path: Path,
) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")

    boot.build_ramdisk(str(tmp_path / "tree"), f"{tmp_path}/initrd.img")

    names = unpack(tmp_path / "initrd.img", tmp_path / "unpacked")
    assert names[:4] == ["bin", "dev", "modules", "root"]
    init = (tmp_path / "unpacked" / "init").read_text()
    order = "virtio_ring virtio virtio_pci virtio_blk failover virtio_net"
    assert f"for module in {order}; do" in init
    for name in order.split():
        content = (tmp_path / "unpacked" / "modules" / f"{name}.ko").read_text()
        assert content.startswith(f"module {name}.ko")
    busybox = tmp_path / "unpacked" / "bin" / "busybox"
    assert busybox.read_bytes() == Path("/bin/busybox").read_bytes()
    assert os.access(busybox, os.X_OK)


def test_ramdisk_made_twice_is_the_same(tmp_path: Path) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")

    for name in ("one", "two"):
        boot.build_ramdisk(str(tmp_path / "tree"), f"{tmp_path}/{name}")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_ramdisk_for_a_kernel_without_the_disks_driver_is_refused(tmp_path: Path) -> None:
    lines = [line for line in DEPENDENCIES.splitlines(keepends=True) if "virtio_blk" not in line]
    make_kernel(tmp_path / "tree", "6.1.0", dependencies="".join(lines))

    with pytest.raises(Unsupported, match="the template's kernel has no driver virtio_blk"):
        boot.build_ramdisk(str(tmp_path / "tree"), f"{tmp_path}/initrd.img")

    assert not (tmp_path / "initrd.img").exists()
