"""Holes of files: found where the file system has them, left out of archives as GNU's tar does, and made of zeros.

Source of the form: GNU tar's manual, "Storing Sparse Files", the old GNU format, which Python reads.
"""

import copy
import errno
import os
import tarfile
from collections.abc import Iterator

BLOCK = 4096
"""Bytes that a hole has at least."""
_ZEROS = bytes(BLOCK)
_IN_HEADER, _IN_EXTENSION = 4, 21
_MOST_STRETCHES = 100_000
"""Of one file: a map of more is larger than what it saves."""
_PART = 1 << 20

Stretch = tuple[int, int]
"""Where some of a file begins, and its bytes."""


def stretches(file: int, size: int) -> list[Stretch] | None:
    """Return what there is of an open file between its holes; None if that is too much to say."""
    found: list[Stretch] = []
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # only a hole is left
        end = min(os.lseek(file, start, os.SEEK_HOLE), size)
        if start >= end:
            break
        found.append((start, end - start))
        if len(found) > _MOST_STRETCHES:
            return None
    return found


def without(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield what there is of data between whole blocks of zeros, and where in it that begins."""
    begin: int | None = None
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        if block == _ZEROS[: len(block)]:
            if begin is not None:
                yield begin, data[begin:start]
                begin = None
        elif begin is None:
            begin = start
    if begin is not None:
        yield begin, data[begin:]


def add(archive: tarfile.TarFile, member: tarfile.TarInfo, file: int) -> None:
    """Add a file to an archive of GNU's format without its holes.

    Args:
        archive: which is written from its beginning to its end.
        member: what is said of the file, its size as it is read.
        file: the file, open.

    Raises:
        OSError: it could not be read, or is smaller than it was.
    """
    found = stretches(file, member.size)
    if found is None:
        os.lseek(file, 0, os.SEEK_SET)
        with open(file, "rb", closefd=False) as body:
            archive.addfile(member, body)
        return
    sink = archive.fileobj
    assert sink is not None
    head = _head(archive, member, found)
    sink.write(head)
    written = len(head)
    for begin, length in found:
        start, end = begin, begin + length
        while start < end:
            part = os.pread(file, min(end - start, _PART), start)
            if not part:
                raise OSError(errno.EIO, "it became smaller while it was read", member.name)
            sink.write(part)
            start += len(part)
        written += length
    padding = -written % tarfile.BLOCKSIZE
    sink.write(bytes(padding))
    archive.offset += written + padding


def _head(archive: tarfile.TarFile, member: tarfile.TarInfo, found: list[Stretch]) -> bytes:
    """Return the header of a file with holes, with its map: whose last entry says where the file ends."""
    whole = member.size
    entries = [*found, (whole, 0)]
    said = copy.copy(member)
    said.type, said.size = tarfile.GNUTYPE_SPARSE, sum(length for _, length in found)
    # Long names come first, in blocks of their own.
    blocks = said.tobuf(tarfile.GNU_FORMAT, archive.encoding or "utf-8", "surrogateescape")
    first, rest = entries[:_IN_HEADER], entries[_IN_HEADER:]
    header = bytearray(blocks[-tarfile.BLOCKSIZE :])
    header[386:482] = _map(first, _IN_HEADER)
    header[482] = bool(rest)
    header[483:495] = _number(whole)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    parts = [blocks[: -tarfile.BLOCKSIZE], bytes(header)]
    while rest:
        some, rest = rest[:_IN_EXTENSION], rest[_IN_EXTENSION:]
        parts.append(_map(some, _IN_EXTENSION) + bytes([bool(rest)]) + bytes(7))
    return b"".join(parts)


def _map(entries: list[Stretch], most: int) -> bytes:
    said = b"".join(_number(start) + _number(length) for start, length in entries)
    return said.ljust(24 * most, b"\0")


def _number(value: int) -> bytes:
    """Return a number in twelve bytes: in octal, or if it is too large as GNU has it, in binary."""
    if value < 8**11:
        return b"%011o\0" % value
    return b"\x80" + value.to_bytes(11)
