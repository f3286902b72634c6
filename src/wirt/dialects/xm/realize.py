"""What a domain's definition becomes: the approach behind it, and the guest that it asks for.

``linux`` builds a paravirtualized guest: Xen's where the node has Xen, else one on User-Mode Linux. ``hvm`` builds one that the
processor helps with: Xen's, else KVM's, else QEMU's, which does without.
"""

import os
import re
from ipaddress import IPv4Network

from wirt.approaches.base import HasScreen
from wirt.approaches.registry import APPROACHES
from wirt.dialects.xm import xend
from wirt.dialects.xm.definition import Definition
from wirt.dialects.xm.devices import Card, Disk
from wirt.dialects.xm.domains import guest_name
from wirt.errors import InvalidInput, Unsupported
from wirt.model.card import Card as NetworkCard
from wirt.model.disk import letter_of
from wirt.model.kernelboot import KernelBoot
from wirt.model.limits import Limits
from wirt.model.names import bridge_name
from wirt.model.resources import NicKind
from wirt.ops.bridges import list_networks
from wirt.ops.cards import NewCard
from wirt.ops.context import Context
from wirt.ops.create import DEFAULT_TEMPLATE, CreateRequest, OwnDisk
from wirt.ops.disk import DiskRequest
from wirt.units import MIB

_BEHIND = {"linux": ("xen", "uml"), "hvm": ("xen-pvh", "kvm", "qemu")}
_WEIGHT = 256
"""The usual weight of Xen's credit scheduler."""
MOST_WEIGHT = 25_600
_KERNEL_NAMES = {
    "uml": "/dev/ubd",
    "qemu": "/dev/vd",
    "kvm": "/dev/vd",
    "xen": "/dev/xvd",
    "xen-pvh": "/dev/xvd",
}
"""How the kernel of a guest calls its disks, but for the letter."""
_LOADER = "hvmloader"
"""What xm calls a kernel of ``hvm`` domains and is none."""


def choose_approach(context: Context, definition: Definition) -> str:
    """Return the approach that a domain is made under on this node: the first of its builder's that works here.

    Raises:
        Unsupported: none does.
    """
    reasons = []
    for name in _BEHIND[definition.builder]:
        if name not in APPROACHES:
            continue
        approach = context.approach(name)
        capability = approach.probe_capability()
        if not capability.available:
            reasons.append(f"{name}: {capability.reason}")
        elif _wants_screen(definition) and not isinstance(approach, HasScreen):
            reasons.append(f"{name}: its machine has no screen")
        else:
            return name
    raise Unsupported(
        f"no domain can be built by {definition.builder} here: {'; '.join(reasons)}",
        hint="see wirt doctor",
    )


def request_of(context: Context, definition: Definition, approach: str) -> CreateRequest:
    """Return the guest that a definition asks for.

    Raises:
        InvalidInput, Unsupported: it asks for what cannot be.
    """
    _check_boot(definition)
    card = definition.all_cards[0]
    _check_card(card)
    _check_bridge(context, card)
    address = definition.text("ip") or card.get("ip")
    _check_network(context, definition)
    return CreateRequest(
        name=guest_name(definition.name),
        approach=approach,
        template=definition.text("template") or DEFAULT_TEMPLATE,
        limits=_limits(definition),
        address=address,
        mac=card.get("mac"),
        rates=card.rates,
        kernel_boot=_kernel_boot(definition, approach),
        disk=_own_disk(definition),
        hostname=_hostname(definition),
        has_screen=_wants_screen(definition),
    )


def weight_to_guest(weight: float) -> int:
    """Return the CPU weight of a guest for one of Xen's.

    Raises:
        InvalidInput: there is none for it.
    """
    if not 1 <= weight <= MOST_WEIGHT:
        raise InvalidInput(f"weight {weight:g} cannot be given", hint=f"ask for 1 to {MOST_WEIGHT}")
    return max(1, round(weight * Limits().cpu_weight / _WEIGHT))


