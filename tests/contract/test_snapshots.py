"""What every pool with snapshots promises of them, asked of the fake and of each kind that this node has."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.pools import GUEST, OTHER, WITH_SNAPSHOTS, Made, only
from tests.homes import BUSYBOX

from wirt.errors import Failed, OutOfSpace, Unsupported
from wirt.host import ext4, mount
from wirt.model.ids import SHARED
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage
from wirt.storage.base import HasSnapshots, Portable, Snapshots
from wirt.storage.fake import FakePool
from wirt.storage.loopdisk import DISK
from wirt.storage.lvm import LvmPool
from wirt.storage.powers import Travelling
from wirt.transport.program import rsync
from wirt.units import GIB, MIB


@pytest.fixture
def keeper(made: Made) -> Iterator[Snapshots]:
    assert isinstance(made.pool, HasSnapshots)
    made.clone()
    kept = made.pool.snapshots()
    yield kept
    for name in ("one", "two"):
        kept.detach(GUEST, name)


def write(made: Made, name: str, text: str) -> None:
    path = Path(made.attach_tree().path, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    made.pool.detach(GUEST)


def read(made: Made, name: str) -> str | None:
    path = Path(made.attach_tree().path, name)
    said = path.read_text() if path.exists() else None
    made.pool.detach(GUEST)
    return said


def restore(made: Made, keeper: Snapshots, name: str) -> None:
    keeper.prepare_restore(GUEST, name, made.size)
    keeper.finish_restore(GUEST)


@only(WITH_SNAPSHOTS)
def test_probe_of_an_unknown_snapshot_is_absent(keeper: Snapshots) -> None:
    assert keeper.probe(GUEST, "one") is Presence.ABSENT
    assert keeper.find_attached(GUEST, "one") is None


@only(WITH_SNAPSHOTS)
def test_restore_brings_back_what_was_there_and_nothing_else(made: Made, keeper: Snapshots) -> None:
    write(made, "etc/changed", "before")
    keeper.take(GUEST, "one")
    write(made, "etc/changed", "after")
    write(made, "etc/added", "after")
    restore(made, keeper, "one")

    assert keeper.probe(GUEST, "one") is Presence.PRESENT
    assert read(made, "etc/changed") == "before"
    assert read(made, "etc/added") is None
    assert read(made, "sbin/init") is not None


@only(WITH_SNAPSHOTS)
def test_take_again_keeps_the_first(made: Made, keeper: Snapshots) -> None:
    write(made, "etc/note", "before")
    keeper.take(GUEST, "one")
    write(made, "etc/note", "after")
    keeper.take(GUEST, "one")
    restore(made, keeper, "one")

    assert read(made, "etc/note") == "before"


@only(WITH_SNAPSHOTS)
def test_root_that_was_restored_can_be_changed_and_its_snapshot_stays(
    made: Made, keeper: Snapshots
) -> None:
    write(made, "etc/note", "before")
    keeper.take(GUEST, "one")
    restore(made, keeper, "one")
    write(made, "etc/note", "after")
    changed = read(made, "etc/note")
    restore(made, keeper, "one")

    assert changed == "after"
    assert read(made, "etc/note") == "before"


@only(WITH_SNAPSHOTS)
def test_restore_that_is_cancelled_leaves_the_root_as_it_is(made: Made, keeper: Snapshots) -> None:
    keeper.take(GUEST, "one")
    write(made, "etc/note", "after")
    before = sorted(os.listdir(f"{made.directory}/{GUEST}"))
    keeper.prepare_restore(GUEST, "one", made.size)
    for _ in range(2):
        keeper.cancel_restore(GUEST)
    keeper.finish_restore(GUEST)

    assert read(made, "etc/note") == "after"
    assert sorted(os.listdir(f"{made.directory}/{GUEST}")) == before


@only(WITH_SNAPSHOTS)
def test_delete_leaves_nothing_and_the_others(made: Made, keeper: Snapshots) -> None:
    keeper.take(GUEST, "one")
    keeper.take(GUEST, "two")
    for _ in range(2):
        keeper.delete(GUEST, "one")

    assert keeper.probe(GUEST, "one") is Presence.ABSENT
    assert keeper.probe(GUEST, "two") is Presence.PRESENT
    assert os.listdir(f"{made.directory}/{GUEST}/snapshots") == ["two"]


@only(WITH_SNAPSHOTS)
def test_remove_of_the_guest_takes_its_snapshots_along_even_if_one_is_shown(
    made: Made, keeper: Snapshots
) -> None:
    keeper.take(GUEST, "one")
    keeper.attach(made.form_path, GUEST, "one")
    made.pool.remove(GUEST)

    assert os.listdir(made.directory) == []
    assert mount.mounts_below(made.directory) == []


@only(WITH_SNAPSHOTS)
def test_snapshot_that_has_been_sent_is_the_same_under_its_name(
    made: Made, keeper: Snapshots
) -> None:
    if not isinstance(keeper, Travelling):
        assert not isinstance(made.pool, Portable)
        return
    write(made, "etc/mark", "one")
    keeper.take(GUEST, "one")
    write(made, "etc/mark", "since")
    write(made, "etc/more", "since")
    place = made.pool.place(GUEST)
    fresh = keeper.await_copy(GUEST, "two")
    assert keeper.probe(GUEST, "two") is Presence.PARTIAL
    # Whoever sends sends it again if the first time was cut short.
    assert keeper.await_copy(GUEST, "two") == fresh
    rsync(f"{place}/{keeper.part(GUEST, 'one')}", f"{place}/{fresh}", node="here", moving=False)
    keeper.take_copy(made.form_path, GUEST, "two")
    keeper.delete(GUEST, "one")
    assert keeper.probe(GUEST, "two") is Presence.PRESENT
    restore(made, keeper, "two")

    assert (read(made, "etc/mark"), read(made, "etc/more")) == ("one", None)


@only(["image-qcow2"])
def test_snapshot_of_a_layer_that_has_been_sent_rests_on_this_nodes_image(
    made: Made, tmp_path: Path
) -> None:
    made.clone()
    assert isinstance(made.pool, HasSnapshots)
    keeper, other = made.pool.snapshots(), tmp_path / "image"
    assert isinstance(keeper, Travelling)
    keeper.take(GUEST, "one")
    other.write_bytes(Path(made.form_path).read_bytes())
    place = made.pool.place(GUEST)
    fresh = keeper.await_copy(GUEST, "two")
    rsync(f"{place}/{keeper.part(GUEST, 'one')}", f"{place}/{fresh}", node="here", moving=False)
    keeper.take_copy(str(other), GUEST, "two")
    info = ["qemu-img", "info", f"{place}/{keeper.part(GUEST, 'two')}disk"]

    assert f"backing file: {other}\n" in subprocess.check_output(info, text=True)


@only(WITH_SNAPSHOTS)
def test_snapshot_of_one_guest_is_not_the_others(made: Made, keeper: Snapshots) -> None:
    made.clone(OTHER)
    keeper.take(GUEST, "one")

    assert keeper.probe(OTHER, "one") is Presence.ABSENT


@only(WITH_SNAPSHOTS)
def test_restore_of_a_snapshot_that_was_deleted_by_hand_says_so(
    made: Made, keeper: Snapshots
) -> None:
    with pytest.raises(Failed) as caught:
        keeper.prepare_restore(GUEST, "one", GIB)

    assert str(caught.value) == (
        f"{made.directory}/{GUEST}/snapshots/one is gone; somebody has deleted it by hand"
    )


@only(WITH_SNAPSHOTS)
def test_snapshot_is_shown_as_it_was_and_hidden_again(made: Made, keeper: Snapshots) -> None:
    write(made, "etc/note", "before")
    keeper.take(GUEST, "one")
    write(made, "etc/note", "after")
    where = keeper.attach(made.form_path, GUEST, "one")
    shown = Path(where, "etc/note").read_text(), Path(where, "sbin/init").exists()
    found = keeper.find_attached(GUEST, "one")
    again = keeper.attach(made.form_path, GUEST, "one")
    for _ in range(2):
        keeper.detach(GUEST, "one")

    assert shown == ("before", True)
    assert found == again == where
    assert keeper.find_attached(GUEST, "one") is None
    assert mount.mounts_below(made.directory) == []


@only(WITH_SNAPSHOTS)
def test_measure_is_about_what_was_written_since(made: Made, keeper: Snapshots) -> None:
    write(made, "etc/large", "x" * MIB)
    subprocess.run(["sync", "-f", made.directory], check=True)
    keeper.take(GUEST, "one")
    # On btrfs they share it until the guest changes it.
    write(made, "etc/large", "y" * MIB)
    subprocess.run(["sync", "-f", made.directory], check=True)

    # LVM counts by chunks, of which the first and the last hold something else too.
    least = 0.75 * MIB if isinstance(made.pool, LvmPool) else MIB
    assert least <= keeper.measure(GUEST, "one") < 8 * MIB


@only([name for name in WITH_SNAPSHOTS if name != "fake"])
def test_snapshot_that_is_shown_outlasts_a_stop_and_nobody_can_write_there(
    made: Made, keeper: Snapshots
) -> None:
    keeper.take(GUEST, "one")
    where = keeper.attach(made.form_path, GUEST, "one")
    made.attach()
    made.pool.detach(GUEST)
    options = subprocess.run(
        ["findmnt", "-no", "OPTIONS", where], capture_output=True, text=True, check=True
    ).stdout.split(",")

    assert made.pool.probe_attached(GUEST) is Presence.ABSENT
    assert keeper.find_attached(GUEST, "one") == where
    assert {"ro", "nosuid", "nodev"} <= set(options)
    with pytest.raises(OSError, match="Read-only"):
        Path(where, "etc/note").touch()


@only([name for name in WITH_SNAPSHOTS if name != "fake"])
def test_restore_keeps_all_that_a_file_can_be(made: Made, keeper: Snapshots) -> None:
    """Deleted files and replaced directories of the template, owners, modes, links, attributes, rights, holes."""
    idmap = SHARED
    root = Path(made.attach_tree(idmap=idmap).path)
    (root / "etc/passwd").unlink()
    subprocess.run(["rm", "-r", root / "usr"], check=True)
    (root / "usr").mkdir()
    program = root / "root/program"
    program.write_bytes(Path(BUSYBOX).read_bytes())
    os.chown(program, idmap.first + 33, idmap.first + 34)
    program.chmod(0o4751)
    os.link(program, root / "root/second")
    os.symlink("/etc/shadow", root / "root/link")
    os.mkfifo(root / "root/pipe")
    os.setxattr(program, "user.colour", b"green")
    subprocess.run(["setcap", "cap_net_raw+ep", root / "root/second"], check=False)
    with (root / "root/hole").open("wb") as hole:
        hole.truncate(GIB)
    wanted = described(root)
    made.pool.detach(GUEST)
    keeper.take(GUEST, "one")
    subprocess.run(["rm", "-r", Path(made.attach_tree(idmap=idmap).path, "root")], check=True)
    made.pool.detach(GUEST)
    restore(made, keeper, "one")
    root = Path(made.attach_tree(idmap=idmap).path)

    assert described(root) == wanted
    assert "etc/passwd" not in wanted
    assert [name for name in wanted if name.startswith("usr/")] == []
    assert (root / "root/program").stat().st_ino == (root / "root/second").stat().st_ino
    assert (root / "root/hole").stat().st_blocks == 0


def described(root: Path) -> dict[str, object]:
    """Return everything below a directory, with what a file has beside its content."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        names = os.listxattr(path, follow_symlinks=False)
        found[str(path.relative_to(root))] = (
            oct(status.st_mode),
            status.st_uid,
            status.st_gid,
            status.st_mtime_ns,
            None if path.is_dir() else (status.st_nlink, status.st_size),
            {name: os.getxattr(path, name, follow_symlinks=False) for name in names},
        )
    return found


