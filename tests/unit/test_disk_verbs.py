"""Further disks: what can be given, and the verbs over a node of fakes."""

import os
import struct
import subprocess
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import TakesDisks
from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound, Unsupported
from wirt.model.disk import MOST_CDROMS, MOST_DISKS, Disk, check_disk_name, check_size
from wirt.ops import journal, recovery
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.disk import DiskRequest, add_disk, grow_disk, list_disks, remove_disk
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore
from wirt.storage.disks import nodedisks
from wirt.units import GIB, MIB


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return open_context(tmp_path)


def open_context(base: Path, **fail: object) -> Context:
    context = fakes.open_context(base, MemoryStore(), **fail)  # type: ignore[arg-type]
    for name in ("web", "shop"):
        create(context, CreateRequest(name=name, approach="fake", template="tiny"))
    return context


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "data.raw"
    path.write_bytes(bytes(MIB))
    return str(path)


def of_node(path: str, **others: object) -> DiskRequest:
    return msgspec.structs.replace(DiskRequest(source=path, format="raw"), **others)


def in_engine(base: Path) -> list[str]:
    """Return the disks that running guests have."""
    return sorted(path.name for path in (base / "kernel/guests").glob("*/disk-*"))


def in_pool(base: Path) -> list[tuple[str, int]]:
    return sorted(
        (path.name, path.stat().st_size) for path in (base / "home/pools").glob("*/*/disks/*")
    )


def refusal(error: type[Error], context: Context, request: DiskRequest) -> str:
    with pytest.raises(error) as caught:
        add_disk(context, "web", request)
    assert context.store.find("web").disks == ()
    assert context.store.intents() == []
    return str(caught.value)


def test_disk_of_the_pool_goes_into_a_running_guest_and_out_again(
    context: Context, tmp_path: Path
) -> None:
    start(context, "web")
    added = add_disk(context, "web", DiskRequest(size=MIB + 1))
    seen = [(in_engine(tmp_path), in_pool(tmp_path), context.store.find("web").disks)]
    removed = remove_disk(context, "web", "disk-b")
    seen.append((in_engine(tmp_path), in_pool(tmp_path), context.store.find("web").disks))

    assert added == removed == Disk(name="disk-b", unit=1, size=MIB + 4096)
    assert seen == [(["disk-disk-b"], [("disk-b", MIB + 4096)], (added,)), ([], [], ())]


def test_disks_are_there_when_the_guest_is_started_and_gone_when_it_is_destroyed(
    context: Context, tmp_path: Path, image: str
) -> None:
    add_disk(context, "web", DiskRequest(size=MIB, name="data"))
    add_disk(context, "web", of_node(image, read_only=True))
    start(context, "web")
    running = in_engine(tmp_path)
    stop(context, "web")
    stopped = in_engine(tmp_path), in_pool(tmp_path)
    destroy(context, "web")

    assert running == ["disk-data", "disk-disk-c"]
    assert stopped == ([], [("data", MIB)])
    assert in_pool(tmp_path) == []
    assert os.path.exists(image)


def test_place_of_a_disk_that_was_removed_is_given_again(context: Context) -> None:
    for name in ("one", "two", "three"):
        add_disk(context, "web", DiskRequest(size=MIB, name=name))
    remove_disk(context, "web", "one")

    assert add_disk(context, "web", DiskRequest(size=MIB, name="four")).unit == 1


def test_disk_grows_whether_its_guest_runs_or_not(context: Context, tmp_path: Path) -> None:
    add_disk(context, "web", DiskRequest(size=MIB, name="data"))
    grow_disk(context, "web", "data", 2 * MIB)
    start(context, "web")
    grown = grow_disk(context, "web", "data", 3 * MIB)

    assert grown.size == 3 * MIB
    assert in_pool(tmp_path) == [("data", 3 * MIB)]


def test_list_shows_the_size_of_a_disk_of_the_node_as_it_is_now(
    context: Context, image: str
) -> None:
    add_disk(context, "web", of_node(image))
    os.truncate(image, 3 * MIB)
    found = list_disks(context)
    os.unlink(image)

    assert [(one.guest, one.size, one.device) for one in found] == [("web", 3 * MIB, "/dev/fakeb")]
    assert [one.size for one in list_disks(context, "web")] == [None]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            DiskRequest(),
            "a disk is either of the guest's pool or of the node; give a --size, or name a file or "
            "block device",
        ),
        (
            DiskRequest(size=MIB, source="/srv/x", format="raw"),
            "a disk is either of the guest's pool or of the node; give a --size, or name a file or "
            "block device",
        ),
        (
            DiskRequest(size=MIB, format="qcow2"),
            "a disk of the guest's pool has the pool's format; leave --format out",
        ),
        (
            DiskRequest(source="/srv/x"),
            "it has to be said what format /srv/x is in; pass --format raw, or what it is: a guest may "
            "have written anything",
        ),
        (DiskRequest(size=4096), "a disk of 4 KiB cannot be given; ask for 1 MiB to 1024 TiB"),
        (
            DiskRequest(size=MIB, name="My Data"),
            "'My Data' is not a disk name; use up to 20 of a-z, 0-9 and hyphens, the first a letter, "
            "such as data",
        ),
        (
            DiskRequest(source="x.raw", format="raw"),
            "x.raw is no absolute path; begin it with /",
        ),
        (
            DiskRequest(source="/dev/null", format="raw"),
            "/dev/null is neither a file nor a block device",
        ),
    ],
)
def test_disk_that_makes_no_sense_is_refused(
    context: Context, request_: DiskRequest, said: str
) -> None:
    assert refusal(InvalidInput, context, request_) == said


