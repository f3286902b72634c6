"""A machine that goes to a QEMU on another node while it runs: its disk by a mirror, its memory by passes over what has changed.

Both go through sockets that the other QEMU listens at, at which Wirt knocks. When there is little left to send, the machine stands
still, the mirror is at its end, and the rest goes over. Then there are two machines that stand still, and each goes on only when it
is told to: who owns the guest is not QEMU's to decide.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from wirt.approaches import ownkernel
from wirt.approaches.base import Sent
from wirt.approaches.qemu import holding
from wirt.approaches.qemu.control import NO_BOUND, ask_machine, switch_on
from wirt.approaches.qemu.holding import DISK_JOB, DISK_THERE
from wirt.approaches.qemu.monitor import Monitor, connected, talking
from wirt.errors import Failed, TimedOut
from wirt.model.launch import Place

_DISK, _MEMORY = "disk", "memory"
GATES = {_DISK: "disk.sock", _MEMORY: "memory.sock"}
"""What comes in -> the name of the socket in the private directory at which it does."""
_ROOT = "root"
"""QEMU's node for the guest's disk (see ``build``)."""
_EXPORT = "disk"

_STALL_SECONDS = 30.0
"""How long nothing may go over before it is given up."""
_LOOK_SECONDS = 1.0
_ARRIVE_SECONDS = 30.0
_COUNT_SECONDS = 0.05
_OVER = ("completed", "failed", "cancelled")


def open_gates(place: Place) -> None:
    """Have a machine that waits listen for a disk and a memory.

    Raises:
        Failed: it does not.
    """
    with talking(ownkernel.private_directory(place)) as monitor:
        where = {"type": "unix", "data": {"path": GATES[_DISK]}}
        monitor.execute("nbd-server-start", {"addr": where})
        export = {"id": _EXPORT, "type": "nbd", "node-name": _ROOT, "name": _ROOT, "writable": True}
        monitor.execute("block-export-add", export)
        switch_on(monitor, "events")
        monitor.execute("migrate-incoming", {"uri": f"unix:{GATES[_MEMORY]}"})


def take(place: Place) -> float:
    """Let a machine go on of which everything has arrived, and return since when it does, by the monotonic clock, seconds.

    Raises:
        Failed, TimedOut: not everything has; it does not go on.
    """
    with talking(ownkernel.private_directory(place)) as monitor:
        status = str(monitor.execute("query-migrate").get("status", "none"))
        while status not in _OVER:
            event = monitor.wait_for("MIGRATION", timeout=_ARRIVE_SECONDS)
            if event is None:
                raise TimedOut(f"the memory of {place.name} has not arrived")
            status = str(event["data"]["status"])
        if status != "completed":
            raise Failed(f"the memory of {place.name} has not arrived: it {status}")
        monitor.execute("nbd-server-stop")
        monitor.execute("cont")
        # Under emulation the answer waits for the machine itself, which is at work by then.
        resumed = monitor.wait_for("RESUME", timeout=_ARRIVE_SECONDS)
        return time.monotonic() if resumed is None else _when(resumed)


def send(
    place: Place,
    gates: Mapping[str, str],
    *,
    emulated: bool,
    downtime: float,
    standing_still: Callable[[], None],
) -> Sent:
    """Send disk and memory of a running machine, which stands still when this returns, and goes on if it fails.

    Args:
        place: where the guest's traces are.
        gates: sockets that lead to those of ``open_gates``.
        emulated: whether QEMU itself sees what the machine writes, and not the processor.
        downtime: seconds that the machine may stand still for what is left to send.
        standing_still: is called when the machine stands still, while the last of it goes over.

    Raises:
        Failed, TimedOut: something did not go over.
    """
    holding.mark(place)
    try:
        with talking(ownkernel.private_directory(place)) as monitor:
            _mirror(monitor, gates[_DISK])
            switch_on(monitor, "events", "auto-converge", "pause-before-switchover")
            bounds = {"max-bandwidth": NO_BOUND, "downtime-limit": round(downtime * 1000)}
            monitor.execute("migrate-set-parameters", bounds)
            _knock(monitor, gates[_MEMORY], _MEMORY)
            if emulated and not ask_machine(monitor).is_tracked:
                # An earlier version of Wirt has started it. It stands still for all of its memory then.
                monitor.execute("stop")
            monitor.execute("migrate", {"uri": f"fd:{_MEMORY}"})
            return _follow(monitor, standing_still)
    except BaseException:
        holding.let_go_on(place)
        raise


def _follow(monitor: Monitor, standing_still: Callable[[], None]) -> Sent:
    """See memory on its way, and end the mirror when the machine stands still."""
    stood, disk = time.monotonic(), 0
    last, moved = None, time.monotonic()
    while True:
        event = monitor.wait_for("MIGRATION", "STOP", timeout=_LOOK_SECONDS)
        if event is None:
            sent = monitor.execute("query-migrate").get("ram", {}).get("transferred")
            if sent != last:
                last, moved = sent, time.monotonic()
            elif time.monotonic() - moved > _STALL_SECONDS:
                raise TimedOut(f"no memory went over for {_STALL_SECONDS:g} s")
        elif event["event"] == "STOP":
            stood = _when(event)
        elif (status := event["data"]["status"]) == "pre-switchover":
            disk = _end_mirror(monitor)
            monitor.execute("migrate-continue", {"state": status})
            standing_still()
        elif status in _OVER:
            found = _query_end(monitor)
            if status != "completed":
                raise Failed(
                    f"the machine's memory did not go over: {found.get('error-desc', 'the link was cut')}"
                )
            return Sent(
                bytes=disk + int(found["ram"]["transferred"]),
                stood_still=stood,
                engine_seconds=found.get("downtime", 0) / 1000,
            )


def _query_end(monitor: Monitor) -> dict[str, Any]:
    """Return what QEMU says of a migration that is over.

    It says that it is over before it has counted how long the machine stood still: until then that is 0.
    """
    deadline = time.monotonic() + _COUNT_SECONDS
    while True:
        found: dict[str, Any] = monitor.execute("query-migrate")
        if found["status"] != "completed" or found["downtime"] or time.monotonic() > deadline:
            return found


def _mirror(monitor: Monitor, gate: str) -> None:
    """Copy what the disk has beyond the template's image, and from then on whatever is written to it."""
    _knock(monitor, gate, _DISK)
    there = {"driver": "nbd", "node-name": DISK_THERE, "export": _ROOT}
    monitor.execute("blockdev-add", {**there, "server": {"type": "fd", "str": _DISK}})
    job = {"job-id": DISK_JOB, "device": _ROOT, "target": DISK_THERE, "sync": "top"}
    # A write of the guest is done when it is over there too: so nothing is left to be sent when it stands still.
    monitor.execute("blockdev-mirror", {**job, "copy-mode": "write-blocking"})
    last, moved = None, time.monotonic()
    while True:
        event = monitor.wait_for("BLOCK_JOB_READY", "BLOCK_JOB_COMPLETED", timeout=_LOOK_SECONDS)
        if event is not None and event["event"] == "BLOCK_JOB_READY":
            return
        if event is not None:
            raise Failed(
                f"the machine's disk did not go over: {event['data'].get('error', 'the link was cut')}"
            )
        sent = [job["offset"] for job in monitor.execute("query-block-jobs")]
        if sent != last:
            last, moved = sent, time.monotonic()
        elif time.monotonic() - moved > _STALL_SECONDS:
            raise TimedOut(f"nothing of the disk went over for {_STALL_SECONDS:g} s")


def _end_mirror(monitor: Monitor) -> int:
    """End the copying of a disk that nobody writes to any more, and return the bytes that went over."""
    monitor.execute("block-job-cancel", {"device": DISK_JOB})
    # One that is complete says that it is completed although it was cancelled.
    event = monitor.wait_for("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED", timeout=_STALL_SECONDS)
    if event is None or event["event"] == "BLOCK_JOB_CANCELLED" or "error" in event["data"]:
        why = "it does not end" if event is None else event["data"].get("error", "it was cancelled")
        raise Failed(f"the machine's disk did not go over: {why}")
    return int(event["data"]["offset"])


def _knock(monitor: Monitor, gate: str, name: str) -> None:
    """Connect to a socket and hand QEMU the connection."""
    directory, socket_name = os.path.split(gate)
    with connected(directory, socket_name) as connection:
        monitor.hand_over(connection.fileno(), name)


def _when(event: dict[str, Any]) -> float:
    """Return when something happened, by the monotonic clock."""
    said = event["timestamp"]["seconds"] + event["timestamp"]["microseconds"] / 1e6
    return time.monotonic() - (time.time() - float(said))
