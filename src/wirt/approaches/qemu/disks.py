"""Further disks of a QEMU guest: the same on its command line as put in while it runs.

They sit behind the machine's bridge (see ``slots``), each in the slot of its place. Linux calls them vdb, vdc and so on in the order
of their places; by their name they are found at ``/dev/disk/by-id/virtio-NAME``, whatever was taken out before.

Source: docs/interop/qmp-spec and qapi/block-core.json of QEMU 7.2.
"""

import json
import os
from typing import Any

import msgspec

from wirt.approaches.qemu import slots
from wirt.approaches.qemu.monitor import Monitor
from wirt.errors import Failed
from wirt.host import files
from wirt.model.disk import QCOW2
from wirt.model.presence import Presence
from wirt.model.resources import Drive

_PREFIX = "disk-"
"""Of the names of its node and its device, which it tells from those of other things."""


def arguments(drives: tuple[Drive, ...]) -> list[str]:
    """Return the part of the command line that makes the disks behind the bridge."""
    made: list[str] = []
    cds = [drive for drive in drives if drive.is_cdrom]
    for drive in drives:
        device = _cd_drive(drive, cds.index(drive)) if drive.is_cdrom else _device(drive)
        made += ["-blockdev", json.dumps(_node(drive)), "-device", json.dumps(device)]
    return made


def path_in_guest(drive: Drive) -> str:
    """Return the name that udev in the guest gives a disk."""
    if drive.is_cdrom:
        return f"/dev/disk/by-id/ata-QEMU_DVD-ROM_{drive.name}"
    return f"/dev/disk/by-id/virtio-{drive.name}"


def attach(monitor: Monitor, drive: Drive) -> None:
    """Put a disk into the machine; no error if it is in it.

    Raises:
        Failed: QEMU did not take it; says why.
    """
    if drive.is_cdrom:
        raise Failed("a running machine gets no CD drive", hint="stop the guest first")
    if not _has_node(monitor, drive):
        # QEMU is not root any more, and sees no path but its own: it gets the disk open.
        with files.translated(f"open disk {drive.name}"):
            opened = os.open(
                drive.path, (os.O_RDONLY if drive.read_only else os.O_RDWR) | os.O_CLOEXEC
            )
        try:
            monitor.take_back(drive.unit)
            lent = msgspec.structs.replace(drive, path=monitor.lend(opened, drive.unit))
            monitor.execute("blockdev-add", _node(lent))
        finally:
            os.close(opened)
    if not _has_device(monitor, drive):
        monitor.execute("device_add", _device(drive))


def detach(monitor: Monitor, drive: Drive) -> None:
    """Take a disk out of the machine, or what there is of it; the guest is asked to let go of it first.

    Raises:
        Failed: it did not in time, as one that has not started up yet.
    """
    if drive.is_cdrom and _has_device(monitor, drive):
        raise Failed("a CD drive stays in a running machine", hint="stop the guest first")
    if _has_device(monitor, drive):
        slots.take_out(monitor, _name(drive), f"disk {drive.name}")
    if _has_node(monitor, drive):
        monitor.execute("blockdev-del", {"node-name": _name(drive)})
    monitor.take_back(drive.unit)


def probe(monitor: Monitor, drive: Drive) -> Presence:
    """Ask QEMU for the device and for what is behind it."""
    if _has_device(monitor, drive):
        return Presence.PRESENT
    return Presence.PARTIAL if _has_node(monitor, drive) else Presence.ABSENT


def grow(monitor: Monitor, drive: Drive, size: int) -> None:
    """Tell the machine how large a disk has become.

    Raises:
        Failed: QEMU did not take it.
    """
    monitor.execute("block_resize", {"node-name": _name(drive), "size": size})


def find_writable(monitor: Monitor) -> list[str]:
    """Return the names of the further disks that the guest can write to."""
    return [
        one["node-name"].removeprefix(_PREFIX)
        for one in _nodes(monitor)
        if one["node-name"].startswith(_PREFIX) and not one["ro"]
    ]


def _node(drive: Drive) -> dict[str, object]:
    """Return how QEMU reads the disk: in the format that is said, and resting on nothing, whatever it claims."""
    return {
        "driver": drive.format,
        "node-name": _name(drive),
        "read-only": drive.read_only,
        "discard": "unmap",
        "file": {"driver": "host_device" if drive.is_device else "file", "filename": drive.path},
        **({"backing": None} if drive.format == QCOW2 else {}),
    }


def _device(drive: Drive) -> dict[str, object]:
    return {
        "driver": "virtio-blk-pci",
        "id": _name(drive),
        "drive": _name(drive),
        "serial": drive.name,
        # As many as the machine has CPUs would be another device once it has another number of them.
        "num-queues": 1,
        **slots.address(drive.unit),
    }


def _cd_drive(drive: Drive, port: int) -> dict[str, object]:
    """Return a drive that every firmware and system knows; it boots from the CD before it does from the disk."""
    return {
        "driver": "ide-cd",
        "id": _name(drive),
        "drive": _name(drive),
        "serial": drive.name,
        "bus": f"ide.{port}",
        "bootindex": drive.unit,
    }


def _name(drive: Drive) -> str:
    return f"{_PREFIX}{drive.name}"


def _has_device(monitor: Monitor, drive: Drive) -> bool:
    return slots.has_device(monitor, _name(drive))


def _has_node(monitor: Monitor, drive: Drive) -> bool:
    return any(one["node-name"] == _name(drive) for one in _nodes(monitor))


def _nodes(monitor: Monitor) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = monitor.execute("query-named-block-nodes", {"flat": True})
    return nodes
