"""What pools promise whose roots can be given another size, as they lie or in use."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.contract.pools import GUEST, LVM_TREE, Made, loops_of, only, write_file

from wirt.errors import Failed, NotPermitted, OutOfSpace
from wirt.host import ext4
from wirt.storage.base import MeasuresRoots, Resizable
from wirt.storage.loopdisk import DISK
from wirt.storage.lvm import LvmPool
from wirt.units import MIB


@only(["fake", "btrfs", "image-tree", *LVM_TREE])
def test_root_that_is_resized_has_the_new_bound_and_keeps_its_files(made: Made) -> None:
    assert isinstance(made.pool, Resizable)
    assert isinstance(made.pool, MeasuresRoots)
    # On LVM the template's file system is made smaller, which has a least size of its own.
    unit = 2 * MIB if isinstance(made.pool, LvmPool) else MIB
    made.pool.clone(made.form_path, GUEST, root="tree", size=96 * unit)
    Path(made.attach_tree().path, "etc/note").write_text("kept")
    made.pool.detach(GUEST)
    capability = made.pool.probe_resize(GUEST, 256 * unit)
    bounds = []
    for size in (256 * unit, 256 * unit, 64 * unit):
        made.pool.resize(GUEST, size)
        root = Path(made.attach_tree().path)
        usage = made.pool.measure(GUEST)
        bounds.append(0 if usage is None else usage.bytes_limit or 0)
        assert (root / "etc/note").read_text() == "kept"
        made.pool.detach(GUEST)

    assert capability.available
    assert bounds[0] == bounds[1]
    # What a file system needs for itself is the template's journal too, where it was the template's.
    spent = 80 * MIB if isinstance(made.pool, LvmPool) else 32 * MIB
    assert 256 * unit - spent < bounds[1] <= 256 * unit
    assert 64 * unit - spent < bounds[2] <= 64 * unit


@only(["image-tree"])
def test_disk_that_cannot_be_so_small_stays_as_it_is(made: Made) -> None:
    assert isinstance(made.pool, Resizable)
    made.pool.clone(made.form_path, GUEST, root="tree", size=128 * MIB)
    write_file(made, 80 * MIB)
    disk = Path(made.directory, GUEST, DISK)
    with pytest.raises(OutOfSpace) as caught:
        made.pool.resize(GUEST, 64 * MIB)
    made.attach()
    mounted = made.pool.probe_resize(GUEST, 64 * MIB)
    with pytest.raises(Failed, match="cannot be made smaller"):
        made.pool.resize(GUEST, 64 * MIB)

    assert str(caught.value) == (
        "what the guest holds does not fit into a disk of 64 MiB; give more, or delete something "
        "in it first"
    )
    assert disk.stat().st_size == 128 * MIB
    assert not disk.with_name(f"{DISK}.new").exists()
    assert (mounted.available, mounted.reason, mounted.hint) == (
        False,
        "a mounted ext4 file system cannot be made smaller",
        "stop it first",
    )


@only(["image-tree"])
def test_disk_in_use_grows_where_it_is_if_the_kernel_lets_this_process(made: Made) -> None:
    """The kernel asks for CAP_SYS_RESOURCE; the lab host has it."""
    assert isinstance(made.pool, Resizable)
    assert isinstance(made.pool, MeasuresRoots)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    root = Path(made.attach_tree().path)
    disk = Path(made.directory, GUEST, DISK)
    capability = made.pool.probe_resize(GUEST, 160 * MIB)
    with (root / "etc/open").open("wb") as in_use:
        in_use.write(b"before")
        if capability.available:
            made.pool.resize(GUEST, 160 * MIB)
        else:
            with pytest.raises(NotPermitted):
                made.pool.resize(GUEST, 160 * MIB)
        in_use.write(b" and after")
    usage = made.pool.measure(GUEST)
    device = ext4.read_size(loops_of(str(disk))[0])
    made.pool.detach(GUEST)
    sound = subprocess.run(["e2fsck", "-f", "-n", disk], capture_output=True, text=True)

    assert capability.available == ext4.may_grow()
    wanted = 160 * MIB if capability.available else 64 * MIB
    assert disk.stat().st_size == device == wanted
    assert usage is not None
    assert 0.8 * wanted < (usage.bytes_limit or 0) < wanted
    assert sound.returncode == 0, sound.stdout
    assert Path(made.attach_tree().path, "etc/open").read_text() == "before and after"
    if not capability.available:
        assert capability.reason == (
            "its file system is mounted, and the kernel makes it larger only for who has "
            "CAP_SYS_RESOURCE"
        )


@only(["image-tree"])
@pytest.mark.parametrize("is_attached", [True, False])
def test_growth_that_died_before_the_file_system_grew_is_taken_back(
    made: Made, is_attached: bool
) -> None:
    """The disk's file was made longer, and its device perhaps too: the file system was not."""
    assert isinstance(made.pool, Resizable)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    disk = f"{made.directory}/{GUEST}/{DISK}"
    if is_attached:
        made.attach()
    os.truncate(disk, 160 * MIB)
    made.pool.resize(GUEST, 64 * MIB)

    assert os.stat(disk).st_size == 64 * MIB
    assert Path(made.attach_tree().path, "sbin/init").exists()


# Elsewhere it is the lab host that runs it.
if LVM_TREE:

    @only(LVM_TREE)
    def test_volume_in_use_grows_where_it_is_and_bounds_what_is_written(made: Made) -> None:
        assert isinstance(made.pool, LvmPool)
        made.pool.clone(made.form_path, GUEST, root="tree", size=128 * MIB)
        root = Path(made.attach_tree().path)
        with pytest.raises(OSError, match="No space left"):
            (root / "etc/filler").write_bytes(b"x" * 100 * MIB)
        (root / "etc/filler").unlink()
        capability = made.pool.probe_resize(GUEST, 256 * MIB)
        smaller = made.pool.probe_resize(GUEST, 64 * MIB)
        made.pool.resize(GUEST, 256 * MIB)
        (root / "etc/filler").write_bytes(b"x" * 100 * MIB)
        usage = made.pool.measure(GUEST)
        made.pool.detach(GUEST)
        volume = f"{made.directory}/{GUEST}/volume"
        sound = subprocess.run(["e2fsck", "-f", "-n", volume], capture_output=True, text=True)

        assert capability.reason == "its volume and its file system grow where they are"
        assert (smaller.available, smaller.hint) == (False, "stop it first")
        assert ext4.read_size(volume) == 256 * MIB
        assert usage is not None
        assert 100 * MIB < usage.bytes < (usage.bytes_limit or 0) < 256 * MIB
        assert sound.returncode == 0, sound.stdout
