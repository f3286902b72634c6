"""The bridge that a machine's further devices sit behind, each in a slot of its own.

Nothing can be put into or taken out of a q35's first bus while the machine runs. Disks have the slots of their places, 1 to 15,
and cards those after that: so a machine that is made anew is the same machine.
"""

import time
from typing import Any

from wirt.approaches.qemu.monitor import Monitor
from wirt.errors import Failed
from wirt.model.disk import MOST_DISKS

BRIDGE = "slots"
MOST_CARDS = 31 - MOST_DISKS
"""Cards beside the first: the bridge has 31 slots."""

_LET_GO_SECONDS = 20.0
_DEVICES = "/machine/peripheral"


def arguments() -> list[str]:
    """Return the part of the command line that makes the bridge."""
    return ["-device", f"pcie-pci-bridge,id={BRIDGE}"]


def address(slot: int) -> dict[str, object]:
    """Return where a device is that has this slot."""
    return {"bus": BRIDGE, "addr": f"{slot:#x}"}


def has_device(monitor: Monitor, name: str) -> bool:
    """Ask QEMU whether the machine has a device."""
    listed: list[dict[str, Any]] = monitor.execute("qom-list", {"path": _DEVICES})
    return any(one["name"] == name for one in listed)


def take_out(monitor: Monitor, name: str, what: str) -> None:
    """Take a device out of the machine and return when the guest has let go of it.

    Args:
        monitor: of the machine.
        name: the device's.
        what: it is, for people.

    Raises:
        Failed: the guest did not let go in time, as one that has not started up yet.
    """
    monitor.execute("device_del", {"id": name})
    deadline = time.monotonic() + _LET_GO_SECONDS
    while has_device(monitor, name):
        left = deadline - time.monotonic()
        if left <= 0 or monitor.wait_for("DEVICE_DELETED", timeout=left) is None:
            raise Failed(
                f"the guest did not let go of {what} within {_LET_GO_SECONDS:g} s",
                hint=f"its system must be up for that; stop it to remove the {what.partition(' ')[0]}",
            )
