"""What every pool promises, asked of the fake and of each kind that this node has."""

import os
import subprocess
from pathlib import Path

import pytest
from tests import homes
from tests.contract.pools import (
    GUEST,
    KINDS,
    LVM_TREE,
    OTHER,
    SHIFTING,
    TREES,
    Made,
    loops_of,
    only,
    write_file,
)

from wirt.host import mount
from wirt.model.ids import SHARED
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Idmap, RootTree
from wirt.storage.base import MeasuresRoots, Showing
from wirt.storage.btrfs import BtrfsPool
from wirt.storage.fake import FakePool
from wirt.storage.loopdisk import DISK
from wirt.storage.lvm import LvmPool
from wirt.units import GIB, MIB


def test_capability_of_a_pool_on_this_node_is_yes(made: Made) -> None:
    capability = made.pool.probe_capability()

    assert capability.available, capability.reason
    assert capability.reason


def test_probe_of_an_unknown_guest_is_absent(made: Made) -> None:
    assert made.pool.probe(GUEST) is Presence.ABSENT
    assert made.pool.probe_attached(GUEST) is Presence.ABSENT
    assert made.pool.list_guests() == []


def test_clone_makes_a_root_that_is_not_attached(made: Made) -> None:
    made.clone()

    assert made.pool.probe(GUEST) is Presence.PRESENT
    assert made.pool.probe_attached(GUEST) is Presence.ABSENT
    assert made.pool.list_guests() == [GUEST]


def test_place_of_a_guest_is_where_its_root_is(made: Made) -> None:
    made.clone()

    assert made.attach().path.startswith(f"{made.pool.place(GUEST)}/")
    assert made.pool.place(OTHER) != made.pool.place(GUEST)


def test_clone_called_again_keeps_what_is_there(made: Made) -> None:
    made.clone()
    first = made.attach()
    made.clone()

    assert made.attach() == first


def test_remove_leaves_nothing(made: Made) -> None:
    made.clone()
    made.attach()
    made.pool.remove(GUEST)

    assert made.pool.probe(GUEST) is Presence.ABSENT
    assert made.pool.list_guests() == []
    assert mount.mounts_below(made.directory) == []
    assert os.listdir(made.directory) == []


def test_remove_and_detach_of_what_is_gone_are_no_errors(made: Made) -> None:
    made.clone()
    for _ in range(2):
        made.pool.detach(GUEST)
    for _ in range(2):
        made.pool.remove(GUEST)
    made.pool.detach(GUEST)

    assert made.pool.probe(GUEST) is Presence.ABSENT


def test_remove_of_one_guest_leaves_the_other(made: Made) -> None:
    made.clone()
    made.clone(OTHER)
    made.pool.remove(GUEST)

    assert made.pool.list_guests() == [OTHER]
    assert made.pool.probe(OTHER) is Presence.PRESENT


@only(TREES)
def test_attach_shows_the_template(made: Made) -> None:
    made.clone()
    root = made.attach_tree()

    assert made.pool.probe_attached(GUEST) is Presence.PRESENT
    assert Path(root.path, "sbin/init").read_text().startswith("#!/bin/sh")


@only(TREES)
def test_attach_called_again_gives_the_same_root(made: Made) -> None:
    made.clone()
    first = made.attach()
    mounted = mount.mounts_below(made.directory)

    assert made.attach() == first
    assert mount.mounts_below(made.directory) == mounted


@only(TREES)
def test_changes_outlast_detach_and_touch_neither_template_nor_other_guest(made: Made) -> None:
    made.clone()
    made.clone(OTHER)
    Path(made.attach_tree().path, "etc/new").write_text("ours")
    Path(made.attach_tree().path, "sbin/init").unlink()
    made.pool.detach(GUEST)

    again, other = Path(made.attach_tree().path), Path(made.attach_tree(OTHER).path)
    assert (again / "etc/new").read_text() == "ours"
    assert not (again / "sbin/init").exists()
    for untouched in (other, Path(made.tree)):
        assert not (untouched / "etc/new").exists()
        assert (untouched / "sbin/init").exists()


@only(TREES)
def test_remove_while_attached_leaves_the_template_whole(made: Made) -> None:
    made.clone()
    made.attach()
    before = sorted(os.listdir(f"{made.tree}/bin"))
    made.pool.remove(GUEST)

    assert sorted(os.listdir(f"{made.tree}/bin")) == before


