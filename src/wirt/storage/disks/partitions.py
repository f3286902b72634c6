"""Where the partitions of a disk are, and which file system something begins with: read from bytes alone.

Source: the UEFI Specification 2.10, chapter 5 (GPT and the boot record that protects it); of file systems their magic numbers, as
libmagic and the kernel have them. Partitions within an extended one are not looked for.
"""

import struct

import msgspec

SECTOR = 512
HEAD = 34 * SECTOR
"""Bytes of a disk that tell: the boot record, the head of a GPT and its 128 entries."""
MARKS = 0x10048
"""Bytes of a file system that tell which it is."""

_SIGNATURE = b"\x55\xaa"
_FIRST, _ENTRY = 446, struct.Struct("<B3sB3sII")
"""Active or not, two places by cylinder with the kind in between, first sector, sectors."""
_EXTENDED, _GPT = (0x05, 0x0F, 0x85), 0xEE
_GPT_HEAD = struct.Struct("<8s64xQII")
"""At the second sector: magic, and behind other things where the entries are, how many, how long."""
_GPT_ENTRY = struct.Struct("<16s16sQQ")
"""Kind, identity, first and last sector."""

_KINDS = ((0x438, b"\x53\xef", "ext4"), (0, b"XFSB", "xfs"), (0x10040, b"_BHRfS_M", "btrfs"))
"""Where, what, and the driver that mounts it; ext4's mounts ext2 and ext3 too."""


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a disk."""

    number: int
    start: int
    """Bytes from the disk's beginning."""
    length: int


def find_partitions(head: bytes) -> list[Partition]:
    """Return the partitions that the first bytes of a disk tell of; none if it has no table."""
    if len(head) < SECTOR or head[510:512] != _SIGNATURE:
        return []
    entries = [_ENTRY.unpack_from(head, _FIRST + 16 * number) for number in range(4)]
    if any(entry[0] & 0x7F for entry in entries):
        return []  # a boot sector of something else
    if any(entry[2] == _GPT for entry in entries):
        return _find_in_gpt(head)
    return [
        Partition(number=number, start=first * SECTOR, length=sectors * SECTOR)
        for number, (_, _, kind, _, first, sectors) in enumerate(entries, start=1)
        if sectors and kind and kind not in _EXTENDED
    ]


def _find_in_gpt(head: bytes) -> list[Partition]:
    if len(head) < 2 * SECTOR:
        return []
    magic, place, count, length = _GPT_HEAD.unpack_from(head, SECTOR)
    if magic != b"EFI PART" or length < _GPT_ENTRY.size:
        return []
    found = []
    for index in range(min(count, 128)):
        at = place * SECTOR + index * length
        if at + _GPT_ENTRY.size > len(head):
            break
        kind, _, first, last = _GPT_ENTRY.unpack_from(head, at)
        if any(kind) and last >= first:
            start, sectors = first * SECTOR, last - first + 1
            found.append(Partition(number=index + 1, start=start, length=sectors * SECTOR))
    return found


def kind_of_file_system(head: bytes) -> str | None:
    """Return the driver for the file system that begins with these bytes; None: it is none that a root is on."""
    for at, magic, kind in _KINDS:
        if head[at : at + len(magic)] == magic:
            return kind
    return None
