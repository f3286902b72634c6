"""The command line of a QEMU guest, made from values alone.

Options and their meaning: qemu-system-x86_64(1) of QEMU 7.2. Every line is here on purpose. QEMU is run in the guest's
private directory, so the names of its sockets are short, whatever the home's path (a socket's may have 107 bytes).
"""

import json

from wirt.approaches import ownkernel
from wirt.approaches.qemu import cards, disks, slots
from wirt.approaches.qemu.machine import Machine
from wirt.approaches.qemu.monitor import QMP_SOCKET
from wirt.model.launch import Launch
from wirt.model.resources import BlockImage
from wirt.units import KIB

PROGRAM = "qemu-system-x86_64"
INTERFACE = "eth"
"""What the guest's kernel calls a card, before its number."""
CONSOLE = "ttyS0"
SIGNAL_DEVICE = "/dev/ttyS1"
FILES_DEVICE = "/dev/virtio-ports/wirt.files.0"

FILES_SOCKET, SCREEN_SOCKET, PID_FILE = "files.sock", "vnc.sock", "pid"
"""Names in the private directory."""

_AFTER_CDS = 100
"""Place of the disk in the firmware's order; that of a CD is its own."""

_SANDBOX = "on,obsolete=deny,spawn=deny,resourcecontrol=deny"
_AGENT_PORT = "org.qemu.guest_agent.0"
"""The name by which the agent's package in the guest knows its port."""


def identity(name: str) -> str:
    """Return the argument by which a guest's process is known."""
    return f"guest={name}"


def build_argv(
    launch: Launch,
    root: BlockImage,
    *,
    machine: Machine,
    accelerator: str,
    kernel: str | None,
    ramdisk: str | None,
    grow: bool,
    waits: bool = False,
) -> list[str]:
    """Return the command line.

    Args:
        launch: the guest.
        root: its disk.
        machine: what it is started on.
        accelerator: "tcg" or "kvm".
        kernel: what it boots; None: whatever its firmware finds on its disks, CDs first.
        ramdisk: what that reaches the disk with, None if it does by itself.
        grow: whether the disk is larger than the file system on it, which is to fill it.
        waits: whether it does not boot, and waits to be given another machine's memory.
    """
    return [
        PROGRAM,
        *("-name", identity(launch.place.name)),
        # Nothing that is not asked for here: no screen, no floppy, no configuration of this node's.
        *("-nodefaults", "-no-user-config", *_screen(launch)),
        *_machine(machine, accelerator, has_serial_firmware=not (kernel or launch.has_screen)),
        *(_firmware() if kernel is None else _kernel(launch, kernel, ramdisk, accelerator, grow)),
        *(_disk(root) if root.backing else _whole_disk(root)),
        *slots.arguments(),
        *disks.arguments(launch.disks),
        *cards.arguments(launch.nic, launch.cards),
        # What takes memory from the guest and gives it back.
        *("-device", "virtio-balloon-pci"),
        *_channels(launch),
        # A guest that restarts, or whose kernel gives up, is a guest that has ended.
        "-no-reboot",
        *_confined(launch),
        *("-pidfile", PID_FILE),
        # Even when it has the memory, it goes on only when it is told to.
        *(("-incoming", "defer", "-S") if waits else ()),
    ]


def build_kernel_arguments(launch: Launch, *, emulated: bool, grow: bool) -> str:
    """Return what the guest's kernel is told."""
    arguments = [
        f"root={launch.root_device or '/dev/vda'}",
        "rw",
        # The last one named is the one that programs write to; the kernel writes to all.
        *(["console=tty0"] if launch.has_screen else []),
        f"console={CONSOLE}",
        "panic=-1",
        "net.ifnames=0",
        *ownkernel.network_arguments(launch, INTERFACE),
        f"systemd.hostname={launch.hostname}",
        # Nobody logs in on the line that says when commands end.
        "systemd.getty_auto=0",
        *ownkernel.console_arguments(launch, CONSOLE),
    ]
    if grow:
        # For the ramdisk (see storage/boot.py).
        arguments.append("wirt_grow=1")
    if emulated:
        # An emulated processor does not speculate: the patches against that only cost it time.
        arguments.append("mitigations=off")
    if launch.arguments:
        arguments.append(launch.arguments)
    return " ".join(arguments)


