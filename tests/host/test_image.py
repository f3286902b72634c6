"""Disk images: made of a tree by mke2fs, cloned by qemu-img."""

import os
import subprocess
from pathlib import Path

import pytest

from wirt.errors import InvalidInput, OutOfSpace
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage
from wirt.storage.image import ImagePool
from wirt.storage.templates.rootimage import build_image
from wirt.units import MIB

SIZE = 16 * MIB


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "hostname").write_text("web-1\n")
    return root


@pytest.fixture
def image(tmp_path: Path, tree: Path) -> Path:
    path = tmp_path / "root.img"
    build_image(str(tree), str(path), SIZE)
    return path


@pytest.fixture
def pool(tmp_path: Path) -> ImagePool:
    return ImagePool(f"{tmp_path}/pool")


def debugfs(image: Path, request: str) -> str:
    return subprocess.run(
        ["/usr/sbin/debugfs", "-R", request, str(image)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_image_holds_the_tree_and_is_sparse(image: Path) -> None:
    assert debugfs(image, "cat /etc/hostname") == "web-1\n"
    assert image.stat().st_size == SIZE
    assert image.stat().st_blocks * 512 < SIZE // 2


def test_image_too_small_for_its_tree_is_refused_and_leaves_no_image(
    tmp_path: Path, tree: Path
) -> None:
    (tree / "large").write_bytes(os.urandom(8 * MIB))

    with pytest.raises(OutOfSpace) as caught:
        build_image(str(tree), f"{tmp_path}/small.img", 4 * MIB)

    assert str(caught.value) == (
        f"{tree} does not fit into an image of 4 MiB, or the disk is full; "
        "free some space or ask for a larger image"
    )
    assert not (tmp_path / "small.img").exists()


@pytest.mark.parametrize("root", ["qcow2", "ubd"])
def test_clone_is_there_until_it_is_removed(pool: ImagePool, image: Path, root: str) -> None:
    before = pool.probe("aa0001")
    for _ in range(2):
        pool.clone(str(image), "aa0001", root=root, size=SIZE)
    there, listed = pool.probe("aa0001"), pool.list_guests()
    for _ in range(2):
        pool.remove("aa0001")

    assert (before, there, pool.probe("aa0001")) == (
        Presence.ABSENT,
        Presence.PRESENT,
        Presence.ABSENT,
    )
    assert listed == ["aa0001"]
    assert pool.list_guests() == []


@pytest.mark.parametrize(("asked", "given"), [(SIZE // 2, SIZE), (SIZE * 4, SIZE * 4)])
def test_qcow2_clone_is_as_large_as_asked_and_no_smaller_than_its_template(
    pool: ImagePool, image: Path, asked: int, given: int
) -> None:
    pool.clone(str(image), "aa0001", root="qcow2", size=asked)
    root = pool.attach(str(image), "aa0001", root="qcow2", idmap=None)

    said = subprocess.run(["qemu-img", "info", root.path], capture_output=True, text=True).stdout
    assert f"({given} bytes)" in said
    assert f"backing file: {image}" in said
    assert root == BlockImage(path=root.path, format="qcow2", backing=str(image))


def test_ubd_clone_larger_than_its_template_is_refused(pool: ImagePool, image: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        pool.clone(str(image), "aa0001", root="ubd", size=SIZE + 1)

    assert str(caught.value) == (
        "a disk of 16.0 MiB cannot be given to a User-Mode Linux guest; "
        "its template's image has 16 MiB; ask for no more"
    )
    assert pool.probe("aa0001") is Presence.ABSENT


def test_clone_that_was_broken_off_is_partial(pool: ImagePool, tmp_path: Path) -> None:
    (tmp_path / "pool" / "aa0001" / "qcow2").mkdir(parents=True)

    assert pool.probe("aa0001") is Presence.PARTIAL
