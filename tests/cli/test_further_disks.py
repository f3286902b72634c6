"""``wirt disk`` on guests that do not run, and disks in and out: real files, a real block device, exact messages."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host import loop
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE
from wirt.units import MIB


@pytest.fixture
def guest(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a guest without further disks."""
    if not module_home.guests():
        module_home.wirt("create", "-t", TINY, "-a", "uml", "web", status=0)
    for disk in json.loads(module_home.wirt("disk", "list", "--json", status=0).stdout or "[]"):
        module_home.wirt("disk", "remove", "web", disk["disk"]["name"], status=0)
    return module_home


def test_disks_are_added_listed_grown_and_removed(guest: HomeUnderTest, tmp_path: Path) -> None:
    image = tmp_path / "old.raw"
    image.touch()
    os.truncate(image, 2 * MIB)
    said = [
        guest.wirt("disk", *words, status=0).stdout
        for words in (
            ["add", "web", "--size", "8M", "--name", "data"],
            ["add", "web", str(image), "--format", "raw", "--read-only"],
            ["grow", "web", "data", "16M"],
            ["list"],
            ["remove", "web", "data"],
        )
    ]
    shown = guest.wirt("show", "web", status=0).stdout
    pool = Path(guest.home.data, "pools/image", guest.guests()[0].id)

    assert said == [
        "guest web has disk data now\n",
        "guest web has disk disk-c now\n",
        "disk data of guest web has 16 MiB now\n",
        "GUEST  DISK    SIZE    ACCESS  DEVICE     ON\n"
        "web    data    16 MiB  write   /dev/ubdb  pool\n"
        f"web    disk-c  2 MiB   read    /dev/ubdc  {image} (raw)\n",
        "guest web has no disk data any more\n",
    ]
    assert f"further disk disk-c: {image}, read-only\n" in shown
    assert sorted(path.name for path in pool.iterdir()) == ["ubd"]


def test_block_device_that_the_node_has_mounted_is_refused(
    guest: HomeUnderTest, tmp_path: Path
) -> None:
    image, place = tmp_path / "image", tmp_path / "mounted"
    image.write_bytes(bytes(4 * MIB))
    place.mkdir()
    subprocess.run(["mke2fs", "-q", "-F", image], check=True)
    with loop.opened(str(image)) as device:
        subprocess.run(["mount", device, place], check=True)
        try:
            mounted = guest.wirt("disk", "add", "web", device, "--format", "raw")
            bound = guest.wirt("disk", "add", "web", str(image), "--format", "raw")
        finally:
            subprocess.run(["umount", place], check=True)
        free = guest.wirt("disk", "add", "web", device, "--format", "raw")
        listed = guest.wirt("disk", "list", "web", status=0).stdout

    assert (mounted.returncode, mounted.stderr) == (
        4,
        f"wirt: {device} is in use on the node; see lsblk; unmount what is on it\n",
    )
    assert (bound.returncode, bound.stderr) == (
        4,
        f"wirt: {image} is in use on the node: {device} is bound to it; unmount what is on it, or losetup "
        f"-d {device}\n",
    )
    assert free.returncode == 0, free.stderr
    assert f"4 MiB  write   /dev/ubdb  {device} (raw)" in listed


def test_disk_that_can_only_be_read_is_said_to_be(guest: HomeUnderTest, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(MIB))
    device = subprocess.run(
        ["losetup", "--find", "--show", "--read-only", image],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    try:
        written = guest.wirt("disk", "add", "web", device, "--format", "raw")
        read = guest.wirt("disk", "add", "web", device, "--format", "raw", "--read-only")
    finally:
        subprocess.run(["losetup", "-d", device], check=True)

    assert written.stderr == f"wirt: {device} can only be read; pass --read-only\n"
    assert read.returncode == 0, read.stderr


def test_approach_that_reads_no_qcow2_says_so(guest: HomeUnderTest, tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    refused = guest.wirt("disk", "add", "web", str(image), "--format", "qcow2")

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: guest web cannot have a disk in qcow2: approach uml reads raw; convert it: qemu-img convert -f "
        f"qcow2 -O raw {image} NEW\n",
    )


def test_running_container_is_told_that_it_can_have_none(guest: HomeUnderTest) -> None:
    guest.wirt("create", "-t", TINY, "box", status=0)
    refused = guest.wirt("disk", "add", "box", "--size", "1M")
    guest.wirt("destroy", "box", status=0)

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: guest box cannot have further disks: approach lxc has no kernel of its own that would drive "
        "them; use the approach uml, qemu or kvm\n",
    )