def weight_of(limits: Limits) -> int:
    """Return Xen's weight for a guest's."""
    return round(limits.cpu_weight * _WEIGHT / Limits().cpu_weight)


def cap_to_guest(cap: int, cpus: int) -> float:
    """Return the CPU limit for a cap: percent of one CPU, 0 for none.

    Raises:
        InvalidInput: it is more than the domain's CPUs.
    """
    if not 0 <= cap <= 100 * cpus:
        raise InvalidInput(f"cap {cap} cannot be given", hint=f"ask for 0 to {100 * cpus}")
    return cap / 100


def cap_of(limits: Limits) -> int:
    """Return the cap of a guest, in percent of one CPU."""
    return round(100 * limits.cpu_limit)


def _wants_screen(definition: Definition) -> bool:
    return definition.builder == "hvm" and bool(definition.number("vnc"))


def _hostname(definition: Definition) -> str | None:
    """Return the host name that is asked for, made fit for one if it is not; None if it is the guest's own name."""
    wanted = re.sub(r"[^a-z0-9.-]+", "-", (definition.text("hostname") or "").lower()).strip("-.")
    return wanted if wanted and wanted != guest_name(definition.name) else None


def _limits(definition: Definition) -> Limits:
    memory, cpus = definition.number("memory") or 0, definition.number("vcpus") or 1
    most = definition.number("maxmem") or 0
    weight, cap = definition.weight, definition.number("cpu_cap")
    return Limits(
        cpus=cpus,
        memory=memory * MIB,
        # One that boots with all that it may have needs no machine that could take more.
        memory_max=0 if most == memory else most * MIB,
        cpu_pin=definition.pin,
        cpu_weight=Limits().cpu_weight if weight is None else weight_to_guest(weight),
        cpu_limit=0.0 if cap is None else cap_to_guest(cap, cpus),
    )


def disk_request(disk: Disk) -> DiskRequest:
    """Return what a guest is to have for a disk of a domain: it is called as the domain calls it."""
    return DiskRequest(
        name=disk.name,
        source=os.path.abspath(disk.path),
        format=disk.driver,
        read_only=not disk.is_writable,
        is_cdrom=disk.is_cdrom,
    )


def _kernel(definition: Definition) -> str | None:
    kernel = definition.text("kernel")
    return None if kernel is None or os.path.basename(kernel) == _LOADER else kernel


def _kernel_boot(definition: Definition, approach: str) -> KernelBoot | None:
    kernel = _kernel(definition)
    if kernel is None:
        for key in ("ramdisk", "extra"):
            if definition.text(key) is not None:
                raise InvalidInput(f"{key} goes with kernel", hint="name the kernel too")
        return None
    device, _, words = (definition.text("root") or "").partition(" ")
    ramdisk = definition.text("ramdisk")
    return KernelBoot(
        kernel=os.path.abspath(kernel),
        ramdisk=ramdisk and os.path.abspath(ramdisk),
        arguments=" ".join(filter(None, [words.strip(), definition.text("extra")])),
        root=_root_device(definition, device, approach),
    )


def _root_device(definition: Definition, device: str, approach: str) -> str | None:
    """Return the root as the domain's kernel names it, which is not as Xen's would: a disk is at its place among all.

    A domain whose disk is made of a template has that, whatever Xen would call it.
    """
    name = device.removeprefix("/dev/")
    for unit, disk in enumerate(definition.disks, 1):
        if disk.name == name and approach in _KERNEL_NAMES:
            return f"{_KERNEL_NAMES[approach]}{letter_of(unit)}"
    is_xen_name = re.fullmatch(r"(sd|hd|xvd)a\d*", name) is not None
    return None if not device or (is_xen_name and not definition.disks) else device


