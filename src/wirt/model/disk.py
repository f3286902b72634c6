"""A further disk of a guest, beside the one that its root is on, as data."""

import re
from collections.abc import Collection

import msgspec

from wirt.errors import Conflict, InvalidInput
from wirt.model.limits import LARGEST_DISK
from wirt.units import MIB, render_bytes

RAW, QCOW2 = "raw", "qcow2"
FORMATS = (RAW, QCOW2)
"""What a disk of the node's may be in; it is said by a person, and never guessed from what a guest may have written."""

OVA = "ova"
IMAGE_FORMATS = (RAW, QCOW2, "vmdk", "vhd", "vdi", OVA)
"""What the image of another machine's disk may be in; likewise."""

MOST_DISKS = 15
"""Further ones of a guest: as many letters as User-Mode Linux has for disks, the root's left out."""

MOST_CDROMS = 6
"""As many ports as a q35 machine has for their drives."""

SMALLEST = MIB
_PAGE = 4096

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
"""A virtio disk tells its guest 20 characters of its name."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One further disk of a guest."""

    name: str
    """What it is called by people; the guest reads it as the disk's serial number."""
    unit: int
    """Its place among the guest's disks, 1 to 15: the root's is 0."""
    source: str | None = None
    """The file or block device of the node that it is; None: it is in the guest's pool."""
    format: str = RAW
    read_only: bool = False
    size: int | None = None
    """Bytes of one in the pool; None: what the source has."""
    is_cdrom: bool = False
    """It is a CD in its drive, where the guest's machine has such drives."""


class DiskImage(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole disk held, in a file: of another machine, or to be another's."""

    path: str
    form: str
    """"raw", "qcow2", "vmdk", "vhd" or "vdi"."""
    offset: int = 0
    """Where in the file it begins."""
    length: int | None = None
    """Bytes of the file that it has; None: all."""


def letter_of(unit: int) -> str:
    """Return the letter that Linux gives the disk at a place: b for the first further one."""
    return chr(ord("a") + unit)


def check_disk_name(name: str) -> str:
    """Return ``name`` if a disk may be called so.

    Raises:
        InvalidInput: it is too long, or holds other characters.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name!r} is not a disk name",
            hint="use up to 20 of a-z, 0-9 and hyphens, the first a letter, such as data",
        )
    return name


def check_size(size: int) -> int:
    """Return the size that a disk in a pool gets: whole pages.

    Raises:
        InvalidInput: it is too small or too large.
    """
    if not SMALLEST <= size <= LARGEST_DISK:
        raise InvalidInput(
            f"a disk of {render_bytes(size)} cannot be given",
            hint=f"ask for {render_bytes(SMALLEST)} to {render_bytes(LARGEST_DISK)}",
        )
    return -(-size // _PAGE) * _PAGE


def free_unit(guest: str, disks: Collection[Disk]) -> int:
    """Return the first place that none of a guest's disks has.

    Raises:
        Conflict: all are taken.
    """
    taken = {disk.unit for disk in disks}
    for unit in range(1, MOST_DISKS + 1):
        if unit not in taken:
            return unit
    raise Conflict(
        f"guest {guest} has {MOST_DISKS} disks beside its root already",
        hint=f"remove one first: wirt disk list {guest}",
    )