@only(["directory"])
def test_copy_that_does_not_fit_is_refused_before_it_is_begun(
    made: Made, keeper: Snapshots
) -> None:
    # The guest's directory on a small disk of its own: it holds the guest's file, and not a second one.
    small = f"{made.directory}/{GUEST}"
    made.pool.remove(GUEST)
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "none", small], check=True)
    made.clone()
    Path(small, "layer/upper/large").write_bytes(b"x" * 3 * MIB)
    with pytest.raises(OutOfSpace) as caught:
        keeper.take(GUEST, "one")

    assert str(caught.value) == (
        f"a copy of {small}/layer/upper does not fit on the disk: it takes 3 MiB, and 1 MiB are "
        "free; free some space and try again"
    )
    assert keeper.probe(GUEST, "one") is Presence.ABSENT
    assert not os.path.exists(f"{small}/snapshots/one.new")
    made.pool.detach(GUEST)


@only(["image-tree"])
def test_snapshot_of_a_disk_in_use_is_sound_and_the_disk_goes_on(
    made: Made, keeper: Snapshots
) -> None:
    root = Path(made.attach_tree().path)
    (root / "etc/note").write_text("before")
    keeper.take(GUEST, "one")
    (root / "etc/note").write_text("after")
    sound = subprocess.run(
        ["e2fsck", "-f", "-n", f"{made.directory}/{GUEST}/snapshots/one"], capture_output=True
    )
    where = keeper.attach(made.form_path, GUEST, "one")
    shown = Path(where, "etc/note").read_text()
    # Shown, it is a device of its own: nothing of it is left when it is hidden, or deleted.
    keeper.delete(GUEST, "one")

    assert sound.returncode == 0, sound.stdout
    assert shown == "before"
    assert read(made, "etc/note") == "after"
    assert (
        f"{made.directory}/{GUEST}/snapshots"
        not in subprocess.run(
            ["losetup", "-n", "-O", "BACK-FILE"], capture_output=True, text=True, check=True
        ).stdout
    )