def _confined(launch: Launch) -> list[str]:
    """Return what QEMU gives away before the guest executes anything.

    By then all that the machine was made with is open: so it needs neither root nor any path. As an id of the guest's own range,
    in a root that holds its sockets and nothing else, it cannot open, execute, signal or trace anything of the node.
    The filter would end it when it changes its user, so that is not in the filter; once it is done, it cannot be done again for
    want of capabilities, and no_new_privs forbids to get any.
    """
    if launch.owner is None:
        return ["-sandbox", f"{_SANDBOX},elevateprivileges=deny"]
    return [
        *("-sandbox", f"{_SANDBOX},elevateprivileges=allow"),
        *("-runas", f"{launch.owner}:{launch.owner}"),
        *("-chroot", "."),
    ]


def _screen(launch: Launch) -> list[str]:
    """Return the graphics card, whose picture and keyboard are at a socket that only root reaches."""
    if not launch.has_screen:
        return ["-display", "none"]
    return ["-device", "VGA", "-display", f"vnc=unix:{SCREEN_SOCKET}"]


def _kernel(
    launch: Launch, kernel: str, ramdisk: str | None, accelerator: str, grow: bool
) -> list[str]:
    return [
        *("-kernel", kernel, *(("-initrd", ramdisk) if ramdisk else ())),
        *("-append", build_kernel_arguments(launch, emulated=accelerator == "tcg", grow=grow)),
    ]


def _firmware() -> list[str]:
    """Return what keeps the firmware to the disks that have a place in its order."""
    return ["-boot", "strict=on"]


def _machine(machine: Machine, accelerator: str, *, has_serial_firmware: bool) -> list[str]:
    """Return the machine; its firmware, and what asks that for a screen, may have the serial line in the place of one."""
    emulated = accelerator == "tcg"
    return [
        *("-machine", f"{machine.kind}{',graphics=off' if has_serial_firmware else ''}"),
        *("-accel", "tcg,thread=multi" if emulated else accelerator),
        *("-cpu", "max" if emulated else "host"),
        *("-smp", f"{machine.cpus},maxcpus={machine.most_cpus}"),
        *("-m", f"{machine.memory // KIB}K"),
    ]


def _disk(root: BlockImage) -> list[str]:
    """Return the disk, with QEMU's durable default: what the guest flushes is on the node's disk.

    The template's image is named with its format, so that QEMU trusts nothing that a guest could write there, and it is
    not locked: nobody ever writes to it, and User-Mode Linux holds a lock of another kind on it that QEMU would refuse.
    """
    return [
        "-blockdev",
        "driver=qcow2,node-name=root,discard=unmap"
        f",file.driver=file,file.filename={_quote(root.path)}"
        f",backing.driver=raw,backing.file.driver=file,backing.file.locking=off"
        f",backing.file.filename={_quote(root.backing or '')}",
        # As many queues as the machine has CPUs would be another device once it has another number of them.
        *("-device", "virtio-blk-pci,drive=root,num-queues=1"),
    ]


def _whole_disk(root: BlockImage) -> list[str]:
    """Return a disk that rests on nothing, which the firmware boots from if no CD is in."""
    is_device = root.format == "raw"
    file = {"driver": "host_device" if is_device else "file", "filename": root.path}
    node = {"driver": root.format, "node-name": "root", "discard": "unmap", "file": file}
    return [
        *("-blockdev", json.dumps(node if is_device else {**node, "backing": None})),
        *("-device", f"virtio-blk-pci,drive=root,num-queues=1,bootindex={_AFTER_CDS}"),
    ]


def _channels(launch: Launch) -> list[str]:
    """Return the console with its log, the agent's pipes, the second serial line, the port for files and QEMU's monitor."""
    log = _quote(launch.place.log)
    agent = ownkernel.TO_AGENT.removesuffix(".in")
    console = ownkernel.TO_CONSOLE.removesuffix(".in")
    return [
        # Its output goes to the log alone: see ``ownkernel.make_channel``.
        *("-chardev", f"pipe,id=console,path={console},logfile={log},logappend=on"),
        *("-serial", "chardev:console"),
        *("-chardev", f"file,id=signals,path={ownkernel.SIGNALS},append=on"),
        *("-serial", "chardev:signals"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", f"pipe,id=agent,path={agent}"),
        *("-device", f"virtserialport,chardev=agent,name={_AGENT_PORT}"),
        *("-chardev", f"socket,id=files,path={FILES_SOCKET},server=on,wait=off"),
        *("-device", f"virtserialport,chardev=files,name={FILES_DEVICE.rpartition('/')[2]}"),
        *("-qmp", f"unix:{QMP_SOCKET},server=on,wait=off"),
    ]


def _quote(path: str) -> str:
    """Return a path for one of QEMU's option lists, where a comma is written twice."""
    return path.replace(",", ",,")
