"""Images of disks: what is refused, and that a disk is the same after all formats."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt import app
from wirt.errors import Conflict, Corrupt, Error, InvalidInput, NotFound, WrongState
from wirt.model.disk import IMAGE_FORMATS, DiskImage
from wirt.model.limits import Limits
from wirt.model.resources import BlockImage
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.exports import export_guest
from wirt.ops.imports import import_guest
from wirt.ops.journal import KILL_VARIABLE
from wirt.ops.start import start
from wirt.storage.disks import diskimages, ova
from wirt.units import MIB

SIZE = 65 * MIB


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "disk.raw"
    path.write_bytes(os.urandom(MIB))
    os.truncate(path, SIZE)
    return str(path)


@pytest.fixture
def context(home: HomeUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    with app.open_context(home.home) as opened:
        yield opened


def machine(name: str) -> CreateRequest:
    return CreateRequest(name=name, approach="qemu", limits=Limits(memory=256 * MIB))


def refusal(error: type[Error], form: str, path: str | Path) -> str:
    image = DiskImage(path=str(path), form=form)
    with pytest.raises(error) as caught:
        diskimages.measure(ova.find_disk(image.path) if form == "ova" else image)
    return str(caught.value)


def test_disk_goes_through_every_format_and_is_the_same(
    context: Context, image: str, tmp_path: Path
) -> None:
    path, form = image, "raw"
    for wanted in (*IMAGE_FORMATS, "raw"):
        import_guest(context, machine(wanted), path, form, disk=None)
        path, form = str(tmp_path / f"out.{wanted}"), wanted
        export_guest(context, wanted, path, form, force=True)
        disk = context.store.find(wanted).limits.disk
        destroy(context, wanted)

        assert disk == SIZE
    assert Path(path).read_bytes() == Path(image).read_bytes()


def test_disk_that_is_raw_in_its_pool_is_written_out(image: str, tmp_path: Path) -> None:
    disk = BlockImage(path=image, format="raw", backing=None)
    target = tmp_path / "written.raw"

    diskimages.write_out(disk, str(target), "raw")

    assert target.read_bytes() == Path(image).read_bytes()


def test_imported_disk_can_be_larger_and_not_smaller(context: Context, image: str) -> None:
    guest = import_guest(context, machine("web"), image, "raw", disk=80 * MIB)
    with pytest.raises(InvalidInput) as caught:
        import_guest(context, machine("other"), image, "raw", disk=64 * MIB)
    destroy(context, "web")

    assert (guest.limits.disk, guest.template, guest.has_template) == (80 * MIB, "", False)
    assert str(caught.value) == (
        f"the disk in {image} has 65 MiB, and does not fit into 64 MiB; leave --disk out, or ask for more"
    )


def test_root_of_a_container_is_exported_as_a_file_system(
    context: Context, home: HomeUnderTest, tmp_path: Path
) -> None:
    create(context, CreateRequest(name="web", template=TINY, limits=Limits(disk=64 * MIB)))
    path = str(tmp_path / "root.raw")
    export_guest(context, "web", path, "raw")
    listed = subprocess.run(
        ["debugfs", "-R", "ls /bin", path], capture_output=True, text=True, check=True
    ).stdout
    with pytest.raises(Conflict) as caught:
        export_guest(context, "web", path, "raw")
    start(context, "web")
    with pytest.raises(WrongState) as running:
        export_guest(context, "web", path, "raw", force=True)
    destroy(context, "web", force=True)

    assert os.stat(path).st_size == 64 * MIB
    assert "busybox" in listed
    assert sorted(os.listdir(tmp_path)) == ["root.raw"]
    assert str(caught.value) == f"there is a {path} already; name another file, or pass --force"
    assert str(running.value) == "guest web is running; stop it first"


def test_export_of_a_root_that_is_killed_leaves_nothing_shown(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    home.wirt("create", "-t", TINY, "--disk", "64M", "web", status=0)
    words = ["export", "web", f"{tmp_path}/root.raw", "--format", "raw"]
    for point in ("export:after-intent", "export:after:view", "export:before-settle"):
        home.wirt(*words, environment={KILL_VARIABLE: point}, status=-9)
        home.wirt("list", status=0)

        assert not os.path.exists(f"{home.home.guest(home.guests()[0].id)}/view")
    home.wirt(*words, status=0)

    assert os.listdir(tmp_path) == ["root.raw"]


@pytest.mark.parametrize("form", ["vmdk", "vhd", "vdi"])
def test_image_in_another_format_than_is_said_is_refused(image: str, form: str) -> None:
    assert refusal(Corrupt, form, image) == (
        f"{image} is no {form} image; say with --format what it is"
    )


@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk", "vdi"])
def test_image_that_is_not_there_is_refused(tmp_path: Path, form: str) -> None:
    assert refusal(NotFound, form, f"{tmp_path}/none").startswith(f"there is no {tmp_path}/none; ")


def test_vmdk_that_names_other_files_is_refused(tmp_path: Path) -> None:
    description = tmp_path / "description.vmdk"
    description.write_text(
        '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/shadow" 0\n'
    )
    flat = tmp_path / "flat.vmdk"
    parts = ["-o", "subformat=twoGbMaxExtentSparse"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", *parts, str(flat), "2M"], check=True)
    hidden = tmp_path / "hidden.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", hidden, "2M"], check=True)
    with hidden.open("r+b") as file:
        # Without a size of its own it is a description with a head before it.
        file.seek(12)
        file.write(bytes(8))
    for path in (str(description), str(flat), str(hidden)):
        assert refusal(InvalidInput, "vmdk", path) == (
            f"{path} names other files, which are not followed; put them into one where it comes from: "
            "monolithicSparse or streamOptimized"
        )


def test_vmdk_that_rests_on_another_is_refused(tmp_path: Path) -> None:
    below, above = tmp_path / "below.vmdk", tmp_path / "above.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", below, "2M"], check=True)
    over = ["-b", str(below), "-F", "vmdk", str(above)]
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", *over], check=True)

    assert refusal(InvalidInput, "vmdk", above) == (
        f"{above} rests on another file, which is not followed; put both into one where it comes from"
    )


def test_image_of_a_monstrous_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "2P"], check=True)

    assert refusal(InvalidInput, "qcow2", path) == (
        f"{path} is of a disk of 2048 TiB; at most 1024 TiB can be taken in"
    )


@contextmanager
def packing(path: Path) -> Iterator[tarfile.TarFile]:
    with closing(tarfile.open(path, "w")) as tar:
        yield tar


def described(disks: int, *, attributes: str = "") -> str:
    """Return the description of a machine with so many disks."""
    schema = 'xmlns="http://schemas.dmtf.org/ovf/envelope/1"'
    files = "".join(
        f'<File ovf:id="f{one}" ovf:href="{one}.vmdk" {attributes}/>' for one in range(disks)
    )
    listed = "".join(f'<Disk ovf:diskId="d{one}" ovf:fileRef="f{one}"/>' for one in range(disks))
    return (
        f'<Envelope {schema} xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References>{files}'
        f"</References><DiskSection>{listed}</DiskSection></Envelope>"
    )


def pack(path: Path, description: str) -> Path:
    text = path.parent / "machine.ovf"
    text.write_text(description)
    with packing(path) as tar:
        tar.add(text, arcname="machine.ovf")
    return path


@pytest.mark.parametrize(
    ("description", "error", "said"),
    [
        (
            described(2),
            InvalidInput,
            "{path} has 2 disks, and one can be taken in; unpack it, import one of them and add the "
            "others: wirt disk add",
        ),
        (
            described(0),
            InvalidInput,
            "{path} has 0 disks, and one can be taken in; unpack it, import one of them and add the "
            "others: wirt disk add",
        ),
        (described(1), Corrupt, "{path} lacks its disk 0.vmdk; fetch it anew"),
        (
            described(1, attributes='ovf:compression="gzip"'),
            InvalidInput,
            "the disk in {path} is compressed or cut into pieces; unpack it, and import the disk",
        ),
        (
            "<Envelope",
            Corrupt,
            "{path} is no ova; it is a tar with a description, NAME.ovf, in it",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "' + "&b;" * 50 + '">]><a>&d;</a>',
            InvalidInput,
            "{path} has 0 disks, and one can be taken in; unpack it, import one of them and add the "
            "others: wirt disk add",
        ),
    ],
)
def test_appliance_that_cannot_be_taken_in_is_refused(
    tmp_path: Path, description: str, error: type[Error], said: str
) -> None:
    path = pack(tmp_path / "machine.ova", description)

    assert refusal(error, "ova", path) == said.format(path=path)


def test_file_that_is_no_appliance_is_refused(image: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.ova"
    with packing(empty):
        pass
    for path in (image, empty):
        assert refusal(Corrupt, "ova", path) == (
            f"{path} is no ova; it is a tar with a description, NAME.ovf, in it"
        )