def test_file_that_is_not_there_is_refused(context: Context, tmp_path: Path) -> None:
    assert refusal(NotFound, context, of_node(f"{tmp_path}/none")) == (
        f"there is no {tmp_path}/none; name a file or block device"
    )


def test_file_of_no_whole_sectors_is_refused(context: Context, image: str) -> None:
    os.truncate(image, 1000)

    assert refusal(InvalidInput, context, of_node(image)) == (
        f"{image} is no raw disk: it has 1000 bytes; a disk has sectors of 512, one at the least"
    )


def test_file_of_the_home_is_refused(context: Context, image: str) -> None:
    inside = f"{context.home.data}/other.raw"
    os.link(image, inside)

    assert refusal(Conflict, context, of_node(inside)) == (
        f"{inside} is the home's own; choose a file outside of it, or give a --size"
    )


def test_raw_file_that_is_said_to_be_qcow2_is_refused(context: Context, image: str) -> None:
    assert refusal(Error, context, of_node(image, format="qcow2")) == (
        f"{image} is no qcow2 image; say --format raw if it is raw"
    )


def test_qcow2_image_of_an_unknown_version_is_refused(context: Context, image: str) -> None:
    Path(image).write_bytes(b"QFI\xfb" + struct.pack(">I", 9) + bytes(MIB))

    assert refusal(Error, context, of_node(image, format="qcow2")) == (
        f"{image} is a qcow2 image of version 9; 2 and 3 are known"
    )


@pytest.mark.parametrize(
    "options",
    [
        ["-b", "/etc/shadow", "-F", "raw"],
        ["-b", "self", "-F", "qcow2"],
        ["-o", "data_file=elsewhere"],
    ],
)
def test_image_that_rests_on_another_file_is_refused_and_that_is_not_opened(
    context: Context, tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "self"
    # The size is given, so that the other file need not be there.
    unsafe = ["-u"] if "-b" in options else []
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", *unsafe, *options, path, "1M"],
        check=True,
        cwd=tmp_path,
    )

    assert refusal(InvalidInput, context, of_node(str(path), format="qcow2")) == (
        f"{path} rests on another file, which is not followed; put both into one: "
        "qemu-img convert -f qcow2 -O qcow2"
    )


def test_size_of_a_qcow2_image_is_what_its_guest_sees(context: Context, tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "3G"], check=True)
    add_disk(context, "web", of_node(path, format="qcow2"))

    assert [one.size for one in list_disks(context)] == [3 * GIB]


def test_disk_that_another_guest_has_is_refused_by_whatever_name(
    context: Context, tmp_path: Path, image: str
) -> None:
    link = str(tmp_path / "link")
    os.symlink(image, link)
    add_disk(context, "shop", of_node(image))

    assert refusal(Conflict, context, of_node(link, read_only=True)) == (
        f"{link} is disk disk-b of guest shop already; only with --read-only for all of them can "
        "several have it"
    )


def test_disk_that_is_only_read_can_be_several_guests(context: Context, image: str) -> None:
    for name in ("web", "shop"):
        add_disk(context, name, of_node(image, read_only=True))

    assert len(list_disks(context)) == 2


def test_second_disk_of_a_name_is_refused(context: Context) -> None:
    add_disk(context, "web", DiskRequest(size=MIB, name="data"))
    with pytest.raises(Conflict) as caught:
        add_disk(context, "web", DiskRequest(size=MIB, name="data"))

    assert str(caught.value) == "guest web has a disk data already; choose another with --name"


def test_more_disks_than_there_are_letters_for_are_refused(context: Context) -> None:
    for _ in range(MOST_DISKS):
        add_disk(context, "web", DiskRequest(size=MIB))
    with pytest.raises(Conflict) as caught:
        add_disk(context, "web", DiskRequest(size=MIB))

    assert str(caught.value) == (
        "guest web has 15 disks beside its root already; remove one first: wirt disk list web"
    )


def test_more_cds_than_there_are_drives_for_are_refused(context: Context, image: str) -> None:
    for _ in range(MOST_CDROMS):
        add_disk(context, "web", of_node(image, is_cdrom=True))
    with pytest.raises(Conflict) as caught:
        add_disk(context, "web", of_node(image, is_cdrom=True))
    found = context.store.find("web").disks

    assert str(caught.value) == (
        "guest web has 6 CD drives already; remove one first: wirt disk list web"
    )
    assert [disk.name for disk in found[:2]] == ["cd-b", "cd-c"]
    assert all(disk.read_only for disk in found)