@only(["image-tree"])
def test_disk_that_a_dead_copy_left_held_still_goes_on_when_its_snapshot_is_deleted(
    made: Made, keeper: Snapshots
) -> None:
    root = Path(made.attach_tree().path)
    die_holding(f"{made.directory}/{GUEST}/layer")
    writing = subprocess.Popen(["touch", root / "etc/note"])
    with pytest.raises(subprocess.TimeoutExpired):
        writing.wait(0.2)
    for _ in range(2):
        keeper.delete(GUEST, "one")

    assert writing.wait(10) == 0


def die_holding(mount_point: str) -> None:
    """Hold a file system still in a process that dies over it."""
    child = os.fork()
    if child == 0:
        with mount.held_still(mount_point):
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@only(["image-tree"])
def test_root_that_is_restored_has_the_size_that_was_asked_for_or_is_not_restored(
    made: Made, keeper: Snapshots
) -> None:
    disk = f"{made.directory}/{GUEST}/{DISK}"
    Path(made.attach_tree().path, "etc/large").write_bytes(b"x" * 80 * MIB)
    made.pool.detach(GUEST)
    keeper.take(GUEST, "one")
    with pytest.raises(OutOfSpace) as caught:
        keeper.prepare_restore(GUEST, "one", 64 * MIB)
    keeper.cancel_restore(GUEST)
    before = os.stat(disk).st_size
    keeper.prepare_restore(GUEST, "one", 2 * GIB)
    keeper.finish_restore(GUEST)

    assert str(caught.value) == (
        "what the snapshot holds does not fit into a disk of 64 MiB; give the guest a larger one "
        "first, with wirt set --disk"
    )
    assert (before, os.stat(disk).st_size, ext4.read_size(disk)) == (GIB, 2 * GIB, 2 * GIB)
    assert Path(made.attach_tree().path, "etc/large").stat().st_size == 80 * MIB


