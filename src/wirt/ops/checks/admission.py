"""Guarantees are the node's promises: all of them together are no more than it has.

A share of the node is reserved for itself; a home keeps which. Other homes on the node are not looked at.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from wirt.errors import Conflict
from wirt.model.guest import Guest
from wirt.model.limits import Limits
from wirt.ops.context import Context
from wirt.units import render_bytes

USUAL_RESERVE = 0.1
_SETTING = "reserve"
_OF_CPUS = "reserve-cpus"


def reserve(context: Context) -> float:
    """Return the share of the node that is not guaranteed to guests, 0 to 1."""
    return float(context.store.setting(_SETTING) or USUAL_RESERVE)


def reserve_of_cpus(context: Context) -> float:
    """Return the share of the node's processors that is not guaranteed to guests, which may be one of its own."""
    return float(context.store.setting(_OF_CPUS) or reserve(context))


def change_reserve(context: Context, share: float) -> None:
    """Reserve another share of the node; what guests are guaranteed already stays."""
    context.store.change(_SETTING, repr(share))
    context.store.change(_OF_CPUS, repr(share))


def change_reserve_of_cpus(context: Context, share: float) -> None:
    """Reserve another share of its processors alone."""
    context.store.change(_OF_CPUS, repr(share))


@contextmanager
def admitted(
    context: Context,
    guest: Guest,
    limits: Limits,
    *,
    force: bool = False,
    otherwise: str = "pass --force",
) -> Iterator[None]:
    """Check that the node can guarantee what a guest is to have, and let nobody else be guaranteed anything meanwhile.

    Args:
        context: the home.
        guest: as it is.
        limits: what it is to have.
        force: True to guarantee it all the same.
        otherwise: what whoever is refused may do, but to ask for less.

    Raises:
        Conflict: the node has not as much left; nothing was changed.
    """
    has = guest.limits
    if limits.cpu_guarantee <= has.cpu_guarantee and (
        limits.memory_guarantee <= has.memory_guarantee
    ):
        yield
        return
    with context.guarantees_lock():
        if not force:
            _check(context, guest, limits, otherwise)
        yield


def check_guarantees(context: Context, guest: Guest) -> None:
    """Check that the node can guarantee what a guest that comes from elsewhere has.

    Raises:
        Conflict: the node has not as much left.
    """
    promised_nothing = msgspec.structs.replace(guest.limits, cpu_guarantee=0.0, memory_guarantee=0)
    bare = msgspec.structs.replace(guest, limits=promised_nothing)
    _check(context, bare, guest.limits, "pass --force")


def _check(context: Context, guest: Guest, limits: Limits, otherwise: str) -> None:
    # One that is being changed right now counts as what it becomes.
    homes = {one.id: one for one in context.store.guests()}
    homes |= {intent.guest.id: intent.guest for intent in context.store.intents()}
    others = [one.limits for one in homes.values() if one.id != guest.id]
    if limits.cpu_guarantee > guest.limits.cpu_guarantee:
        given = sum(one.cpu_guarantee for one in others)
        has = context.cpus * (1 - reserve_of_cpus(context))
        _check_left(guest, limits.cpu_guarantee, has, given, said=_said_cpus, otherwise=otherwise)
    if limits.memory_guarantee > guest.limits.memory_guarantee:
        given = sum(one.memory_guarantee for one in others)
        memory = context.memory * (1 - reserve(context))
        _check_left(
            guest, limits.memory_guarantee, memory, given, said=_said_memory, otherwise=otherwise
        )


def _check_left(
    guest: Guest,
    wanted: float,
    has: float,
    given: float,
    *,
    said: Callable[[float], str],
    otherwise: str,
) -> None:
    # Sums of fractions are not exact.
    if given + wanted <= has * (1 + 1e-9):
        return
    left = max(0.0, has - given)
    raise Conflict(
        f"guest {guest.name} cannot be guaranteed {said(wanted)}: the node has {said(has)} for "
        f"guests, and others are guaranteed {said(given)}",
        hint=f"ask for at most {said(left)}, or {otherwise}",
    )


def _said_cpus(number: float) -> str:
    return f"{int(number * 100 + 1e-6) / 100:g} CPUs"


def _said_memory(size: float) -> str:
    return f"{render_bytes(int(size))} of memory"