def test_approach_without_a_kernel_of_its_own_takes_no_disks(context: Context) -> None:
    lacking = fakes.without(TakesDisks, context.approach("fake"))
    without = msgspec.structs.replace(context, approach=lambda name: lacking)

    assert refusal(Unsupported, without, DiskRequest(size=MIB)) == (
        "guest web cannot have further disks: approach fake has no kernel of its own that would drive "
        "them; use the approach uml, qemu or kvm"
    )


def test_disk_that_is_not_there_cannot_be_removed_or_grown(context: Context) -> None:
    said = []
    with pytest.raises(NotFound) as caught:
        remove_disk(context, "web", "data")
    said.append(str(caught.value))
    with pytest.raises(NotFound) as caught:
        grow_disk(context, "web", "data", MIB)
    said.append(str(caught.value))

    assert said == ["guest web has no disk data; see wirt disk list web"] * 2


def test_disk_does_not_shrink(context: Context) -> None:
    add_disk(context, "web", DiskRequest(size=2 * MIB, name="data"))
    with pytest.raises(InvalidInput) as caught:
        grow_disk(context, "web", "data", MIB)

    assert str(caught.value) == (
        "disk data of guest web has 2 MiB and cannot be made smaller; add another one, copy what is on "
        "it, and remove this"
    )


def test_disk_of_the_node_is_grown_by_whoever_has_it(context: Context, image: str) -> None:
    add_disk(context, "web", of_node(image, name="data"))
    with pytest.raises(Unsupported) as caught:
        grow_disk(context, "web", "data", 2 * MIB)

    assert str(caught.value) == (
        f"disk data of guest web is the node's: {image}; stop the guest and give that another size"
    )


def test_guest_whose_disk_is_gone_is_not_started(context: Context, image: str) -> None:
    add_disk(context, "web", of_node(image))
    os.unlink(image)
    with pytest.raises(NotFound) as caught:
        start(context, "web")

    assert str(caught.value) == f"there is no {image}; name a file or block device"
    assert context.store.find("web").state.value == "stopped"


def test_disk_of_the_pool_that_is_gone_is_named_with_the_way_out(
    context: Context, tmp_path: Path
) -> None:
    add_disk(context, "web", DiskRequest(size=MIB, name="data"))
    next((tmp_path / "home/pools").glob("*/*/disks/data")).unlink()
    with pytest.raises(NotFound) as caught:
        start(context, "web")
    remove_disk(context, "web", "data")

    assert str(caught.value) == (
        "disk data of guest web is not in pool fake any more; remove it: wirt disk remove web data"
    )
    assert context.store.find("web").disks == ()


def test_engine_that_does_not_take_a_disk_leaves_everything_as_before(tmp_path: Path) -> None:
    context = open_context(tmp_path, fail="approach", fail_at=2)
    start(context, "web")
    with pytest.raises(Failed) as caught:
        add_disk(context, "web", DiskRequest(size=MIB))

    assert str(caught.value) == "attach_disk was told to fail"
    assert (in_pool(tmp_path), in_engine(tmp_path)) == ([], [])
    assert context.store.find("web").disks == ()
    assert context.store.intents() == []


def test_guest_that_does_not_let_go_keeps_its_disk(tmp_path: Path) -> None:
    context = open_context(tmp_path, fail="approach", fail_at=3)
    start(context, "web")
    add_disk(context, "web", DiskRequest(size=MIB, name="data"))
    with pytest.raises(Failed):
        remove_disk(context, "web", "data")

    assert (in_pool(tmp_path), in_engine(tmp_path)) == ([("data", MIB)], ["disk-data"])
    assert [disk.name for disk in context.store.find("web").disks] == ["data"]
    assert context.store.intents() == []


def test_guest_that_ended_while_a_disk_was_put_in_is_found_without_it(context: Context) -> None:
    start(context, "web")
    guest = context.store.find("web")
    disk = Disk(name="data", unit=1, size=MIB)
    journal.begin(context, msgspec.structs.replace(guest, disks=(disk,)), "attach")
    context.approach("fake").kill(context.home.place(guest.id))
    recovered = recovery.recover(context, guest)

    assert recovered is not None
    assert recovered.disks == ()


@pytest.mark.parametrize("name", ["data", "xvda1", "a-b", "a" * 20])
def test_disk_name_that_a_virtio_disk_can_tell_is_taken(name: str) -> None:
    assert check_disk_name(name) == name


@pytest.mark.parametrize("name", ["", "1", "-a", "A", "a_b", "a" * 21, "a/b", "."])
def test_other_disk_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_disk_name(name)


def test_size_is_rounded_up_to_whole_pages() -> None:
    assert [check_size(MIB + more) - MIB for more in (0, 1, 4096)] == [0, 4096, 4096]


def test_identity_of_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert nodedisks.identity(f"{tmp_path}/none") is None
