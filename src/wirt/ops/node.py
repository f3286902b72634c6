"""What the node has for guests and what becomes of it: reserved, guaranteed, limited, in use."""

import os
import time

import msgspec

from wirt.errors import InvalidInput
from wirt.host import facts, files
from wirt.model.lifecycle import State
from wirt.ops.checks import admission
from wirt.ops.context import Context
from wirt.ops.guests import observed

_LOOK_SECONDS = 0.2
"""How long the processors are watched to see how busy they are."""
_MOST_RESERVED = 90
"""Percent."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """CPUs, or bytes."""

    has: float
    reserved: float | None
    """Kept from being guaranteed; None: nothing of this is ever guaranteed."""
    guaranteed: float | None
    """To all guests of this home together."""
    limited: float
    """The sum of the limits of all guests of this home: what they could ask for at once."""
    used: float | None
    """By everything on the node; None: the kernel does not say."""


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The node's power and its use."""

    guests: int
    running: int
    cpus: Resource
    memory: Resource
    disk: Resource
    """Of the file system that the home is on."""


def report_node(context: Context) -> NodeReport:
    """Return what the node has and what becomes of it."""
    guests = [observed(context, guest) for guest in context.store.guests()]
    limits = [guest.limits for guest in guests]
    reserve = admission.reserve(context)
    available = facts.probe_memory().available
    with files.translated(f"look at {context.home.data}"):
        disk = os.statvfs(context.home.data)
    return NodeReport(
        guests=len(guests),
        running=sum(guest.state is not State.STOPPED for guest in guests),
        cpus=Resource(
            has=context.cpus,
            reserved=context.cpus * admission.reserve_of_cpus(context),
            guaranteed=sum(one.cpu_guarantee for one in limits),
            limited=sum(one.cpu_time for one in limits),
            used=_busy_cpus(context.cpus),
        ),
        memory=Resource(
            has=context.memory,
            reserved=context.memory * reserve,
            guaranteed=sum(one.memory_guarantee for one in limits),
            limited=sum(one.memory for one in limits),
            used=None if available is None else context.memory - available,
        ),
        disk=Resource(
            has=disk.f_blocks * disk.f_frsize,
            reserved=None,
            guaranteed=None,
            limited=sum(one.disk for one in limits),
            used=(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        ),
    )


def reserve_share(context: Context, percent: float) -> None:
    """Reserve a share of the node for itself: it is not guaranteed to guests from now on.

    Raises:
        InvalidInput: it is no such share.
    """
    _check_reservable(percent)
    admission.change_reserve(context, percent / 100)


def reserve_cpus(context: Context, percent: float) -> None:
    """Reserve a share of its processors alone.

    Raises:
        InvalidInput: it is no such share.
    """
    _check_reservable(percent)
    admission.change_reserve_of_cpus(context, percent / 100)


def _check_reservable(percent: float) -> None:
    if not 0 <= percent <= _MOST_RESERVED:
        raise InvalidInput(
            f"{percent:g} % of the node cannot be reserved",
            hint=f"ask for 0 to {_MOST_RESERVED:g}",
        )


def _busy_cpus(cpus: int) -> float | None:
    before = facts.probe_cpu_times()
    time.sleep(_LOOK_SECONDS)
    after = facts.probe_cpu_times()
    if before is None or after is None or after.total <= before.total:
        return None
    busy = 1 - (after.idle - before.idle) / (after.total - before.total)
    # The kernel's count of waiting for disks may go back, and a fraction of nothing is not quite nothing.
    return cpus * min(1.0, max(0.0, busy))
