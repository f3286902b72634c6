"""Cards of a QEMU guest: the same on its command line as put in while it runs.

The first is on the machine's first bus and stays. The others sit behind its bridge (see ``slots``), each in the slot of its number, so
Linux numbers them in that order, after the first.

Source: qapi/net.json of QEMU 7.2.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress

from wirt.approaches.qemu import slots
from wirt.approaches.qemu.monitor import Monitor
from wirt.errors import Failed
from wirt.host.tap import open_tap
from wirt.model.disk import MOST_DISKS
from wirt.model.resources import Nic


def arguments(first: Nic, others: Sequence[Nic]) -> list[str]:
    """Return the part of the command line that makes the cards."""
    # No ROM: nothing is booted from the network.
    device = f"virtio-net-pci,netdev={_end(first)},mac={first.mac},romfile="
    made = [*_tap(first), "-device", device]
    for nic in others:
        made += [*_tap(nic), "-device", json.dumps(_device(nic))]
    return made


def has(monitor: Monitor, nic: Nic) -> bool:
    """Ask QEMU whether the machine has a card."""
    return slots.has_device(monitor, _name(nic))


def attach(monitor: Monitor, nic: Nic) -> None:
    """Put a card into the machine, whose tap device is there.

    Raises:
        Failed: QEMU did not take it; says why.
    """
    _forget_end(monitor, nic)
    # QEMU is not root any more, and may open no tap device: it gets it open.
    opened = open_tap(nic.interface)
    try:
        monitor.hand_over(opened, nic.interface)
        monitor.execute("netdev_add", {"type": "tap", "id": _end(nic), "fd": nic.interface})
    finally:
        os.close(opened)
    monitor.execute("device_add", _device(nic))


def detach(monitor: Monitor, nic: Nic) -> None:
    """Take a card out of the machine, or what there is of it; the guest is asked to let go of it first.

    Raises:
        Failed: it did not in time, as one that has not started up yet.
    """
    if has(monitor, nic):
        slots.take_out(monitor, _name(nic), f"card {nic.name}")
    _forget_end(monitor, nic)


def _forget_end(monitor: Monitor, nic: Nic) -> None:
    """Have QEMU close the tap device of a card that the machine has not; it lists none, and refuses if it has none."""
    with suppress(Failed):
        monitor.execute("netdev_del", {"id": _end(nic)})


def _tap(nic: Nic) -> list[str]:
    return ["-netdev", f"tap,id={_end(nic)},ifname={nic.interface},script=no,downscript=no"]


def _device(nic: Nic) -> dict[str, object]:
    return {
        "driver": "virtio-net-pci",
        "id": _name(nic),
        "netdev": _end(nic),
        "mac": nic.mac,
        "romfile": "",
        **slots.address(MOST_DISKS + nic.number),
    }


def _name(nic: Nic) -> str:
    return f"card-{nic.number}"


def _end(nic: Nic) -> str:
    return f"network{nic.number or ''}"
