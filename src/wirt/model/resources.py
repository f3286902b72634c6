"""What storage and network hand over to an approach: plain values, no friends."""

from enum import StrEnum

import msgspec


class Idmap(msgspec.Struct, frozen=True, kw_only=True):
    """Ids 0..size-1 inside a guest stand for first..first+size-1 on the node."""

    first: int
    size: int


class RootTree(msgspec.Struct, frozen=True, kw_only=True, tag="tree", tag_field="kind"):
    """A mounted directory that holds the guest's file system."""

    path: str
    idmap: Idmap | None = None
    """Set if the mount already shows the ids shifted for an unprivileged guest."""


class BlockImage(msgspec.Struct, frozen=True, kw_only=True, tag="image", tag_field="kind"):
    """A disk image: the guest's own changes to a file system of its template's (ext4, no partition table), or all of a disk."""

    path: str
    """The guest's own writable layer."""
    format: str
    """"qcow2" for QEMU, "ubd" for User-Mode Linux's copy-on-write files."""
    backing: str | None
    """The template's raw image, never written to; None: it rests on nothing."""


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """A further disk as the guest's engine is given it."""

    name: str
    unit: int
    """Its place among the guest's disks, 1 to 15."""
    path: str
    """The file or block device of the node; it rests on no other."""
    format: str
    """"raw" or "qcow2"."""
    is_device: bool = False
    """It is a block device and no file."""
    read_only: bool = False
    is_cdrom: bool = False


class DiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its disk a guest uses; None is unknown, or without bound."""

    bytes: int
    bytes_limit: int | None
    inodes: int | None = None
    inodes_limit: int | None = None


Root = RootTree | BlockImage


class NicKind(StrEnum):
    """How a guest is joined to the bridge."""

    VETH = "veth"
    TAP = "tap"
    ALIAS = "alias"
    """No card of its own: the address stands on the bridge (chroot)."""


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """One network card as the guest gets it; addresses as text, MAC as aa:bb:cc:dd:ee:ff."""

    kind: NicKind
    interface: str
    """Name on the host; the bridge's own for an alias."""
    bridge: str
    mac: str
    address: str
    prefix: int
    gateway: str
