"""The variables of a domain's configuration: which there are, of which kind, and what they are if nobody sets them.

Source: ``xm create --help_config`` of Xen 3.0.3, with ``cpu_cap`` of 3.4. ``template`` is Wirt's own: the template that a domain
without a disk of its own is made of.
"""

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec

from wirt.dialects.xm.pyfile import Value
from wirt.errors import InvalidInput


class Kind(Enum):
    """What a variable holds."""

    TEXT = "a string"
    NUMBER = "a whole number"
    FLOAT = "a number"
    LIST = "a list of strings"


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One variable."""

    kind: Kind
    default: Value = None
    about: str
    why_not: str = ""
    """Why it cannot be anything else than its default; empty if it can."""


def _text(about: str, default: str | None = "", why_not: str = "") -> Variable:
    return Variable(kind=Kind.TEXT, default=default, about=about, why_not=why_not)


def _number(about: str, default: int | None = 0, why_not: str = "") -> Variable:
    return Variable(kind=Kind.NUMBER, default=default, about=about, why_not=why_not)


def _list(about: str, why_not: str = "") -> Variable:
    return Variable(kind=Kind.LIST, default=[], about=about, why_not=why_not)


_NO_DEVICE = "no device of the node is given to a guest"
_NO_BOOTLOADER = "no program of the node looks into a guest's disk"
_NO_DAEMON = "no daemon watches domains"
_NO_BACKEND = "the node itself serves all devices"
_BY_SCREEN = "a screen is at a socket of root's alone: wirt show says where"

VARIABLES: Mapping[str, Variable] = {
    "name": _text("Domain name.", None),
    "template": _text("Template that a domain without a disk is made of (Wirt's).", None),
    "bootloader": _text("Path to boot loader.", None, _NO_BOOTLOADER),
    "bootargs": _text("Arguments to pass to boot loader.", None, _NO_BOOTLOADER),
    "bootentry": _text("Entry to boot via boot loader.", None, _NO_BOOTLOADER),
    "kernel": _text("Path to kernel image."),
    "ramdisk": _text("Path to ramdisk."),
    "features": _text("Features to enable in guest kernel."),
    "builder": _text("Function to use to build the domain: linux or hvm.", "linux"),
    "memory": _number("Domain memory in MB.", 128),
    "maxmem": _number("Maximum domain memory in MB.", None),
    "shadow_memory": _number("Domain shadow memory in MB."),
    "cpu": _number("CPU to run the VCPU0 on.", None),
    "cpus": _text("CPUs to run the domain on.", None),
    "pae": _number("Disable or enable PAE of HVM domain."),
    "acpi": _number("Disable or enable ACPI of HVM domain."),
    "apic": _number("Disable or enable APIC mode."),
    "vcpus": _number("# of Virtual CPUS in domain.", 1),
    "cpu_weight": Variable(kind=Kind.FLOAT, about="CPU weight."),
    "cpu_cap": _number("Most CPU time, in percent of one CPU.", None),
    "restart": _text("Deprecated in favour of on_crash: onreboot, always or never.", None),
    "on_poweroff": _text("Behaviour when a domain exits with reason 'poweroff'.", None),
    "on_reboot": _text("Behaviour when a domain exits with reason 'reboot'.", None),
    "on_crash": _text("Behaviour when a domain exits with reason 'crash'.", None),
    "blkif": _number("Make the domain a block device backend.", 0, _NO_BACKEND),
    "netif": _number("Make the domain a network interface backend.", 0, _NO_BACKEND),
    "tpmif": _number("Make the domain a TPM interface backend.", 0, _NO_BACKEND),
    "disk": _list("Add a disk device: phy:DEV,VDEV,MODE[,DOM]."),
    "pci": _list("Add a PCI device.", _NO_DEVICE),
    "ioports": _list("Add a legacy I/O range.", _NO_DEVICE),
    "irq": _list("Add an IRQ.", _NO_DEVICE),
    "usbport": _list("Add a physical USB port.", _NO_DEVICE),
    "vif": _list("Add a network interface: mac=MAC,bridge=BRIDGE,..."),
    "vtpm": _list("Add a TPM interface.", "there is no virtual TPM"),
    "access_control": _list("Add a security label.", "there is no access control module"),
    "nics": _number("Deprecated. Use empty vif entries instead.", -1),
    "root": _text("Set the root= parameter on the kernel command line."),
    "extra": _text("Set extra arguments to append to the kernel command line."),
    "ip": _text("Set the kernel IP interface address."),
    "gateway": _text("Set the kernel IP gateway."),
    "netmask": _text("Set the kernel IP netmask."),
    "hostname": _text("Set the kernel IP hostname."),
    "interface": _text("Set the kernel IP interface name.", "eth0"),
    "dhcp": _text("Set the kernel dhcp option: off or dhcp.", "off"),
    "nfs_server": _text("Set the address of the NFS server for NFS root."),
    "nfs_root": _text("Set the path of the root NFS directory."),
    "device_model": _text("Path to device model program."),
    "fda": _text("Path to fda.", "", "a guest's machine has no floppy"),
    "fdb": _text("Path to fdb.", "", "a guest's machine has no floppy"),
    "serial": _text("Path to serial or pty or vc."),
    "localtime": _number("Is RTC set to localtime?"),
    "usb": _number("Emulate USB devices?"),
    "usbdevice": _text("Name of USB device to add?"),
    "stdvga": _number("Use std vga or cirrhus logic graphics."),
    "isa": _number("Simulate an ISA only system?"),
    "soundhw": _text("Should domain emulate a sound card?"),
    "boot": _text("Default boot device.", "c"),
    "nographic": _number("Should device models use graphics?"),
    "vnc": _number("Should the device model use VNC?", None),
    "vncdisplay": _number("VNC display to use.", None, _BY_SCREEN),
    "vnclisten": _text("Address for VNC server to listen on.", None, _BY_SCREEN),
    "vncunused": _number("Try to find an unused port for the VNC server.", 1),
    "vncviewer": _text("Spawn a vncviewer listening for a vnc server.", None, _BY_SCREEN),
    "vncconsole": _text("Spawn a vncviewer process for the domain's graphical console.", None),
    "sdl": _number("Should the device model use SDL?", None),
    "display": _text("X11 display to use.", None),
    "xauthority": _text("X11 authority to use.", None),
    "uuid": _text("xenstore UUID (universally unique identifier) to use.", None),
}

Values = Mapping[str, Value]


def checked(values: Mapping[str, Value], *, name: str) -> dict[str, Value]:
    """Return every variable with its value, as it is if nobody set it; what a file sets for its own use is left out.

    Args:
        values: what the file and the command line set.
        name: the file, for errors.

    Raises:
        InvalidInput: one is of another kind, or cannot be anything else than it is.
    """
    found: dict[str, Value] = {}
    for key, variable in VARIABLES.items():
        value = values.get(key)
        found[key] = variable.default if value is None else convert(key, value, name=name)
        if variable.why_not and found[key] not in (variable.default, None, "", 0):
            raise InvalidInput(
                f"{name}: {key} cannot be set: {variable.why_not}", hint="leave it out"
            )
    return found


def convert(key: str, value: Value, *, name: str) -> Value:
    """Return a value as its variable's kind, as xm takes a number for a string and the other way.

    Raises:
        InvalidInput: it cannot be that.
    """
    kind = VARIABLES[key].kind
    match kind, value:
        case Kind.TEXT, str():
            if not value.isprintable():
                raise InvalidInput(f"{name}: {key} is not in one line")
            return value
        case Kind.TEXT, int() | float():
            return str(value)
        case Kind.NUMBER, int():
            return int(value)
        case Kind.FLOAT, int() | float():
            return float(value)
        case ((Kind.NUMBER | Kind.FLOAT), str()):
            try:
                return int(value) if kind is Kind.NUMBER else float(value)
            except ValueError:
                pass
        case Kind.LIST, list() | tuple():
            if all(isinstance(member, str) and member.isprintable() for member in value):
                return list(value)
        case Kind.LIST, str():
            return [value]
    raise InvalidInput(f"{name}: {key} is no {kind.value.removeprefix('a ')}: {value!r:.60}")


def read_assignments(words: Sequence[str]) -> dict[str, Value]:
    """Return the variables that a command line sets, ``KEY=VALUE`` each; a list grows with every word.

    A file may use them: one that is all digits is a number there.

    Raises:
        InvalidInput: a word is no such thing.
    """
    found: dict[str, Value] = {}
    for word in words:
        key, is_set, text = word.partition("=")
        if not is_set or not key.isidentifier():
            raise InvalidInput(f"Invalid argument: {word}", hint="give KEY=VALUE")
        variable = VARIABLES.get(key)
        if variable is not None and variable.kind is Kind.LIST:
            had = found.get(key)
            found[key] = [*(had if isinstance(had, list) else []), text]
        else:
            is_number = text.isascii() and text.isdigit() and len(text) < 16
            found[key] = int(text) if is_number and variable is None else text
    return found
