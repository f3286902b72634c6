"""The configuration of a Xen domain, and the commands that change one that runs, made from values alone.

Keywords and their meaning: xl.cfg(5), xl(1) and xl-disk-configuration(5) of Xen 4.17. Every line is here on purpose.
"""

from wirt.approaches import ownkernel
from wirt.approaches.xen.disks import specification
from wirt.errors import InvalidInput
from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.model.resources import BlockImage, Nic
from wirt.units import MIB

INTERFACE = "eth"
"""What the guest's kernel calls a card, before its number."""
CONSOLE = "hvc0"
DISK = "xvda"
_XEN_WEIGHT, _WIRT_WEIGHT = 256, 100
"""What a domain gets if nothing is said, by credit2 and by Wirt."""
_LARGEST_WEIGHT = 65535


def build_config(launch: Launch, root: BlockImage, *, kind: str, most_cpus: int, grow: bool) -> str:
    """Return the configuration file.

    Args:
        launch: the guest; its kernel is not None.
        root: its disk.
        kind: "pv" or "pvh".
        most_cpus: virtual processors that it can be given while it runs.
        grow: whether the disk is larger than the file system on it, which is to fill it.

    Raises:
        InvalidInput: a path holds what xl's configuration cannot quote.
    """
    limits = launch.limits
    lines = [
        f"name = {_quoted(launch.place.name)}",
        f'type = "{kind}"',
        f"kernel = {_quoted(launch.kernel or '')}",
        *([f"ramdisk = {_quoted(launch.initrd)}"] if launch.initrd else []),
        f"cmdline = {_quoted(build_kernel_arguments(launch, grow=grow))}",
        f"memory = {limits.memory // MIB}",
        *([f"maxmem = {limits.memory_max // MIB}"] if limits.memory_max else []),
        f"vcpus = {limits.cpus}",
        f"maxvcpus = {max(limits.cpus, most_cpus)}",
        *([f'cpus = "{_numbers(limits.cpu_pin)}"'] if limits.cpu_pin else []),
        f"cpu_weight = {weight(limits)}",
        f"cap = {cap(limits)}",
        f"disk = [{', '.join(map(_quoted, [_disk(root), *map(specification, launch.disks)]))}]",
        f"vif = [{', '.join(_quoted(_card(nic)) for nic in (launch.nic, *launch.cards))}]",
        # A guest that restarts, or whose kernel gives up, is a guest that has ended.
        'on_poweroff = "destroy"',
        'on_reboot = "destroy"',
        'on_crash = "destroy"',
    ]
    return "\n".join(lines) + "\n"


def build_kernel_arguments(launch: Launch, *, grow: bool) -> str:
    """Return what the guest's kernel is told."""
    arguments = [
        f"root={launch.root_device or f'/dev/{DISK}'}",
        "rw",
        f"console={CONSOLE}",
        "wirt_xen=1",
        *(["wirt_grow=1"] if grow else []),
        "net.ifnames=0",
        *ownkernel.network_arguments(launch, INTERFACE),
        f"systemd.hostname={launch.hostname}",
        *ownkernel.console_arguments(launch, CONSOLE),
        *launch.arguments.split(),
    ]
    return " ".join(arguments)


def build_adjustments(name: str, limits: Limits) -> list[list[str]]:
    """Return the commands that hold a running domain to limits, in an order in which none needs another."""
    pinned = _numbers(limits.cpu_pin) if limits.cpu_pin else "all"
    return [
        ["xl", "mem-set", name, f"{limits.memory // MIB}m"],
        ["xl", "vcpu-set", name, str(limits.cpus)],
        ["xl", "vcpu-pin", name, "all", pinned],
        ["xl", "sched-credit2", "-d", name, "-w", str(weight(limits)), "-c", str(cap(limits))],
    ]


def weight(limits: Limits) -> int:
    """Return a domain's weight as credit2 counts it."""
    return max(1, min(_LARGEST_WEIGHT, limits.cpu_weight * _XEN_WEIGHT // _WIRT_WEIGHT))


def cap(limits: Limits) -> int:
    """Return the hundredths of a processor that a domain gets at most; 0 is no bound."""
    return round(limits.cpu_limit * 100)


def _disk(root: BlockImage) -> str:
    # Always served by QEMU, which knows what an image rests on, and which serves the agent's line too.
    return f"format={root.format},vdev={DISK},access=rw,backendtype=qdisk,target={root.path}"


def _card(nic: Nic) -> str:
    return f"mac={nic.mac},bridge={nic.bridge},vifname={nic.interface}"


def _numbers(cpus: tuple[int, ...]) -> str:
    return ",".join(map(str, cpus))


def _quoted(text: str) -> str:
    """Return a string of xl's configuration, which has no way to quote its own quotes."""
    if set(text) & set('"\n\\'):
        raise InvalidInput(
            f"Xen cannot be told {text!r}", hint="leave quotes, backslashes and line breaks out"
        )
    return f'"{text}"'
