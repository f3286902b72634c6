"""The beancounters of one container: what it holds, as the node counts it, beside what its file allows it."""

from contextlib import suppress

import msgspec

from wirt.dialects.vz import ubc
from wirt.dialects.vz.configfile import ConfigFile
from wirt.errors import Failed, InvalidInput, NotFound, Unsupported, WrongState
from wirt.model.counter import UNITS, Counter, Standing
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.counters import read_counters


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One beancounter, in its unit; None is what nobody knows."""

    held: int | None = None
    maxheld: int | None = None
    barrier: int | None = None
    limit: int | None = None
    failcnt: int | None = None


Account = dict[str, Entry]


def read_account(context: Context, guest: Guest, config: ConfigFile) -> Account:
    """Return the beancounters of a guest: of one that does not run, or that nobody can count, what its file says."""
    counters: dict[str, Counter] = {}
    if guest.state.is_up:
        # It may have ended meanwhile, and of some approaches nothing of the node is counted.
        with suppress(NotFound, WrongState, Unsupported, Failed):
            counters = {counter.name: counter for counter in read_counters(context, guest.name)}
    implied = implied_by_memory(config)
    return {
        name: _entry(counters.get(name), pair_of(config, name) or implied.get(name))
        for name in UNITS
    }


def implied_by_memory(config: ConfigFile) -> dict[str, ubc.Pair]:
    """Return the beancounters that follow from memory and swap alone (VSwap), for those that a file does not say.

    Source: vzctl 4.11's way with ``--ram`` and ``--swap``.
    """
    ram, swap = pair_of(config, "physpages"), pair_of(config, "swappages")
    endless = (ubc.UNLIMITED, ubc.UNLIMITED_2006)
    if ram is None or ram.limit in endless or swap is None or swap.limit in endless:
        return {}
    both = ram.limit + swap.limit
    allocated = int(both * _overcommit(config)) or ubc.UNLIMITED
    return {
        "lockedpages": ubc.Pair(ram.limit, ubc.UNLIMITED),
        "oomguarpages": ubc.Pair(ram.limit, ubc.UNLIMITED),
        "vmguarpages": ubc.Pair(both, ubc.UNLIMITED),
        "privvmpages": ubc.Pair(allocated, allocated),
    }


def _overcommit(config: ConfigFile) -> float:
    try:
        return float(config.get("VM_OVERCOMMIT") or 0)
    except ValueError:
        return 0.0


def pair_of(config: ConfigFile, parameter: str) -> ubc.Pair | None:
    """Return what a file says of a beancounter or a quota; None if nothing that can be read."""
    text = config.get(parameter.upper())
    if text is None:
        return None
    try:
        if parameter == "diskspace":
            return ubc.parse_kibibytes(parameter, text)
        return ubc.parse_pair(parameter, text)
    except InvalidInput:
        return None


def bounds_of(counter: Counter, pair: ubc.Pair | None) -> ubc.Pair:
    """Return barrier and limit: what the kernel enforces counts more than what a file says, and that more than nothing."""
    if pair is None or counter.standing is Standing.ENFORCED:
        return ubc.Pair(counter.barrier, counter.limit)
    return pair


def _entry(counter: Counter | None, pair: ubc.Pair | None) -> Entry:
    bounds = pair if counter is None else bounds_of(counter, pair)
    barrier, limit = (bounds.barrier, bounds.limit) if bounds else (None, None)
    if counter is None:
        return Entry(barrier=barrier, limit=limit)
    return Entry(
        held=counter.held,
        maxheld=counter.maxheld,
        barrier=barrier,
        limit=limit,
        failcnt=counter.failcnt,
    )
