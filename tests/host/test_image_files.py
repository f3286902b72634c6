"""Files on disk images: what tells a guest from others is taken out of a layer, and nothing of the image below."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

from wirt.errors import Corrupt, Failed
from wirt.storage import imagefiles, ubdlayer

pytestmark = pytest.mark.usefixtures("root_user")

OWN = {
    "etc/machine-id": "0123456789abcdef\n",
    "etc/hostname": "original\n",
    "etc/ssh/ssh_host_ed25519_key": "secret\n",
    "etc/ssh/ssh_host_ed25519_key.pub": "public\n",
    "var/lib/dbus/machine-id": "0123456789abcdef\n",
    "var/lib/systemd/random-seed": "seed\n",
}
KEPT = {"etc/ssh/sshd_config": "Port 22\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n"}


def make_image(tmp_path: Path) -> Path:
    """Make an image that holds a root with an identity."""
    root = tmp_path / "root"
    for path, text in {**OWN, **KEPT}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    # Nobody who plants a name makes debugfs do something else.
    (root / "etc/ssh" / "ssh_host_x\nrm etc").write_text("")
    image = tmp_path / "root.img"
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", root, image, "16M"], check=True, capture_output=True
    )
    return image


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Give a qcow2 layer on it."""
    image, made = make_image(tmp_path), tmp_path / "layer"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(made)]
    subprocess.run(create, check=True)
    return made


def contents(image: Path, path: str) -> str | None:
    """Return what a file on an image holds, None if it is not there."""
    raw = image.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    shown = subprocess.run(["debugfs", "-R", f"cat /{path}", raw], capture_output=True, text=True)
    return None if "not found" in shown.stderr else shown.stdout


def test_identity_is_forgotten_in_the_layer_alone(layer: Path) -> None:
    before = (layer.parent / "root.img").read_bytes()
    said = imagefiles.forget_identity(str(layer), "qcow2", "")
    again = imagefiles.forget_identity(str(layer), "qcow2", "")

    assert said == [
        "put right: the name",
        "put right: the machine id",
        "put right: SSH host keys (2)",
        "put right: seeds of random numbers (1)",
    ]
    assert again == []
    assert contents(layer, "etc/machine-id") == ""
    assert [contents(layer, path) for path in OWN if path != "etc/machine-id"] == [None] * 5
    assert {path: contents(layer, path) for path in KEPT} == KEPT
    assert (layer.parent / "root.img").read_bytes() == before
    assert not Path(f"{layer}.work").exists()


def test_image_without_a_file_system_is_said_to_be_one(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", layer, "16M"], check=True)
    with pytest.raises(Failed) as caught:
        imagefiles.forget_identity(str(layer), "qcow2", "")

    assert str(caught.value) == (
        f"the file system in {layer} could not be changed; it may be damaged: start its guest, and see "
        "whether it mounts its root"
    )
    assert not Path(f"{layer}.work").exists()


def test_identity_is_forgotten_in_a_layer_of_user_mode_linux_alone(tmp_path: Path) -> None:
    image, layer = make_image(tmp_path), tmp_path / "ubd"
    before, size = image.read_bytes(), image.stat().st_size
    # The header, the map of sectors and none of them, as User-Mode Linux makes one.
    head = struct.pack("!4sIIQIII", b"OOOM", 3, int(image.stat().st_mtime), size, 512, 4096, 0)
    # Its guest's engine has made it name a file of the node's: nobody goes there for it.
    layer.write_bytes(head + b"/etc/shadow".ljust(4096, b"\0"))
    os.truncate(layer, 8192 + 4096 + size)
    own, changed = tmp_path / "own", tmp_path / "changed"
    ubdlayer.unpack(str(layer), str(own), below=str(image))
    untouched = own.read_bytes()
    own.write_bytes(before[:-1000] + b"x" * 1000)
    ubdlayer.pack(str(own), str(layer), below=str(image))
    held = layer.stat().st_blocks * 512
    ubdlayer.unpack(str(layer), str(changed), below=str(image))
    said = imagefiles.forget_identity(str(layer), "ubd", str(image))
    after = tmp_path / "after"
    ubdlayer.unpack(str(layer), str(after), below=str(image))

    assert untouched == before
    assert changed.read_bytes() == before[:-1000] + b"x" * 1000
    assert held < 64 * 1024
    assert said[0] == "put right: the name"
    assert after.read_bytes()[-1000:] == b"x" * 1000
    assert contents(after, "etc/machine-id") == ""
    assert [contents(after, path) for path in OWN if path != "etc/machine-id"] == [None] * 5
    assert {path: contents(after, path) for path in KEPT} == KEPT
    assert image.read_bytes() == before
    assert not Path(f"{layer}.work").exists()


def test_what_is_no_layer_of_user_mode_linux_is_said_to_be_none(tmp_path: Path) -> None:
    layer = tmp_path / "ubd"
    layer.write_bytes(b"OOOM" + bytes(8000))
    with pytest.raises(Corrupt) as caught:
        ubdlayer.unpack(str(layer), str(tmp_path / "raw"), below=str(tmp_path / "image"))

    assert str(caught.value) == f"{layer} is no layer of User-Mode Linux that is known here"
