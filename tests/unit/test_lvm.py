"""The pool ``lvm`` on a node that answers as LVM does: what becomes of volumes, and of what a crash leaves.

Mounting, and LVM itself, are for the contract tests in the lab.
"""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from tests.fake_lvm import FakeLvm

from wirt.errors import Error, Failed, OutOfSpace
from wirt.host import ext4, lvm, run
from wirt.model.capability import no, yes
from wirt.model.pool import StoragePool
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage
from wirt.storage import volumes
from wirt.storage.lvm import LvmPool
from wirt.storage.lvmground import LvmGround
from wirt.units import GIB, MIB

GUEST, OTHER = "0000aa", "0000bb"
ON_DEVICE = StoragePool(
    name="fast",
    kind="lvm",
    path="",
    source="wirt-abcd-fast/thin",
    device="/dev/sdz",
    uuid="7b8d4f0e",
    created=0.0,
)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLvm:
    return FakeLvm(tmp_path / "dev", monkeypatch)


@pytest.fixture
def image(tmp_path: Path) -> str:
    """Make a template's image with one file in it."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/note").write_text("of the template")
    path = f"{tmp_path}/root.img"
    with open(path, "wb") as file:
        file.truncate(32 * MIB)
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", tmp_path / "tree", path],
        check=True,
    )
    return path


@pytest.fixture
def pool(tmp_path: Path, node: FakeLvm) -> LvmPool:
    templates = f"{tmp_path}/templates"
    return LvmPool(f"{tmp_path}/pool", thin_pool="vg/thin", templates=templates)


def volume(tmp_path: Path, guest_id: str = GUEST, name: str = "volume") -> Path:
    return tmp_path / "pool" / guest_id / name


def test_clone_is_a_snapshot_of_the_templates_volume_which_is_written_once(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    for guest in (GUEST, GUEST, OTHER):
        pool.clone(image, guest, root="tree", size=32 * MIB)
    told = [call for call in node.calls if call[0] == "lvcreate"]

    assert node.volumes == ["vg/wirt.0000aa", "vg/wirt.0000bb", "vg/wirt.template"]
    assert [call[:-1] for call in told[:1]] == [
        [
            *("lvcreate", "--quiet", "--yes", "--type", "thin", "--thinpool", "thin"),
            *("--virtualsize", f"{32 * MIB}b", "--name", told[0][-2]),
        ]
    ]
    assert told[1][:-2] == (
        ["lvcreate", "--quiet", "--yes", "--snapshot", "--setactivationskip", "n", "--name"]
    )
    assert (len(told), told[2][-1]) == (3, told[1][-1])
    assert volume(tmp_path).read_bytes() == Path(image).read_bytes()


@pytest.mark.parametrize("size", [16 * MIB, 48 * MIB])
def test_file_system_of_a_clone_has_the_size_of_its_disk(
    pool: LvmPool, tmp_path: Path, image: str, size: int
) -> None:
    pool.clone(image, GUEST, root="tree", size=size)

    assert ext4.read_size(str(volume(tmp_path))) == size
    assert volume(tmp_path).stat().st_size == size
    assert subprocess.run(["e2fsck", "-fn", volume(tmp_path)], capture_output=True).returncode == 0


def test_disk_of_a_guest_with_its_own_kernel_is_no_smaller_than_the_image(
    pool: LvmPool, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="qcow2", size=16 * MIB)
    disk = pool.attach(image, GUEST, root="qcow2", idmap=None)
    resizing = pool.probe_resize(GUEST, GIB)

    assert disk == BlockImage(path=str(volume(tmp_path)), format="raw", backing=None)
    assert ext4.read_size(disk.path) == 32 * MIB
    assert resizing == no("lvm", "the file system on its disk is the guest's own affair")


def test_template_that_does_not_fit_is_said_and_its_part_is_taken_away(
    pool: LvmPool, node: FakeLvm, image: str
) -> None:
    with pytest.raises(OutOfSpace) as caught:
        pool.clone(image, GUEST, root="tree", size=1 * MIB)
    half = pool.probe(GUEST)
    pool.remove(GUEST)

    assert str(caught.value) == (
        "the template does not fit into a disk of 1 MiB; ask for a larger one, with --disk"
    )
    assert half is Presence.PARTIAL
    assert node.volumes == ["vg/wirt.template"]


def test_volume_of_a_template_that_was_made_anew_or_is_gone_goes(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    os.utime(image, (1, 1))
    pool.clone(image, OTHER, root="tree", size=32 * MIB)
    both = list(node.volumes)
    os.unlink(image)
    pool.remove(OTHER)

    assert both == ["vg/wirt.0000aa", "vg/wirt.0000bb", "vg/wirt.template"]
    assert node.volumes == ["vg/wirt.0000aa"]
    assert os.listdir(tmp_path / "templates") == []
    assert pool.probe(GUEST) is Presence.PRESENT


def test_template_whose_writer_died_is_written_again(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    place = next((tmp_path / "templates").iterdir())
    (place / "written").unlink()
    os.truncate(place / "volume", 0)
    pool.clone(image, OTHER, root="tree", size=32 * MIB)

    assert volume(tmp_path, OTHER).read_bytes() == Path(image).read_bytes()
    assert node.volumes == ["vg/wirt.0000aa", "vg/wirt.0000bb", "vg/wirt.template"]


def test_disk_of_another_size_takes_the_place_of_the_old_one(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    for size in (64 * MIB, 64 * MIB, 16 * MIB):
        pool.resize(GUEST, size)

    assert ext4.read_size(str(volume(tmp_path))) == 16 * MIB
    assert node.volumes == ["vg/wirt.0000aa", "vg/wirt.template"]
    assert sorted(os.listdir(tmp_path / "pool" / GUEST)) == ["layer", "root", "volume"]


def test_disk_whose_change_fails_is_as_before(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    before = os.readlink(volume(tmp_path))
    node.failing = "lvresize"
    with pytest.raises(Failed) as caught:
        pool.resize(GUEST, 64 * MIB)

    assert str(caught.value) == "lvresize failed: lvresize was told to fail"
    assert os.readlink(volume(tmp_path)) == before
    assert node.volumes == ["vg/wirt.0000aa", "vg/wirt.template"]


def test_what_a_dead_change_of_size_left_goes_with_the_next(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    link = volume(tmp_path)
    # It died before the new volume took the place of the old one: both links lead to what the guest has.
    volumes.fork(str(link), str(volume(tmp_path, name="volume.resized")))
    os.symlink(os.readlink(link), volume(tmp_path, name="volume.replaced"))
    pool.resize(GUEST, 48 * MIB)
    first = list(node.volumes)
    # It died after that: one leads to what nobody needs.
    volumes.fork(str(link), str(volume(tmp_path, name="volume.replaced")))
    pool.resize(GUEST, 48 * MIB)

    assert first == node.volumes == ["vg/wirt.0000aa", "vg/wirt.template"]
    assert ext4.read_size(str(link)) == 48 * MIB


def test_snapshots_are_volumes_that_are_gone_back_to(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    keeper = pool.snapshots()
    keeper.take(GUEST, "one")
    kept = volume(tmp_path).read_bytes()
    volume(tmp_path).write_bytes(b"changed")
    measured = keeper.measure(GUEST, "one")
    keeper.prepare_restore(GUEST, "one", 32 * MIB)
    keeper.finish_restore(GUEST)
    restored = volume(tmp_path).read_bytes()
    keeper.delete(GUEST, "one")

    assert restored == kept
    assert measured == MIB
    assert ["dmsetup", "message", "vg--b-thin--a-tpool", "0", "release_metadata_snap"] in node.calls
    assert node.volumes == ["vg/wirt.0000aa", "vg/wirt.template"]


def test_snapshot_whose_maker_died_before_its_volume_was_made_is_a_part_that_goes(
    pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str
) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    node.failing = "lvcreate"
    keeper = pool.snapshots()
    with pytest.raises(Failed, match="lvcreate was told to fail"):
        keeper.take(GUEST, "one")
    half = keeper.probe(GUEST, "one")
    keeper.delete(GUEST, "one")

    assert half is Presence.PARTIAL
    assert sorted(os.listdir(tmp_path / "pool" / GUEST)) == ["layer", "root", "volume"]


def test_snapshot_of_a_disk_with_a_guests_own_file_system_is_not_shown(
    pool: LvmPool, image: str
) -> None:
    pool.clone(image, GUEST, root="qcow2", size=32 * MIB)
    keeper = pool.snapshots()
    keeper.take(GUEST, "one")
    with pytest.raises(Error) as caught:
        keeper.attach(image, GUEST, "one")

    assert str(caught.value) == (
        "snapshot one cannot be shown: the file system on its disk is the guest's own; restore it, "
        "and look from inside the guest"
    )


def test_remove_forgets_no_volume(pool: LvmPool, node: FakeLvm, tmp_path: Path, image: str) -> None:
    pool.clone(image, GUEST, root="tree", size=32 * MIB)
    pool.snapshots().take(GUEST, "one")
    pool.snapshots().prepare_restore(GUEST, "one", 32 * MIB)
    for _ in range(2):
        pool.remove(GUEST)

    assert node.volumes == ["vg/wirt.template"]
    assert os.listdir(tmp_path / "pool") == []


def on_device(tmp_path: Path) -> StoragePool:
    return msgspec.structs.replace(ON_DEVICE, path=f"{tmp_path}/fast")


def in_group(tmp_path: Path, size: int = GIB) -> StoragePool:
    return StoragePool(
        name="fast",
        kind="lvm",
        path=f"{tmp_path}/fast",
        source="vg0/wirt-abcd-fast",
        size=size,
        uuid="7b8d4f0e",
        created=0.0,
    )


def ground_of(pool: StoragePool) -> LvmGround:
    return LvmGround(pool, pool.source or "")


def test_ground_on_a_device_is_made_and_taken_away_again_and_again(
    node: FakeLvm, tmp_path: Path
) -> None:
    ground = ground_of(on_device(tmp_path))
    seen = []
    for part in ground.parts():
        for _ in range(2):
            part.make()
        seen.append([one.probe() is Presence.PRESENT for one in ground.parts()])
    free = ground.free_bytes()
    made = [call for call in node.calls if call[0] in ("vgcreate", "lvcreate", "lvchange")]
    for part in reversed(ground.parts()):
        for _ in range(2):
            part.take_away()

    assert seen == [[True, False, False], [True, True, False], [True, True, True]]
    assert free == 0.75 * GIB
    assert made == [
        [
            *("vgcreate", "--quiet", "--yes", "--addtag", "wirt.7b8d4f0e"),
            *("wirt-abcd-fast", "/dev/sdz"),
        ],
        [
            *("lvcreate", "--quiet", "--yes", "--type", "thin-pool", "--addtag", "wirt.7b8d4f0e"),
            *("--extents", "100%FREE", "--name", "thin", "wirt-abcd-fast"),
        ],
        ["lvchange", "--quiet", "--errorwhenfull", "y", "wirt-abcd-fast/thin"],
    ]
    assert (node.groups, node.pools) == ({}, {})
    assert not (tmp_path / "fast").exists()


def test_thin_pool_that_is_not_this_ones_is_left_alone(node: FakeLvm, tmp_path: Path) -> None:
    node.groups["vg0"] = ("/dev/sdb", "", 4 * GIB)
    node.pools["vg0/wirt-abcd-fast"] = (GIB, "somebody's")
    ground = ground_of(in_group(tmp_path))
    for part in reversed(ground.parts()):
        part.take_away()
    with pytest.raises(Failed) as caught:
        ground.open()

    assert list(node.pools) == ["vg0/wirt-abcd-fast"]
    assert str(caught.value) == (
        "pool fast is not there: there is no thin pool vg0/wirt-abcd-fast of its; connect the disk "
        "that it is on"
    )


def refusal(pool: StoragePool) -> str:
    with pytest.raises(Error) as caught:
        ground_of(pool).check_new(force=False)
    return str(caught.value)


def test_group_is_refused_if_it_is_not_there_or_has_no_room(
    node: FakeLvm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "find_program", lambda name: None)
    missing = refusal(in_group(tmp_path))
    monkeypatch.setattr(run, "find_program", lambda name: f"/sbin/{name}")
    unknown = refusal(in_group(tmp_path))
    node.groups["vg0"] = ("/dev/sdb", "", 4 * GIB)
    small = refusal(in_group(tmp_path, 5 * GIB))
    node.pools["vg0/wirt-abcd-fast"] = (GIB, "somebody's")
    taken = refusal(in_group(tmp_path))

    assert missing == "LVM is not installed; apt-get install lvm2 thin-provisioning-tools"
    assert unknown == "there is no volume group vg0; see vgs for those that there are"
    assert small == (
        "a pool of 5 GiB does not fit into group vg0: 4 GiB are free; ask for less, or add a disk to it"
    )
    assert taken == "there is a volume vg0/wirt-abcd-fast already; choose another name"


def test_capability_says_what_is_missing(
    pool: LvmPool, node: FakeLvm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lvm, "has_thin_volumes", lambda: False)
    without_kernel = pool.probe_capability()
    monkeypatch.setattr(lvm, "has_thin_volumes", lambda: True)
    monkeypatch.setattr(run, "find_program", lambda name: None)
    without_programs = pool.probe_capability()
    monkeypatch.setattr(run, "find_program", lambda name: f"/sbin/{name}")

    assert without_kernel == no(
        "lvm",
        "the kernel has no device-mapper with thin volumes",
        "use a kernel with dm-thin-pool, as Debian's linux-image-amd64 is",
    )
    assert without_programs == no(
        "lvm", "LVM is not installed", "apt-get install lvm2 thin-provisioning-tools"
    )
    assert pool.probe_capability() == yes(
        "lvm",
        "thin volumes, each as large as its disk; a snapshot takes an instant; such a pool is made: "
        "wirt pool create",
    )
