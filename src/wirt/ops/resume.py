"""``resume``: a guest goes on from a checkpoint."""

import os

import msgspec

from wirt.errors import NotFound, Unsupported
from wirt.host import urgency
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.model.snapshot import Snapshot
from wirt.ops import checkpoints, guests, journal
from wirt.ops.context import Context
from wirt.ops.snapshot import go_back
from wirt.ops.start import as_running
from wirt.ops.steps.checkpointing import checkpointable, to_resume
from wirt.ops.steps.ladder import Ladder


def resume(
    context: Context,
    name: str,
    snapshot: str | None = None,
    *,
    force: bool = False,
    is_still: bool = False,
) -> Guest:
    """Let a stopped guest go on from a checkpoint, disk and memory, and return it, running. The checkpoint stays.

    Args:
        context: the home.
        name: the guest.
        snapshot: which; None for the latest.
        force: True to end the guest first if it runs.
        is_still: True to have it frozen as it was then: none of its processes runs before it is thawed.

    Raises:
        NotFound, WrongState, Unsupported, Corrupt, Busy: nothing was changed.
        Failed: it could not be resumed; it is stopped, with the disk that it had then.
    """
    # Whoever talks to the guest waits for it.
    with guests.held(context, name) as guest, urgency.hurrying():
        if not (force and guest.state is not State.STOPPED):
            next_state(guest.state, "resume", guest.name)
        chosen = _choose(guest, snapshot)
        directory = context.home.checkpoint(guest.id, chosen.name)
        what = f"checkpoint {chosen.name} of guest {guest.name}"
        with urgency.hurrying(what_it_starts=True):
            manifest = checkpoints.verify(directory, what)
        if manifest.machine != os.uname().machine:
            raise Unsupported(
                f"{what} is of a node with another processor: {manifest.machine}",
                hint="go back to its disk alone: wirt snapshot restore",
            )
        checkpointable(context, guest).check_memory(directory)
        to_resume(context, guest, Ladder(context, guest), directory, is_still=is_still)
        # Suspended it stays until it runs, so that nobody starts it anew without saying so.
        stopped = go_back(context, guest, chosen.name, after=guest)
        journal.begin(context, stopped, "resume")
        ladder = Ladder(context, stopped)
        journal.build(
            context,
            "resume",
            stopped,
            to_resume(context, stopped, ladder, directory, is_still=is_still),
            otherwise=stopped,
        )
        running = as_running(context, stopped, ladder)
        if is_still:
            running = msgspec.structs.replace(running, state=State.FROZEN)
        journal.settle(context, "resume", stopped, running)
    return running


def _choose(guest: Guest, snapshot: str | None) -> Snapshot:
    with_memory = [one for one in guest.snapshots if one.memory is not None]
    if snapshot is not None:
        with_memory = [one for one in with_memory if one.name == snapshot]
    if not with_memory:
        raise NotFound(
            f"guest {guest.name} has no checkpoint" + (f" {snapshot}" if snapshot else ""),
            hint=f"make one while it runs: wirt checkpoint {guest.name}"
            if snapshot is None
            else f"see wirt snapshot list {guest.name}",
        )
    return with_memory[-1]