def _check_boot(definition: Definition) -> None:
    """Check that what a domain is booted with is clear."""
    for key in ("nfs_root", "nfs_server"):
        if definition.text(key) is not None:
            raise Unsupported(f"{key} cannot be set: a guest's root is a disk", hint="leave it out")
    if _kernel(definition) is not None:
        return
    for disk in definition.disks:
        if definition.builder == "linux":
            raise Unsupported(
                f"domain {definition.name} cannot boot from {disk.device}: nothing looks there for a kernel",
                hint="name the kernel too, and root",
            )
        if not disk.is_cdrom:
            raise Unsupported(
                f"domain {definition.name} cannot boot from {disk.device}: its machine boots from a CD or from a "
                "disk of its own",
                hint="make a guest of it with wirt import, and start that: xm start",
            )
    boots_from_cd = (definition.text("boot") or "c").startswith("d")
    if definition.builder == "hvm" and boots_from_cd != bool(definition.disks):
        raise Unsupported(
            f"boot = {definition.text('boot')!r} cannot be: a machine with a CD boots from that, one without from "
            "its disk",
            hint="give boot = 'd' and a disk such as file:/srv/install.iso,hdc:cdrom,r together",
        )


def _own_disk(definition: Definition) -> OwnDisk | None:
    """Return the empty disk of a domain that is booted from a CD; None: its disk is made of a template."""
    has_cd = definition.builder == "hvm" and _kernel(definition) is None and definition.disks
    return OwnDisk() if has_cd else None


def further_cards(context: Context, definition: Definition) -> list[NewCard]:
    """Return the cards that a definition asks for beside its first.

    Raises:
        InvalidInput, Unsupported: it asks for what cannot be.
    """
    return [new_card(context, card) for card in definition.all_cards[1:]]


def new_card(context: Context, card: Card) -> NewCard:
    """Return the card of a guest that a domain's asks for; on a private network if its bridge is one's name.

    Raises:
        InvalidInput, Unsupported: it asks for what cannot be.
    """
    _check_card(card)
    bridge, address = card.get("bridge"), card.get("ip")
    network = None
    for one in list_networks(context):
        if bridge in (one.name, bridge_name(context.home.tag, one.number)):
            network = one.name
    if network is None:
        _check_bridge(context, card)
    return NewCard(
        network=network,
        mac=card.get("mac"),
        addresses=() if address is None else (address,),
        rates=card.rates,
    )


def _check_card(card: Card) -> None:
    """Check that what is said of a card can be, but for its bridge."""
    if card.get("backend") not in (None, "0", "Domain-0"):
        raise Unsupported("a card's backend is the node itself", hint="leave backend out")
    if card.get("type") not in (None, "netfront", "ioemu"):
        raise InvalidInput(f"there is no type {card.get('type')} of cards", hint="leave it out")
    if card.get("script") not in (None, "vif-bridge"):
        raise Unsupported(
            f"the script {card.get('script')} is not run: cards are joined to the bridge",
            hint="leave it out",
        )
    for key in ("accel", "model", "vifname"):
        if card.get(key) is not None:
            raise Unsupported(f"{key} of a card cannot be set", hint="leave it out")


def _check_bridge(context: Context, card: Card) -> None:
    wanted, own = card.get("bridge"), bridge_name(context.home.tag)
    if wanted is not None and wanted not in (own, *xend.bridges(context.home)):
        raise InvalidInput(
            f"there is no bridge {wanted}",
            hint=f"leave it out: it is {own}; or say so in xend-config.sxp: "
            f"(network-script 'network-bridge bridge={wanted}')",
        )


def _check_network(context: Context, definition: Definition) -> None:
    """Check that what the file says of its network is so: the kernel is told what is right, not what was written."""
    if definition.text("dhcp") not in (None, "off"):
        raise Unsupported(
            "dhcp cannot be: nobody hands out addresses on the bridge",
            hint="leave it out, and an address is chosen",
        )
    anyone = NetworkCard(mac="", addresses=("0.0.0.0",))
    nic = context.network.nic("000000", anyone, NicKind.TAP, ipv6=False)
    netmask = str(IPv4Network((0, nic.prefix)).netmask)
    for key, right in (("gateway", nic.gateway), ("netmask", netmask)):
        if definition.text(key) not in (None, right):
            raise InvalidInput(
                f"{key} {definition.text(key)} is not that of this home's network",
                hint=f'leave it out, or write {key} = "{right}"',
            )
