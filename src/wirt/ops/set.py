"""``set``: other limits for a guest, at once if it runs, and kept."""

import msgspec

from wirt.approaches.base import Adjustable, Approach
from wirt.errors import InvalidInput, Unsupported
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.limits import HELD_BY_THE_NODE, Limits, check_limits
from wirt.ops import (
    cards,
    guests,
    journal,
    naming,
    privileges,
    rates,
    recovery,
    routes,
    softlimit,
)
from wirt.ops.cards import CardRequest
from wirt.ops.checks import admission
from wirt.ops.checks.holdable import check_holdable, check_maximum
from wirt.ops.checks.leading import check_routes
from wirt.ops.checks.pinning import with_chosen
from wirt.ops.checks.sizes import check_cpus, machine_of
from wirt.ops.context import Context
from wirt.ops.inodes import bound_of
from wirt.ops.naming import NamesRequest
from wirt.ops.privileges import PrivilegesRequest
from wirt.ops.rates import RatesRequest
from wirt.ops.routes import RoutesRequest
from wirt.ops.snapshot import keep_root
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.units import UNBOUNDED

_OTHERS = ("card", "names", "privileges", "rates", "routes")
"""What is no limit."""


class SetRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; what is None stays."""

    cpus: int | None = None
    memory: int | None = None
    """Bytes."""
    memory_max: int | None = None
    """Bytes; 0: no more than its memory."""
    processes: int | None = None
    disk: int | None = None
    """Bytes."""
    disk_soft: int | None = None
    """Bytes, or UNBOUNDED."""
    disk_grace: float | None = None
    """Seconds."""
    disk_inodes: int | None = None
    """UNBOUNDED: as many as there are."""
    disk_inodes_soft: int | None = None
    user_quotas: bool | None = None
    """From the next start on."""
    swap: int | None = None
    """Bytes, or UNBOUNDED."""
    io_read: int | None = None
    """Bytes a second, or UNBOUNDED."""
    io_write: int | None = None
    """Bytes a second, or UNBOUNDED."""
    iops_read: int | None = None
    """Reads a second, or UNBOUNDED."""
    iops_write: int | None = None
    """Writes a second, or UNBOUNDED."""
    io_weight: int | None = None
    files: int | None = None
    """Open files of a process, or UNBOUNDED."""
    terminals: int | None = None
    cpu_guarantee: float | None = None
    memory_guarantee: int | None = None
    """Bytes."""
    cpu_weight: int | None = None
    cpu_limit: float | None = None
    """Processors' worth of time; 0: that of all its CPUs."""
    cpu_pin: tuple[int, ...] | None = None
    """None of the node's processors: it is not pinned any more."""
    names: NamesRequest | None = None
    privileges: PrivilegesRequest | None = None
    """From the next start on."""
    rates: RatesRequest | None = None
    card: CardRequest | None = None
    routes: RoutesRequest | None = None
    """Of its first card."""


def set_limits(
    context: Context,
    name: str,
    request: SetRequest,
    *,
    snapshot: bool = False,
    force: bool = False,
) -> Guest:
    """Hold a guest to other limits, or rates, or give it other names or addresses, and return it.

    Names, addresses and rates are operations of their own, before the others, and the disk is one after them: killed in between, what was
    done is changed and the rest is not.

    Args:
        context: the home.
        name: the guest.
        request: what is to change.
        snapshot: True to keep its root and its limits first, for ``undo``.
        force: True to guarantee more than the node has.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be, as when a guest holds more memory than it is to have; what could not is as
            before, and so is what would have come after it; a snapshot that was made for it stays.
    """
    with guests.held(context, name) as found:
        guest = found
        next_state(guest.state, "set", guest.name)
        limits = _changed(context, guest, request)
        adjusted = msgspec.structs.replace(limits, disk=guest.limits.disk)
        adjusting = _adjusting(context, guest, adjusted)
        names = guest.naming
        if request.names is not None:
            names = naming.changed(context, guest, request.names)
        rights = guest.privileges
        if request.privileges is not None:
            rights = privileges.changed(context, guest, request.privileges)
        pace = guest.rates
        if request.rates is not None:
            pace = rates.changed(context, guest, guest.card, request.rates)
        carded = guest
        if request.card is not None:
            carded = cards.changed(context, guest, request.card)
        if request.routes is not None:
            led = routes.changed(context, carded, carded.card, request.routes)
            carded = routes.given(carded, carded.card, led)
        if carded != guest:
            check_routes(context, carded, carded.card, carded.routes)
            cards.check_changeable(context, guest, carded)
        if request.disk is not None:
            Ladder(context, guest).root.check_resizable(request.disk)
        with admission.admitted(context, guest, limits, force=force):
            if snapshot:
                guest = keep_root(context, guest, before_change=True)
            if names != guest.naming:
                guest = naming.give(context, guest, names)
            if rights != guest.privileges:
                guest = privileges.give(context, guest, rights)
            if carded.card != guest.card:
                guest = cards.change(context, guest, carded)
            if pace != guest.rates:
                guest = rates.hold(context, guest, guest.card, pace)
            if adjusted != guest.limits:
                # The intent holds what is to be: to take memory back from a guest that has it already could end it.
                after = msgspec.structs.replace(
                    guest, limits=adjusted, is_adjusted=_may_reboot(context, guest)
                )
                journal.begin(context, after, "adjust")
                journal.build(context, "adjust", after, adjusting, otherwise=guest)
                journal.settle(context, "adjust", after, after)
                guest = after
            if request.disk is not None:
                guest = _resize(context, guest, msgspec.structs.replace(guest, limits=limits))
    soft = (request.disk_soft, request.disk_grace, request.disk_inodes, request.disk_inodes_soft)
    # A larger disk has more inodes.
    if any(limit is not None for limit in soft) or bound_of(guest) != UNBOUNDED:
        guest = softlimit.review(context, name)
    return guest


