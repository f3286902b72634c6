"""``set``: a guest's limits changed, and kept."""

import msgspec

from wirt.errors import InvalidInput
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.limits import check_limits
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.snapshot import keep_root
from wirt.ops.steps import Ladder


def set_disk(context: Context, name: str, size: int, *, snapshot: bool = False) -> Guest:
    """Give a guest a disk of another size and return it.

    Args:
        context: the home.
        name: the guest.
        size: bytes.
        snapshot: True to keep its root and its limits first, for ``undo``.

    Raises:
        InvalidInput, NotFound, WrongState, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; the guest is as before, a snapshot that was made for it stays.
    """
    with guests.held(context, name) as found:
        guest = found
        next_state(guest.state, "set", guest.name)
        limits = msgspec.structs.replace(guest.limits, disk=size)
        check_limits(
            limits,
            smallest_memory=context.approach(guest.approach).needs.smallest_memory,
            node_cpus=max(context.cpus, guest.limits.cpus),
        )
        Ladder(context, guest).check_resizable()
        if snapshot:
            guest = keep_root(context, guest, before_change=True)
        step = Ladder(context, guest).to_resize(size)
        journal.begin(context, guest, "set")
        journal.build(context, "set", guest, [step], otherwise=guest)
        after = msgspec.structs.replace(guest, limits=limits)
        journal.settle(context, "set", guest, after)
    return after


def check_something(*changes: object) -> None:
    """Check that there is something to set.

    Raises:
        InvalidInput: there is nothing.
    """
    if all(change is None for change in changes):
        raise InvalidInput("there is nothing to set", hint="say what, such as --disk 8G")
