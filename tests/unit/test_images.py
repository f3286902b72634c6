"""Checksums of images: what they say, and that they are reckoned once."""

import os
from pathlib import Path

import pytest
from tests import fakes

from wirt.ops.moving import images
from wirt.state.memory import MemoryStore

SIZE = 1 << 20


def write(path: Path, *, at: int, content: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(SIZE)
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize("at", [0, 3, 65530, SIZE - 5])
def test_copy_without_holes_has_the_same_checksum_and_others_another(
    tmp_path: Path, at: int
) -> None:
    context = fakes.open_context(tmp_path, MemoryStore())
    image, copy, other, longer = (tmp_path / name for name in ("image", "copy", "other", "longer"))
    write(image, at=at, content=b"bytes")
    copy.write_bytes(image.read_bytes())
    write(other, at=at, content=b"bites")
    longer.write_bytes(image.read_bytes() + b"\0")
    sums = [images.checksum(context, str(path)) for path in (image, copy, other, longer)]

    assert sums[0] == sums[1]
    assert len(set(sums)) == 3


def test_image_is_read_once_unless_it_is_another(tmp_path: Path) -> None:
    context = fakes.open_context(tmp_path, MemoryStore())
    image = tmp_path / "image"
    write(image, at=0, content=b"one")
    first = images.checksum(context, str(image))
    before = os.stat(image)
    with image.open("r+b") as file:
        file.write(b"two")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    unread = images.checksum(context, str(image))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns + 1))

    assert unread == first
    assert images.checksum(context, str(image)) != first
