"""How much the disks of a QEMU guest read and write a second: all of them together, as one group of QEMU's.

The engine does it, so it does not matter what the disks are on, and what waits is the guest and not QEMU.

Source: qapi/block-core.json of QEMU 7.2, ``block_set_io_throttle`` and ``query-block``.
"""

from typing import Any

from wirt.approaches.qemu.monitor import Monitor
from wirt.model.capability import Capability, yes
from wirt.model.limits import Limits
from wirt.units import UNBOUNDED

_GROUP = "disks"
_FIELDS = {
    "io_read": "bps_rd",
    "io_write": "bps_wr",
    "iops_read": "iops_rd",
    "iops_write": "iops_wr",
}
"""Of ``Limits``, and what QEMU calls them."""


def probe() -> dict[str, Capability]:
    """Say yes to each: QEMU needs nothing of the node for that."""
    return {limit: yes(limit.replace("_", "-"), "QEMU holds its disks to it") for limit in _FIELDS}


def hold(monitor: Monitor, limits: Limits) -> None:
    """Hold the disks to limits, and to no others.

    Raises:
        Failed: QEMU did not take it; some may have been changed.
    """
    wanted = {name: getattr(limits, limit) for limit, name in _FIELDS.items()}
    _hold(monitor, {name: 0 if most == UNBOUNDED else most for name, most in wanted.items()})


def join(monitor: Monitor) -> None:
    """Hold a disk that has just been put in to what the others are held to.

    Raises:
        Failed: QEMU did not take it.
    """
    for inserted in (one["inserted"] for one in _disks(monitor)):
        if inserted.get("group") == _GROUP:
            _hold(monitor, {name: inserted[name] for name in _FIELDS.values()})
            return


def _hold(monitor: Monitor, bounds: dict[str, int]) -> None:
    for disk in _disks(monitor):
        told = {"id": disk["qdev"], "group": _GROUP, "bps": 0, "iops": 0, **bounds}
        monitor.execute("block_set_io_throttle", told)


def _disks(monitor: Monitor) -> list[dict[str, Any]]:
    return [one for one in monitor.execute("query-block") if "inserted" in one]
