"""All that an approach needs to know of one guest."""

import msgspec

from wirt.model.limits import Limits
from wirt.model.privileges import Device, Privileges
from wirt.model.resources import Drive, Nic, Root


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guest's traces are: enough to find and end it, even if nobody knows how far its start got."""

    name: str
    """The kernel name, ``wTAG-ID``: container, cgroup and process carry it."""
    run_dir: str
    """Directory for sockets, pid files and generated configuration; gone after a reboot."""
    log: str
    """File that the engine and the guest's console write to."""


class GivenDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the node for a guest, with a file for it that is the guest's own."""

    device: Device
    number: str
    """Its kind and number, "c 10:229"."""
    node: str
    """Path on the node of the file that is shown in the guest."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One guest, ready to be started."""

    place: Place
    hostname: str
    limits: Limits
    root: Root
    nic: Nic
    """Its first card."""
    cards: tuple[Nic, ...] = ()
    """The others, but for devices of the node, which it is given when it runs."""
    owner: int | None = None
    """Id on the node, of user and group, of whatever runs a guest with a kernel of its own; None: root."""
    kernel: str | None = None
    """Kernel that it is booted with; None: the engine's, or whatever its machine's firmware finds on its disks."""
    initrd: str | None = None
    arguments: str = ""
    """What that kernel is told beside what is needed."""
    root_device: str | None = None
    """Its root as that kernel names it; None: the first disk."""
    has_screen: bool = False
    """Its machine has a graphics card, whose picture is served by VNC."""
    talks: bool = False
    """Its kernel says on the console all that it does while it starts, for somebody who watches; that takes it longer."""
    disks: tuple[Drive, ...] = ()
    """Further ones beside the one that its root is on."""
    throttled: tuple[str, ...] = ()
    """MAJOR:MINOR of the node's disks whose bandwidth the guest is bounded in."""
    privileges: Privileges = Privileges()
    devices: tuple[GivenDevice, ...] = ()
