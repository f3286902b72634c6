"""Layers of User-Mode Linux, read without it."""

import os
import struct
from pathlib import Path

import pytest

from wirt.errors import Corrupt
from wirt.storage.ubdlayer import unpack

SECTOR, SECTORS, ALIGN = 512, 100, 4096
SIZE = SECTOR * SECTORS


def layer_of(written: dict[int, bytes], *, size: int = SIZE) -> bytes:
    """Return a layer in which some sectors are."""
    head = struct.pack("!4sIIQIII", b"OOOM", 3, 7, size, SECTOR, ALIGN, 0) + b"/elsewhere".ljust(
        4096
    )
    bits = bytearray(-(-SECTORS // 8))
    data = bytearray(SIZE)
    for number, content in written.items():
        bits[number // 8] |= 1 << number % 8
        data[number * SECTOR : (number + 1) * SECTOR] = content
    return head.ljust(2 * ALIGN, b"\0") + bytes(bits).ljust(ALIGN, b"\0") + bytes(data)


@pytest.fixture
def below(tmp_path: Path) -> Path:
    path = tmp_path / "below"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.mark.parametrize(
    "numbers",
    [[], [0], [99], [3, 4, 5], list(range(6, 27)), [7, 8, 15, 16, 96, 97, 98, 99], range(SECTORS)],
    ids=len,
)
def test_what_is_in_the_layer_lies_above_what_is_below(
    tmp_path: Path, below: Path, numbers: list[int]
) -> None:
    written = {number: os.urandom(SECTOR) for number in numbers}
    layer, target = tmp_path / "layer", tmp_path / "target"
    layer.write_bytes(layer_of(written))
    unpack(str(layer), str(target), below=str(below))
    expected = bytearray(below.read_bytes())
    for number, content in written.items():
        expected[number * SECTOR : (number + 1) * SECTOR] = content

    assert target.read_bytes() == bytes(expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"none" * 4096, "is no layer of User-Mode Linux that is known here"),
        (layer_of({}, size=2 * SIZE), "is no layer above {below}; restore a snapshot"),
        (layer_of({99: bytes(SECTOR)})[:-SECTOR], "is cut short; restore a snapshot"),
        (layer_of({})[:20] + bytes(4076), "is no layer of User-Mode Linux that is known here"),
    ],
)
def test_damaged_layer_is_named(tmp_path: Path, below: Path, content: bytes, reason: str) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(content)
    with pytest.raises(Corrupt) as caught:
        unpack(str(layer), f"{tmp_path}/target", below=str(below))

    assert str(caught.value) == f"{layer} {reason.format(below=below)}"
