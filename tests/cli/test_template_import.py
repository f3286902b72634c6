"""``wirt template import``: what others have packed becomes guests."""

import gzip
import io
import os
import re
import tarfile
from pathlib import Path

import msgspec
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest
from tests.layouts import Entry, LayoutBuilder


def with_device(tar: Path, out: Path) -> Path:
    """Write a packed tar with a device node more, as the caches of OpenVZ have them."""
    plain = io.BytesIO(tar.read_bytes())
    with tarfile.open(fileobj=plain, mode="a") as archive:
        node = tarfile.TarInfo("./dev/null")
        node.type, node.devmajor, node.devminor = tarfile.CHRTYPE, 1, 3
        archive.addfile(node)
    out.write_bytes(gzip.compress(plain.getvalue()))
    return out


def test_layout_of_layers_becomes_a_guest(home: HomeUnderTest, tmp_path: Path) -> None:
    layout = LayoutBuilder(tmp_path / "tiny-oci")
    busybox = Entry("bin/busybox", Path(BUSYBOX).read_bytes())
    busybox.info.mode = 0o755
    links = [Entry(f"bin/{name}", link="busybox") for name in ("sh", "cat", "ls")]
    layers = [
        [Entry("proc"), Entry("sys"), Entry("dev"), Entry("etc"), Entry("bin"), busybox, *links],
        [Entry("etc/motd", b"first"), Entry("etc/gone", b"")],
        [Entry("etc/motd", b"second"), Entry("etc/.wh.gone", b"")],
    ]
    path = layout.write_index(layout.add_image(layers, packing="zstd"))
    # The fixture's templates are shared by all tests: this home gets its own.
    os.unlink(home.home.templates)
    said = home.wirt("template", "import", str(path), status=0).stdout
    create = ["create", "-a", "chroot", "-t", "tiny-oci", "web"]
    for command in (create, ["start", "web"]):
        home.wirt(*command, status=0)
    seen = home.wirt("exec", "web", "--", "sh", "-c", "cat /etc/motd; ls /etc", status=0).stdout

    assert said.startswith("template tiny-oci imported: ")
    assert seen == "secondmotd\n"


def test_openvz_cache_keeps_its_name_and_loses_its_device_nodes(
    home: HomeUnderTest, busybox_tar: Path, tmp_path: Path
) -> None:
    cache = with_device(busybox_tar, tmp_path / "debian-12.0-x86_64-minimal.tar.gz")
    os.unlink(home.home.templates)
    refused = home.wirt("template", "import", str(cache), status=2).stderr
    done = home.wirt("template", "import", "--skip-devices", str(cache), status=0)
    run = home.wirt("run", "-t", "debian-12.0-x86_64-minimal", "echo", "up", status=0)

    assert refused == (
        "wirt: debian-12.0-x86_64-minimal.tar.gz was not imported: its member './dev/null' is a "
        "device node; leave such nodes out with --skip-devices: a guest gets its own\n"
    )
    assert done.stderr == "device nodes left out: 1\n"
    assert run.stdout == "up\n"


def test_image_of_a_plain_tar_is_refused(home: HomeUnderTest, busybox_tar: Path) -> None:
    done = home.wirt("template", "import", "--image", "a", str(busybox_tar), "new", status=2)

    assert done.stderr == (
        "wirt: tiny.tar is no OCI image layout, so it holds no image 'a'; leave --image out\n"
    )


def test_template_is_exported_with_its_checksum(home: HomeUnderTest, tmp_path: Path) -> None:
    out = tmp_path / "tiny.tar.zst"
    said = home.wirt("template", "export", TINY, str(out), status=0).stdout

    assert said.startswith(f"template tiny exported: {out}, ")
    assert Path(f"{out}.sha256").read_text().endswith("  tiny.tar.zst\n")


def test_list_says_which_template_is_not_what_its_metadata_says(
    home: HomeUnderTest, busybox_tar: Path
) -> None:
    os.unlink(home.home.templates)
    home.wirt("template", "import", str(busybox_tar), "own", status=0)
    specs = Path(home.home.etc, "templates.d")
    specs.mkdir(parents=True)
    (specs / "own.toml").write_text(
        'name = "own"\ndistribution = "debian"\nsuite = "bookworm"\npackages = []\n'
    )
    imported = home.wirt("template", "list", status=0).stdout
    metadata = Path(home.home.templates, "own", "template.json")
    built = msgspec.json.decode(metadata.read_bytes())
    # As a build of other metadata would have left it.
    metadata.write_bytes(msgspec.json.encode({**built, "spec_sha256": "0" * 64}))
    changed = home.wirt("template", "list", status=0).stdout

    assert re.search(r"^own +built ", imported, re.M)
    assert re.search(r"^own +changed ", changed, re.M)


def test_import_of_what_is_no_file_says_so(home: HomeUnderTest, tmp_path: Path) -> None:
    pipe = tmp_path / "root.tar"
    os.mkfifo(pipe)
    done = home.wirt("template", "import", str(pipe), "web")

    assert (done.returncode, done.stderr) == (
        2,
        f"wirt: {pipe} is neither a file nor a directory; "
        "write what comes from there into a file first, and give the path of that\n",
    )
