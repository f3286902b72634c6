"""Files on disk images: what tells a guest from others is taken out of a layer, and nothing of the image below."""

import subprocess
from pathlib import Path

import pytest

from wirt.errors import Failed
from wirt.storage import imagefiles

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


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Give a qcow2 layer on an image that holds a root with an identity."""
    root = tmp_path / "root"
    for path, text in {**OWN, **KEPT}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    # Nobody who plants a name makes debugfs do something else.
    (root / "etc/ssh" / "ssh_host_x\nrm etc").write_text("")
    image, made = tmp_path / "root.img", tmp_path / "layer"
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", root, image, "16M"], check=True, capture_output=True
    )
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
    said = imagefiles.forget_identity(str(layer))
    again = imagefiles.forget_identity(str(layer))

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
        imagefiles.forget_identity(str(layer))

    assert str(caught.value) == (
        f"the file system in {layer} could not be changed; it may be damaged: start its guest, and see "
        "whether it mounts its root"
    )
    assert not Path(f"{layer}.work").exists()