@only(SHIFTING)
def test_attach_with_an_idmap_shows_shifted_ids_both_ways(made: Made) -> None:
    made.clone()
    root = made.attach_tree(idmap=Idmap(first=1_000_000, size=65_536))
    inside = Path(root.path, "etc/from-inside")
    inside.touch()
    os.chown(inside, 1_000_033, 1_000_033)
    made.pool.detach(GUEST)

    assert root.idmap == Idmap(first=1_000_000, size=65_536)
    assert Path(made.attach_tree().path, "etc/from-inside").stat().st_uid == 33


@only(SHIFTING)
def test_attach_with_an_idmap_shows_the_templates_root_as_the_guests_first_id(made: Made) -> None:
    made.clone()
    root = made.attach_tree(idmap=Idmap(first=1_000_000, size=65_536))

    assert Path(root.path, "sbin/init").stat().st_uid == 1_000_000
    assert Path(made.tree, "sbin/init").stat().st_uid == 0


@only(SHIFTING)
def test_detach_takes_away_what_an_attach_that_died_left(made: Made) -> None:
    made.clone()
    half = Path(made.directory, GUEST, "root")
    mount.bind(made.tree, str(half))
    mount.bind(made.tree, str(half))
    made.pool.detach(GUEST)

    assert made.pool.probe_attached(GUEST) is Presence.ABSENT
    assert mount.mounts_below(made.directory) == []


@only([name for name in KINDS if name not in TREES])
def test_attach_of_an_image_names_its_own_layer_above_the_templates(made: Made) -> None:
    made.clone()
    image = made.attach()

    assert isinstance(image, BlockImage)
    assert image.path.startswith(f"{made.directory}/{GUEST}/")
    # LVM shares blocks below the disk: the guest's volume is whole, and rests on nothing.
    is_whole = isinstance(made.pool, LvmPool)
    assert image.format == ("raw" if is_whole else made.root)
    assert image.backing == (None if is_whole else made.form_path)


@only(["fake"])
def test_clone_told_to_fail_leaves_a_part_that_remove_takes_away(made: Made) -> None:
    pool = FakePool(made.directory, fail_at=1)
    with pytest.raises(Exception, match="clone was told to fail"):
        pool.clone(made.form_path, GUEST, root="tree", size=GIB)

    assert pool.probe(GUEST) is Presence.PARTIAL
    pool.remove(GUEST)
    assert pool.probe(GUEST) is Presence.ABSENT


def readable_by_nobody(directory: Path) -> list[str]:
    """Return the files below that a user without rights can read."""
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--",
            "find",
            directory,
            "-type",
            "f",
            "-readable",
        ],
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@only([name for name in KINDS if name != "fake"])
@pytest.mark.parametrize("idmap", [None, SHARED])
def test_root_is_closed_to_other_users_of_the_node(made: Made, idmap: Idmap | None) -> None:
    made.clone()
    root = made.attach(idmap=idmap if made.root == "tree" else None)
    planted = Path(root.path, "opt-x") if isinstance(root, RootTree) else Path(root.path)
    planted.touch()
    planted.chmod(0o4755)

    assert readable_by_nobody(Path(made.directory)) == []
    # A user who knows the way is no better off than one who looks for it.
    for path in Path(made.directory).rglob("opt-x"):
        assert readable_by_nobody(path) == []


@only(SHIFTING)
def test_root_of_an_unprivileged_guest_is_open_to_its_own_root(made: Made) -> None:
    idmap = SHARED
    made.clone()
    root = made.attach_tree(idmap=idmap)
    as_its_root = ["setpriv", f"--reuid={idmap.first}", f"--regid={idmap.first}", "--clear-groups"]

    assert subprocess.run([*as_its_root, "ls", root.path], capture_output=True).returncode == 0


@only(["fake", "btrfs", "image-tree", *LVM_TREE])
def test_measure_counts_what_was_written(made: Made) -> None:
    assert isinstance(made.pool, MeasuresRoots)
    made.clone()
    made.attach()
    before = made.pool.measure(GUEST)
    made.pool.detach(GUEST)
    write_file(made, MIB)
    made.attach()
    after = made.pool.measure(GUEST)

    assert before is not None
    assert after is not None
    assert MIB <= after.bytes - before.bytes < 2 * MIB


@only(["btrfs"])
def test_root_is_no_larger_than_its_disk_and_a_restored_one_neither(made: Made) -> None:
    assert isinstance(made.pool, BtrfsPool)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    with pytest.raises(OSError, match="Disk quota exceeded"):
        write_file(made, 70 * MIB)
    made.pool.detach(GUEST)
    made.pool.snapshots().take(GUEST, "one")
    made.pool.snapshots().prepare_restore(GUEST, "one", 64 * MIB)
    made.pool.snapshots().finish_restore(GUEST)
    usage = made.pool.measure(GUEST)
    with pytest.raises(OSError, match="Disk quota exceeded"):
        write_file(made, 70 * MIB)

    assert usage is not None
    assert usage.bytes_limit == 64 * MIB