def test_disk_of_its_own_is_for_machines_alone(guest: HomeUnderTest) -> None:
    refused = guest.wirt("create", "new", "--blank")

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: guest new cannot have a disk of its own: approach lxc has no machine whose firmware would boot "
        "from it; use the approach qemu or kvm\n",
    )


def test_disk_of_its_own_is_not_cloned(guest: HomeUnderTest) -> None:
    guest.wirt("create", "own", "-a", "qemu", "--blank", "--disk", "64M", status=0)
    refused = guest.wirt("clone", "own", "other")
    guest.wirt("destroy", "own", status=0)

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: guest own cannot be cloned: nobody knows what on its disk is its own; export its disk and import "
        "that: wirt export, wirt import\n",
    )


def test_import_without_a_format_is_refused(guest: HomeUnderTest) -> None:
    refused = guest.wirt("import", "disk.img", "new")

    assert refused.returncode == 2
    assert refused.stderr.startswith("wirt: missing option '--format'")


def test_guest_under_uml_that_never_ran_is_exported_as_its_templates_image(
    guest: HomeUnderTest, tmp_path: Path
) -> None:
    target = tmp_path / "disk.raw"
    done = guest.wirt("export", "web", str(target), "--format", "raw", status=0)
    (image,) = Path(guest.home.templates).glob(f"{TINY}*/root.img")
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "raw", str(target), str(image)]
    same = subprocess.run(compare, stdout=subprocess.DEVNULL).returncode

    assert done.stdout.startswith(f"guest web exported: {target}, ")
    assert same == 0
    assert [path.name for path in tmp_path.iterdir()] == ["disk.raw"]


class Kept:
    """The root and a disk of a guest, written to by nobody but us."""

    def __init__(self, home: HomeUnderTest) -> None:
        place = Path(home.home.data, "pools/image", home.guests()[0].id)
        self.root, self.data = place / "ubd/disk", place / "disks/data"

    def write(self, what: str) -> None:
        self.root.write_text(what)
        with self.data.open("r+") as disk:
            disk.write(what)

    def read(self) -> tuple[str, str]:
        with self.data.open() as disk:
            return self.root.read_text(), disk.read(3)


@pytest.fixture
def kept(guest: HomeUnderTest) -> Iterator[Kept]:
    """Give what was kept as "first" with one text on it, and has another now."""
    guest.wirt("disk", "add", "web", "--size", "1M", "--name", "data", status=0)
    made = Kept(guest)
    made.write("one")
    said = guest.wirt("snapshot", "create", "web", "first", "--disks", status=0).stdout
    made.write("two")
    assert said == "snapshot first of guest web created with data\n"
    yield made
    guest.wirt("snapshot", "delete", "web", "first", status=0)
    made.root.unlink()


def test_disk_goes_back_with_the_root_and_stays_as_large_as_it_has_become(
    guest: HomeUnderTest, kept: Kept
) -> None:
    guest.wirt("disk", "grow", "web", "data", "2M", status=0)
    guest.wirt("disk", "add", "web", "--size", "1M", "--name", "later", status=0)
    later = kept.data.with_name("later")
    later.write_text("later")
    guest.wirt("snapshot", "restore", "web", "first", status=0)
    back, size = kept.read(), kept.data.stat().st_size
    guest.wirt("disk", "remove", "web", "data", status=0)
    guest.wirt("snapshot", "restore", "web", "first", status=0)
    listed = json.loads(guest.wirt("snapshot", "list", "web", "--json", status=0).stdout)

    assert back == ("one", "one")
    assert size == 2 * MIB
    assert later.read_text() == "later"
    assert sorted(path.name for path in later.parent.iterdir()) == ["later"]
    assert listed[0]["disks"] == ["data"]


def test_restore_killed_anywhere_leaves_root_and_disk_of_one_time(
    guest: HomeUnderTest, kept: Kept, tmp_path: Path
) -> None:
    points = tmp_path / "points"
    restore = ("snapshot", "restore", "web", "first")
    guest.wirt(*restore, environment={TRACE_VARIABLE: str(points)}, status=0)
    found = set()
    for point in points.read_text().split():
        kept.write("two")
        guest.wirt(*restore, environment={KILL_VARIABLE: point})
        guest.wirt("list", status=0)
        found.add(kept.read())

    assert found == {("one", "one"), ("two", "two")}


def test_snapshot_of_disks_that_there_are_not_is_refused(guest: HomeUnderTest) -> None:
    refused = guest.wirt("snapshot", "create", "web", "--disks")

    assert (refused.returncode, refused.stderr) == (
        2,
        "wirt: guest web has no further disks in its pool; leave --disks out; see wirt disk list web\n",
    )
