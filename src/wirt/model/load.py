"""The load of a guest: how many of its threads run or wait for a disk, averaged as the kernel averages a node's."""

import math

import msgspec

PERIODS = (60.0, 300.0, 900.0)
"""Seconds over which is averaged."""
Averages = tuple[float, float, float]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Averages at a moment."""

    averages: Averages = (0.0, 0.0, 0.0)
    at: float
    """Seconds since the node was started."""


def advanced(load: Load, active: int, now: float) -> Load:
    """Return a load after a reading: what it found is taken to have been so since the one before.

    Source: the kernel's ``calc_load``, with the time between two readings in the place of five seconds.

    Args:
        load: as it was, or the one of the guest's start: nothing, then.
        active: threads that run or wait for a disk.
        now: seconds since the node was started.
    """
    passed = max(now - load.at, 0.0)

    def average(had: float, period: float) -> float:
        kept = math.exp(-passed / period)
        return had * kept + active * (1 - kept)

    one, five, fifteen = map(average, load.averages, PERIODS)
    return Load(averages=(one, five, fifteen), at=max(now, load.at))