@only(["image-tree"])
def test_tree_on_a_disk_of_its_own_is_bounded_in_bytes_and_inodes(made: Made) -> None:
    assert isinstance(made.pool, MeasuresRoots)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    unknown = made.pool.measure(GUEST)
    root = Path(made.attach_tree(idmap=SHARED).path)
    before = made.pool.measure(GUEST)
    assert before is not None
    assert before.inodes is not None
    assert before.inodes_limit is not None
    with pytest.raises(OSError, match="No space left"):
        (root / "etc/filler").write_bytes(b"x" * 64 * MIB)
    full = made.pool.measure(GUEST)
    (root / "etc/filler").unlink()
    (root / "etc/many").mkdir()
    touched = subprocess.run(
        ["sh", "-c", f"seq {before.inodes_limit} | xargs touch"],
        cwd=root / "etc/many",
        capture_output=True,
        text=True,
    )
    crowded = made.pool.measure(GUEST)

    assert unknown is None
    assert 48 * MIB < (before.bytes_limit or 0) < 64 * MIB
    assert before.bytes < MIB
    assert full is not None
    # ext4 keeps a fiftieth back, for what it has promised and not yet written.
    assert full.bytes > 0.95 * (full.bytes_limit or 0)
    assert "No space left on device" in touched.stderr
    assert crowded is not None
    assert crowded.inodes == crowded.inodes_limit


@only(["image-tree"])
def test_disk_of_a_tree_is_one_device_however_often_it_is_mounted(made: Made) -> None:
    """Two devices of one file would be two file systems, each of which overwrites the other."""
    made.clone()
    Path(made.attach_tree().path, "etc/note").write_text("kept")
    disk = f"{made.directory}/{GUEST}/{DISK}"
    device = loops_of(disk)
    # A process outside keeps a file of the disk open: the kernel keeps the device.
    with Path(made.directory, GUEST, "layer/upper/etc/note").open():
        mount.unmount_below(f"{made.directory}/{GUEST}")
        again = Path(made.attach_tree().path, "etc/note").read_text()
        both = loops_of(disk)
    made.pool.detach(GUEST)

    assert (len(device), both, again) == (1, device, "kept")
    assert loops_of(disk) == []


@only(SHIFTING)
@pytest.mark.parametrize("is_attached", [False, True])
def test_tree_is_shown_to_be_read_only_whether_it_is_attached_or_not(
    made: Made, is_attached: bool, tmp_path: Path
) -> None:
    assert isinstance(made.pool, Showing)
    made.clone()
    untouched = shown_at(made, tmp_path)
    Path(made.attach_tree().path, "etc/note").write_text("kept")
    if not is_attached:
        made.pool.detach(GUEST)
    changed = shown_at(made, tmp_path)

    assert untouched == ("#!/bin/sh", None)
    assert changed == ("#!/bin/sh", "kept")


def shown_at(made: Made, target: Path) -> tuple[str, str | None]:
    """Show the guest's root at a directory and return what can be read there of the template and of the guest."""
    assert isinstance(made.pool, Showing)
    made.pool.show(made.form_path, GUEST, str(target))
    init, note = target / "sbin/init", target / "etc/note"
    found = init.read_text().splitlines()[0], note.read_text() if note.exists() else None
    with pytest.raises(OSError, match="Read-only"):
        (target / "etc/new").touch()
    mount.unmount_below(str(target))
    return found


def test_btrfs_pool_says_whether_quotas_bound_its_trees(root_user: None) -> None:
    with homes.open_base() as base:
        with (base / "disk").open("wb") as disk:
            disk.truncate(128 * MIB)
        subprocess.run(["mkfs.btrfs", "--quiet", base / "disk"], check=True)
        (base / "volume").mkdir()
        subprocess.run(["mount", "-o", "loop", base / "disk", base / "volume"], check=True)
        pool = BtrfsPool(f"{base}/volume/pool")
        before = pool.probe_capability().reason
        subprocess.run(["btrfs", "quota", "enable", base / "volume"], check=True)
        after = pool.probe_capability().reason
        subprocess.run(["umount", base / "volume"], check=True)

    start = "the home lies on btrfs; a snapshot takes an instant; "
    assert before == (
        f"{start}quotas are off, so a tree's size is not bounded (btrfs quota enable)"
    )
    assert after == f"{start}quotas are on, so a tree is no larger than its disk"