def _resize(context: Context, guest: Guest, after: Guest) -> Guest:
    """Give a guest's root another size and return what the guest is then."""
    step = Ladder(context, guest).root.to_resize(after.limits.disk)
    journal.begin(context, after, "resize")
    try:
        journal.perform("resize", f"guest {guest.name}", [step])
    except BaseException:
        recovery.break_off_resize(context, after)
        raise
    journal.settle(context, "resize", after, after)
    return after


def _changed(context: Context, guest: Guest, request: SetRequest) -> Limits:
    """Return the limits that the guest is to have, once they have been found to be possible."""
    wanted = msgspec.structs.asdict(request)
    changes = {
        field: value
        for field, value in wanted.items()
        if value is not None and field not in _OTHERS
    }
    if not changes and all(getattr(request, other) is None for other in _OTHERS):
        raise InvalidInput("there is nothing to set", hint="say what, such as --disk 8G")
    approach = context.approach(guest.approach)
    for field in changes:
        if field != "disk" and changes[field] != getattr(guest.limits, field):
            _check_changeable(approach, guest, field, changes[field])
    limits = msgspec.structs.replace(guest.limits, **changes)
    limits = with_chosen(context, approach, limits, guest.id)
    check_holdable(context, guest, limits, wanted=changes)
    check_maximum(approach, guest, limits)
    machine = machine_of(context, approach)
    node_cpus = len(machine.processors)
    check_limits(
        limits,
        smallest_memory=approach.needs.smallest_memory,
        # It may have been made where there was more.
        most_memory=machine.memory
        if approach.needs.own_kernel and request.memory is not None
        else None,
        node_cpus=node_cpus if request.cpus is not None else max(node_cpus, limits.cpus),
    )
    if request.cpus is not None:
        check_cpus(guest.name, guest.approach, approach.needs, request.cpus)
    return limits


def _check_changeable(approach: Approach, guest: Guest, limit: str, value: int) -> None:
    """Check that a limit can be changed now."""
    if not guest.state.is_up or not isinstance(approach, Adjustable):
        return
    sizes = {"cpus": "number of CPUs", "memory_max": "maximum of memory"}
    what = {**sizes, **HELD_BY_THE_NODE}.get(limit, limit)
    if limit in approach.growing and value < getattr(guest.limits, limit):
        raise Unsupported(
            f"the {what} of guest {guest.name} can only grow while it runs",
            hint="stop it first",
        )
    if limit in approach.fixed:
        raise Unsupported(
            f"the {what} of guest {guest.name} cannot be changed while it runs: its kernel was "
            "started with it",
            hint="stop it first",
        )


def _may_reboot(context: Context, guest: Guest) -> bool:
    """Return whether a guest runs that may start anew by itself, under the limits of its start."""
    return guest.state.is_up and not context.approach(guest.approach).needs.own_kernel


def _adjusting(context: Context, guest: Guest, limits: Limits) -> list[Step]:
    """Return what has to be done to hold the guest to limits that it has not: for one that is stopped, nothing."""
    if not guest.state.is_up or limits == guest.limits:
        return []
    return [Ladder(context, msgspec.structs.replace(guest, limits=limits)).to_adjust(guest)]
