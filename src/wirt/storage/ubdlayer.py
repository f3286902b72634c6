"""Layers of User-Mode Linux, read and written without it: a map of the sectors that they hold, and those sectors.

What a layer does not hold is in the image that it rests on. Source: ``struct cow_header_v3`` and ``cow_sizes`` of the kernel's
``arch/um/drivers/cow_user.c``, ``ubd_test_bit`` of ``ubd_kern.c``.
"""

import os
import re
import struct
from collections.abc import Iterator

import msgspec

from wirt.errors import Corrupt
from wirt.host import files

_MAGIC = struct.pack("!4sI", b"OOOM", 3)
_SIZES = struct.Struct("!QIII")
_SIZES_AT, _BACKING_AT, _PATH = 12, 32, 4096
_PIECE = 64 * 1024
_BLOCK = 4096
"""Bytes that are compared at once, and those of which a layer holds all or nothing, as User-Mode Linux writes it: a guest whose layer
held single sectors of a block did not find its init."""


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    raw: bytes
    """As it lies at the beginning of the layer."""
    size: int
    sector: int
    map_at: int
    map_length: int
    data_at: int


def rest_on(layer: str, backing: str) -> None:
    """Write into a layer which file it rests on, and when that was written: else it is refused.

    Raises:
        Corrupt: it is no such layer.
    """
    _read_head(layer)
    with open(layer, "r+b") as file:
        file.seek(len(_MAGIC))
        file.write(struct.pack("!I", int(os.stat(backing).st_mtime) & 0xFFFFFFFF))
        file.seek(_BACKING_AT)
        file.write(os.fsencode(backing).ljust(_PATH, b"\0"))


def unpack(layer: str, raw: str, *, below: str) -> None:
    """Write what a layer shows, with the image that it rests on, to a file of its own.

    Args:
        layer: the layer.
        raw: the file.
        below: the image. The layer's own word is not taken for it: its guest's engine wrote that.

    Raises:
        Corrupt: it is no such layer, or not of that image, or damaged.
        OutOfSpace, Failed: it could not be written.
    """
    head = _read_head(layer)
    if os.stat(below).st_size != head.size:
        raise Corrupt(f"{layer} is no layer above {below}", hint="restore a snapshot")
    with files.translated(f"read the disk {layer}"):
        files.copy_all(below, raw)
        with open(layer, "rb") as source, open(raw, "r+b") as target:
            source.seek(head.map_at)
            for first, last in _runs(source.read(head.map_length)):
                source.seek(head.data_at + first * head.sector)
                target.seek(first * head.sector)
                for start in range(first, last, _PIECE // head.sector):
                    count = min(last - start, _PIECE // head.sector)
                    piece = source.read(count * head.sector)
                    if len(piece) < count * head.sector:
                        raise Corrupt(f"{layer} is cut short", hint="restore a snapshot")
                    target.write(piece)


def pack(raw: str, layer: str, *, below: str) -> None:
    """Make a layer, which is there, one that shows what a file holds: of that, it holds what its image does not.

    Killed on the way, it is as before, with a file beside it.

    Args:
        raw: the file.
        layer: the layer.
        below: the image, as for ``unpack``.

    Raises:
        Corrupt: it is no such layer.
        OutOfSpace, Failed: it could not be written.
    """
    head, fresh = _read_head(layer), f"{layer}.new"
    held = bytearray(head.map_length)
    with (
        files.translated(f"write the disk {layer}"),
        open(raw, "rb") as source,
        open(below, "rb") as image,
        open(fresh, "wb") as target,
    ):
        for at in _data_of(source.fileno(), head.size):
            source.seek(at)
            image.seek(at)
            wanted, there = source.read(_PIECE), image.read(_PIECE)
            if wanted == there:
                continue
            for start in range(0, len(wanted), _BLOCK):
                block = wanted[start : start + _BLOCK]
                if block != there[start : start + _BLOCK]:
                    first = (at + start) // head.sector
                    for number in range(first, first + len(block) // head.sector):
                        held[number // 8] |= 1 << number % 8
                    target.seek(head.data_at + at + start)
                    target.write(block)
        target.seek(0)
        target.write(head.raw)
        target.seek(head.map_at)
        target.write(held)
        target.truncate(head.data_at + head.size)
        target.flush()
        os.fsync(target.fileno())
        os.rename(fresh, layer)


def _read_head(layer: str) -> _Head:
    with open(layer, "rb") as file:
        raw = file.read(_BACKING_AT + _PATH)
    if len(raw) < _BACKING_AT + _PATH or not raw.startswith(_MAGIC):
        raise Corrupt(f"{layer} is no layer of User-Mode Linux that is known here")
    size, sector, alignment, _form = _SIZES.unpack_from(raw, _SIZES_AT)
    if not alignment or not sector or _BLOCK % sector:
        raise Corrupt(f"{layer} is no layer of User-Mode Linux that is known here")
    map_at = _rounded(len(raw), alignment)
    map_length = (size + 8 * sector - 1) // (8 * sector)
    return _Head(
        raw=raw,
        size=size,
        sector=sector,
        map_at=map_at,
        map_length=map_length,
        data_at=_rounded(map_at + map_length, alignment),
    )


def _rounded(length: int, alignment: int) -> int:
    return (length + alignment - 1) // alignment * alignment


def _runs(held: bytes) -> Iterator[tuple[int, int]]:
    """Yield the first sector and the one after the last of each run of sectors that a map has."""
    first = last = -1
    for found in re.finditer(rb"[^\0]+", held):
        for at in range(found.start(), found.end()):
            for bit in range(8):
                if held[at] >> bit & 1:
                    number = at * 8 + bit
                    if number != last:
                        if last > first:
                            yield first, last
                        first = number
                    last = number + 1
    if last > first:
        yield first, last


def _data_of(file: int, size: int) -> Iterator[int]:
    """Yield where the pieces of a file begin that are no holes."""
    at = 0
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA) // _PIECE * _PIECE
        except OSError:
            # Nothing but holes is left.
            return
        yield at
        at += _PIECE