@only(["image-qcow2", "image-ubd"])
def test_layer_of_an_image_goes_back_to_what_it_was(made: Made) -> None:
    assert isinstance(made.pool, HasSnapshots)
    made.clone()
    keeper = made.pool.snapshots()
    image = made.attach()
    assert isinstance(image, BlockImage)
    layer = Path(image.path)
    # User-Mode Linux makes its layer itself, when it is first started.
    before = layer.read_bytes() if layer.exists() else None
    keeper.take(GUEST, "one")
    layer.write_bytes(b"x" * MIB)
    keeper.take(GUEST, "two")
    restore(made, keeper, "one")
    first = layer.read_bytes() if layer.exists() else None
    restore(made, keeper, "two")
    second = layer.read_bytes()
    with pytest.raises(Unsupported):
        keeper.attach(made.form_path, GUEST, "two")
    sizes = keeper.measure(GUEST, "two"), os.listdir(f"{made.directory}/{GUEST}/snapshots")
    for name in ("one", "two"):
        keeper.delete(GUEST, name)

    assert (first, second) == (before, b"x" * MIB)
    assert MIB <= sizes[0] < 2 * MIB
    assert sorted(sizes[1]) == ["one", "two"]
    assert os.listdir(f"{made.directory}/{GUEST}") == [made.root]


@only(["fake"])
def test_take_told_to_fail_leaves_a_part_that_delete_takes_away(made: Made) -> None:
    pool = FakePool(made.directory, fail_at=2)
    pool.clone(made.form_path, GUEST, root="tree", size=GIB)
    keeper = pool.snapshots()
    with pytest.raises(Failed, match="copy was told to fail"):
        keeper.take(GUEST, "one")

    assert keeper.probe(GUEST, "one") is Presence.PARTIAL
    keeper.delete(GUEST, "one")
    assert keeper.probe(GUEST, "one") is Presence.ABSENT
