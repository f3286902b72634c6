"""What storage and network hand over to an approach: plain values, no friends."""

from enum import StrEnum

import msgspec

from wirt.model.route import Route


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
    """The guest's own writable layer, or its whole disk."""
    format: str
    """"qcow2" for QEMU, "ubd" for User-Mode Linux's copy-on-write files; "raw": a block device that holds all."""
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
    DEVICE = "device"
    """An interface of the node's, which is moved into the guest and back."""


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """One network card as the guest gets it; addresses as text, MAC as aa:bb:cc:dd:ee:ff."""

    kind: NicKind
    name: str = "eth0"
    """Name inside, where the guest's kernel has none of its own."""
    number: int = 0
    """Tells the cards of a guest apart; 0 is the first."""
    interface: str
    """Name on the host; the bridge's own for an alias."""
    bridge: str
    """Empty for a device."""
    mac: str
    address: str
    """IPv4; empty for a device."""
    prefix: int
    gateway: str | None
    """None: it leads nowhere but to the bridge."""
    table: int | None = None
    """Number of the guest's own routing table by which what has one of the card's addresses for its source goes to the gateway; None:
    everything goes there."""
    is_private: bool = False
    """It is on a network that reaches not even the node."""
    is_routed: bool = False
    """It meets the node alone, its gateway, which is on none of its addresses' networks: those have one address each."""
    proxied: tuple[str, ...] = ()
    """Those of its addresses that the node answers for on its other networks, without prefixes."""
    further: tuple[str, ...] = ()
    """Other addresses with their prefixes, as 10.64.16.9/20 and fd12:3456:789a::2/64."""
    shared: tuple[str, ...] = ()
    """Addresses of the guest's other cards on the same bridge, with prefixes: what it may send from by this one too."""
    has_ipv6: bool = False
    gateway6: str | None = None
    node_name: str = ""
    """What its end on the node is called beside ``interface``; empty: nothing else."""
    node_mac: str = ""
    """Of that end; empty: the kernel chooses."""
    mtu: int | None = None
    """Bytes; None: the kernel's 1500."""
    routes: tuple[Route, ...] = ()
    """What it leads to besides."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return all of them with their prefixes, the first one first."""
        first = (f"{self.address}/{self.prefix}",) if self.address else ()
        return (*first, *self.further)
