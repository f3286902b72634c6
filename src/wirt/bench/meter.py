"""Watches the node while a block is measured: who else uses it, and what held it back."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from wirt.bench.sample import Meanwhile
from wirt.host import facts, owngroup

_LOOK_SECONDS = 0.3
"""How long is looked before a block; the kernel counts in hundredths of a second, so a shorter look sees nothing."""


class Meter(Protocol):
    """Watches the node from ``begin`` to ``end``, again and again."""

    def begin(self) -> None:
        """Look at the node as it is without us, which takes a moment, and begin to watch."""
        ...

    def end(self) -> Meanwhile:
        """Return what was seen since."""
        ...


class _Reading(NamedTuple):
    cpu: facts.CpuTimes | None
    throttling: owngroup.Throttling | None
    overheated: int | None

    @classmethod
    def take(cls) -> "_Reading":
        return cls(facts.probe_cpu_times(), owngroup.probe_throttling(), facts.probe_overheating())


class NodeMeter:
    """Watches the node that this runs on."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._begin = _Reading.take()
        self._others: float | None = None

    def begin(self) -> None:
        """Look at the node as it is without us, and begin to watch."""
        before, own = facts.probe_cpu_times(), time.process_time()
        self._sleep(_LOOK_SECONDS)
        after = facts.probe_cpu_times()
        self._others = others_percent(before, after, own=time.process_time() - own)
        self._begin = _Reading.take()

    def end(self) -> Meanwhile:
        """Return what was seen since."""
        begin, end = self._begin, _Reading.take()
        cpu = stolen = None
        if begin.cpu is not None and end.cpu is not None and end.cpu.total > begin.cpu.total:
            cpu = end.cpu.total - begin.cpu.total
            # The kernel's count has been seen to go back.
            stolen = max(0.0, end.cpu.steal - begin.cpu.steal)
        throttled = seconds = None
        if begin.throttling is not None and end.throttling is not None:
            throttled = max(0, end.throttling.times - begin.throttling.times)
            seconds = max(0.0, end.throttling.seconds - begin.throttling.seconds)
        overheated = None
        if begin.overheated is not None and end.overheated is not None:
            overheated = max(0, end.overheated - begin.overheated)
        return Meanwhile(
            others_percent=self._others,
            cpu_seconds=cpu,
            stolen_seconds=stolen,
            throttled=throttled,
            throttled_seconds=seconds,
            overheated=overheated,
            temperature_c=facts.probe_temperature(),
            mhz=facts.probe_mhz(),
        )


def others_percent(
    before: facts.CpuTimes | None, after: facts.CpuTimes | None, *, own: float
) -> float | None:
    """Return the share of all processors' time that other processes used between two readings, percent.

    Args:
        before: the first reading.
        after: the second; None, as for the first, if the kernel does not say.
        own: seconds of CPU that this process used between them.
    """
    if before is None or after is None or after.total <= before.total:
        return None
    total = after.total - before.total
    busy = total - (after.idle - before.idle) - (after.steal - before.steal) - own
    return 100 * min(1.0, max(0.0, busy / total))
