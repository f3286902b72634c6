"""Kernels found in a tree, and the ramdisk made for one."""

import gzip
import lzma
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wirt.errors import Unsupported
from wirt.storage.templates import boot, forms

DEPENDENCIES = """\
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/net/core/failover.ko.gz:
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko.gz kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/other.ko:
"""
PCI = "kernel/drivers/virtio/virtio_pci.ko"
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


def refusal_of(tree: Path) -> str:
    """Return why no ramdisk is made for a tree, without the next step and with the tree's name left out."""
    out = tree.parent / "initrd.img"
    with pytest.raises(Unsupported) as caught:
        boot.build_ramdisk(str(tree), str(out))
    assert not out.exists()
    return caught.value.message.replace(f"{tree}/lib/modules/6.1.0/", "").replace(f"{tree}/", "")


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
    assert f'modules="{order}"' in init
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


def test_kernel_is_copied_as_a_regular_file_beside_its_ramdisk(tmp_path: Path) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")

    forms.make_boot(str(tmp_path / "tree"), f"{tmp_path}/boot")

    assert (tmp_path / "boot" / "vmlinuz").read_text() == "kernel"
    assert (tmp_path / "boot" / "initrd.img").exists()


def test_boot_that_is_a_link_is_refused(tmp_path: Path) -> None:
    make_kernel(tmp_path / "outside", "6.1.0")
    make_kernel(tmp_path / "tree", "6.1.0")
    (tmp_path / "tree" / "boot" / "vmlinuz-6.1.0").unlink()
    (tmp_path / "tree" / "boot").rmdir()
    (tmp_path / "tree" / "boot").symlink_to(tmp_path / "outside" / "boot")

    with pytest.raises(Unsupported, match="/tree/boot' is a symbolic link"):
        forms.make_boot(str(tmp_path / "tree"), f"{tmp_path}/fresh")


def test_kernel_that_is_a_pipe_is_passed_over(tmp_path: Path) -> None:
    make_kernel(tmp_path, "6.1.0")
    (tmp_path / "boot" / "vmlinuz-6.1.0").unlink()
    os.mkfifo(tmp_path / "boot" / "vmlinuz-6.1.0")

    with pytest.raises(Unsupported, match="the template has no kernel to boot"):
        boot.find_kernel(str(tmp_path))


@pytest.mark.parametrize("start", ["../" * 40, ""])
def test_module_that_the_list_finds_outside_of_the_tree_is_refused(
    tmp_path: Path, start: str
) -> None:
    secret = tmp_path / "virtio_pci.ko"
    secret.write_text("secret")
    named = f"{start}{str(secret).lstrip('/') if start else secret}"
    make_kernel(tmp_path / "tree", "6.1.0")
    dependencies = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / "modules.dep"
    dependencies.write_text(DEPENDENCIES.replace(PCI, named))

    assert refusal_of(tmp_path / "tree") == f"'{named}' lies outside of the template"


def test_module_below_a_directory_that_leads_out_is_refused(tmp_path: Path) -> None:
    make_kernel(tmp_path / "outside", "6.1.0")
    make_kernel(tmp_path / "tree", "6.1.0")
    drivers = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / "kernel" / "drivers"
    drivers.rename(tmp_path / "away")
    drivers.symlink_to(tmp_path / "outside" / "lib/modules/6.1.0/kernel/drivers")

    name = "kernel/drivers/virtio/virtio_ring.ko"
    assert refusal_of(tmp_path / "tree") == f"'{name}' lies outside of the template"


@pytest.mark.parametrize("name", [PCI, "modules.dep", "modules.builtin"])
def test_link_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")
    path = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / name
    secret = path.rename(tmp_path / "secret")
    path.symlink_to(secret)

    assert refusal_of(tmp_path / "tree") == f"'{name}' is no regular file"


@pytest.mark.parametrize("name", [PCI, "modules.dep", "modules.builtin"])
def test_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")
    path = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / name
    path.unlink()
    os.mkfifo(path)

    assert refusal_of(tmp_path / "tree") == f"'{name}' is no regular file"


def test_module_that_is_missing_is_named(tmp_path: Path) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")
    (tmp_path / "tree" / "lib" / "modules" / "6.1.0" / PCI).unlink()

    assert refusal_of(tmp_path / "tree") == f"'{PCI}' is no regular file"


def test_module_of_an_impossible_name_is_refused(tmp_path: Path) -> None:
    make_kernel(tmp_path / "tree", "6.1.0")
    dependencies = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / "modules.dep"
    dependencies.write_bytes(
        DEPENDENCIES.replace(PCI, "\0\udcff/virtio_pci.ko").encode(errors="surrogateescape")
    )

    assert "cannot be opened: embedded null byte" in refusal_of(tmp_path / "tree")


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_module_that_is_not_what_its_name_says_is_refused(tmp_path: Path, suffix: str) -> None:
    make_kernel(tmp_path / "tree", "6.1.0", dependencies=DEPENDENCIES.replace(PCI, PCI + suffix))
    path = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / (PCI + suffix)
    path.write_text("no such thing")

    assert refusal_of(tmp_path / "tree").startswith(f"'{PCI}{suffix}' cannot be unpacked: ")


def test_module_packed_with_zstd_is_unpacked_beside_nothing(tmp_path: Path) -> None:
    make_kernel(tmp_path / "tree", "6.1.0", dependencies=DEPENDENCIES.replace(PCI, f"{PCI}.zst"))
    packed = tmp_path / "tree" / "lib" / "modules" / "6.1.0" / f"{PCI}.zst"
    content = subprocess.run(["zstd", "-qc"], input=b"module", capture_output=True).stdout
    packed.write_bytes(content)
    # What zstd would write, or ask about, if it were given the file's name.
    packed.with_suffix("").symlink_to(tmp_path / "planted")

    boot.build_ramdisk(str(tmp_path / "tree"), f"{tmp_path}/initrd.img")

    unpack(tmp_path / "initrd.img", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "modules" / "virtio_pci.ko").read_text() == "module"
    assert not (tmp_path / "planted").exists()
