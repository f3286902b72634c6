"""``undo``: a guest as it was before its last change by ``set --snapshot``."""

import msgspec

from wirt.errors import NotFound
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal
from wirt.ops.checks import admission
from wirt.ops.context import Context
from wirt.ops.snapshot import go_back
from wirt.ops.start import start


def undo(context: Context, name: str, *, force: bool = False) -> Guest:
    """Take a guest's root and limits back to what they were before the last change that a snapshot was made for.

    The snapshot is used up, so that the next ``undo`` takes back the change before. A guest that ran is started again.

    Args:
        context: the home.
        name: the guest.
        force: True to end the guest first if it runs.

    Raises:
        NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace: there is no room for the root beside the present one; nothing was changed.
        Failed, TimedOut: it is as it was before the change, and could not be started again.
    """
    with guests.held(context, name) as guest:
        if not (force and guest.state is not State.STOPPED):
            next_state(guest.state, "restore", guest.name)
        kept = next((one for one in reversed(guest.snapshots) if one.limits is not None), None)
        if kept is None or kept.limits is None:
            raise NotFound(
                f"guest {guest.name} has no change that could be undone",
                hint="wirt set --snapshot makes a snapshot to go back to",
            )
        ran = guest.state.is_up
        before = msgspec.structs.replace(guest, limits=kept.limits, suspended=None)
        after = journal.without_snapshot(before, kept.name)
        # What it was guaranteed may have been promised to others since.
        with admission.admitted(
            context, guest, kept.limits, otherwise="take guarantees from others"
        ):
            undone = go_back(context, guest, kept.name, after=after)
    return start(context, name) if ran else undone
