"""A machine that stands still, or sends its memory, for somebody who may die: a mark in its private directory says so.

Whoever finds the mark without its maker lets the machine go on.
"""

import os
import time

from wirt.approaches import ownkernel
from wirt.approaches.qemu.monitor import Monitor, talking
from wirt.errors import TimedOut
from wirt.host import files
from wirt.model.launch import Place

DISK_JOB, DISK_THERE = "sending", "there"
"""QEMU's job that copies the disk to another node, and its node for the disk over there."""

_MARK = "held"
_CANCEL_SECONDS = 30.0
_LOOK_SECONDS = 0.01


def mark(place: Place) -> None:
    """Say that the machine is about to be held."""
    files.write(_path(place), "")


def is_held(place: Place) -> bool:
    """Return whether the machine was held, and not told to go on."""
    return os.path.exists(_path(place))


def let_go_on(place: Place) -> None:
    """Send nothing more, and let the machine go on; no error if it is not held.

    Raises:
        Failed, TimedOut: it does not.
    """
    if not is_held(place):
        return
    with talking(ownkernel.private_directory(place)) as monitor:
        deadline = time.monotonic() + _CANCEL_SECONDS
        monitor.execute("migrate_cancel")
        while _is_sending_memory(monitor):
            _wait(deadline, f"QEMU does not stop sending the memory of {place.name}")
        if _has_job(monitor):
            monitor.execute("block-job-cancel", {"device": DISK_JOB, "force": True})
        while _has_job(monitor):
            _wait(deadline, f"QEMU does not stop sending the disk of {place.name}")
        if any(
            node["node-name"] == DISK_THERE for node in monitor.execute("query-named-block-nodes")
        ):
            monitor.execute("blockdev-del", {"node-name": DISK_THERE})
        monitor.execute("cont")
    os.unlink(_path(place))


def _is_sending_memory(monitor: Monitor) -> bool:
    status = monitor.execute("query-migrate").get("status", "none")
    return status not in ("none", "completed", "cancelled", "failed")


def _has_job(monitor: Monitor) -> bool:
    return any(job["device"] == DISK_JOB for job in monitor.execute("query-block-jobs"))


def _wait(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise TimedOut(what)
    time.sleep(_LOOK_SECONDS)


def _path(place: Place) -> str:
    return os.path.join(ownkernel.private_directory(place), _MARK)
