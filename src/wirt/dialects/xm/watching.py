"""What a running domain does and has done, as the node's kernel sees its engine."""

import os
import time

import msgspec

from wirt.dialects.xm.domains import Domain
from wirt.host import cgroup, cgroupusage, process
from wirt.model.lifecycle import State
from wirt.ops.context import Context


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a domain."""

    state: str
    """Six letters or hyphens: running, blocked, paused, shut down, crashed, dying."""
    cpu_seconds: float | None
    """None: nobody counts."""
    last_cpu: int | None
    """The node's processor that its engine's first thread ran on last."""


def look(context: Context, domain: Domain) -> Look:
    """Return what can be seen of a domain; of one that does not run nothing."""
    guest = domain.guest
    if domain.number is None:
        return Look(state="------", cpu_seconds=None, last_cpu=None)
    group = cgroup.Cgroup(context.home.place(guest.id).name)
    pid = guest.handle.pid if guest.handle else None
    if guest.state is State.FROZEN:
        state = "--p---"
    else:
        pids = group.pids() or ([pid] if pid is not None else [])
        state = "r-----" if any(process.is_executing(one) for one in pids) else "-b----"
    return Look(
        state=state,
        cpu_seconds=cgroupusage.cpu_seconds(group),
        last_cpu=None if pid is None else process.last_cpu(pid),
    )


def uptime(domain: Domain) -> float:
    """Return the seconds since a domain was started, 0 if it does not run or nobody knows."""
    handle = domain.guest.handle
    if domain.number is None or handle is None or handle.started is None:
        return 0.0
    since = handle.started / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - since)
