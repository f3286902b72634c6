"""Paths in a stranger's tree: whatever links lie in it, none leads out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.host import inside


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """Give a tree beside a secret, and links to it in every way."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("secret")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/file").write_text("own")
    for name, target in {
        "absolute": f"{tmp_path}/secret",
        "relative": "../secret",
        "up": "..",
        "own": "/etc",
        "loop": "loop",
        "magic": "/proc/self/root",
    }.items():
        (tree / name).symlink_to(target)
    descriptor = os.open(tree, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def read(descriptor: int) -> str:
    with open(descriptor) as file:
        return file.read()


@pytest.mark.parametrize(
    "path", ["etc/file", "/etc/file", "own/file", "/../../etc/file", "up/own/file"]
)
def test_path_is_resolved_as_in_the_tree(root: int, path: str) -> None:
    found = inside.open_inside(root, path, os.O_RDONLY)

    assert read(found) == "own"


@pytest.mark.parametrize(
    "path", ["absolute/file", "relative/file", "up/secret/file", "../secret/file", "magic/etc"]
)
def test_link_leads_to_nothing_outside(root: int, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        inside.open_inside(root, path, os.O_RDONLY)


def test_link_in_a_circle_ends(root: int) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        inside.open_inside(root, "loop")


@pytest.mark.parametrize("path", ["absolute/file", "relative", "own/file", "up", "loop"])
def test_beneath_no_link_is_followed(root: int, path: str) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        inside.open_beneath(root, path)


@pytest.mark.parametrize("path", ["..", "../secret/file", "/etc/file"])
def test_beneath_no_path_leads_out(root: int, path: str) -> None:
    with pytest.raises(OSError, match="cross-device"):
        inside.open_beneath(root, path)


def test_beneath_an_ordinary_path_is_opened(root: int) -> None:
    assert read(inside.open_beneath(root, "etc/file", os.O_RDONLY)) == "own"


def test_path_with_a_zero_byte_is_refused_whole(root: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        inside.open_inside(root, "etc\0/x")
