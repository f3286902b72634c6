"""``checkpoint``: what a running guest is now, disk and memory, kept to go on from."""

import time

import msgspec

from wirt.errors import Conflict, Unsupported, WrongState
from wirt.host import urgency
from wirt.model.checkpoint import Obstacle
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.model.names import check_name
from wirt.model.snapshot import Snapshot
from wirt.ops import checkpoints, guests, journal
from wirt.ops.context import Context
from wirt.ops.steps import checkpointing
from wirt.ops.steps.checkpointing import checkpointable, to_checkpoint
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step


def checkpoint(
    context: Context,
    name: str,
    snapshot: str | None = None,
    *,
    keep_running: bool = False,
    title: str = "",
    description: str = "",
) -> Snapshot:
    """Keep what a guest that is up is now as a snapshot with memory, and return that. One that is frozen stays so.

    Args:
        context: the home.
        name: the guest.
        snapshot: what to call it; None for the date and time in UTC.
        keep_running: True to let the guest go on; else it is stopped.
        title: what else it is called.
        description: what is said of it.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be; nothing is left of it, and the guest goes on.
    """
    if snapshot is not None:
        check_name(snapshot, "snapshot")
    with guests.held(context, name) as guest:
        _check_up(context, guest)
        now = time.time()
        made = Snapshot(
            name=snapshot or time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)),
            created=now,
            title=title,
            description=description,
        )
        if any(one.name == made.name for one in guest.snapshots):
            raise Conflict(
                f"guest {guest.name} has a snapshot {made.name} already",
                hint="choose another name or delete it first: "
                f"wirt snapshot delete {guest.name} {made.name}",
            )
        obstacles = checkpointing.find_obstacles(context, guest, checkpointable(context, guest))
        if obstacles:
            first, more = obstacles[0], len(obstacles) - 1
            raise WrongState(
                f"guest {guest.name} cannot be checkpointed: {first.what} {first.reason}"
                + (f", and {more} more" if more else ""),
                hint=first.hint if not more else f"see wirt checkpoint --check {guest.name}",
            )
        with urgency.hurrying():
            return _Making(context, guest, made, keep_running=keep_running).run()


def find_obstacles(context: Context, name: str) -> list[Obstacle]:
    """Return what is known to stand in the way of a checkpoint of a running guest; changes nothing.

    Raises:
        NotFound, WrongState, Unsupported, Busy: there is no such guest, it does not run, or nothing that it does would let it
            be checkpointed here.
    """
    with guests.held(context, name) as guest:
        _check_up(context, guest)
        approach = checkpointable(context, guest)
        capability = approach.probe_checkpoints()
        if not capability.available:
            raise Unsupported(
                f"guest {guest.name} cannot be checkpointed: {capability.reason}",
                hint=capability.hint,
            )
        return checkpointing.find_obstacles(context, guest, approach)


def _check_up(context: Context, guest: Guest) -> None:
    frozen = guest.state is State.FROZEN
    if not (frozen and context.approach(guest.approach).needs.checkpoints_frozen):
        next_state(guest.state, "checkpoint", guest.name)


class _Making:
    """One checkpoint in the making."""

    def __init__(
        self, context: Context, guest: Guest, made: Snapshot, *, keep_running: bool
    ) -> None:
        self._context = context
        self._guest = guest
        self._made = made
        self._keep_running = keep_running

    def run(self) -> Snapshot:
        """Make it. Until all is kept a crash is undone and the guest goes on; then it is finished."""
        context, guest = self._context, self._guest
        steps = to_checkpoint(context, guest, self._made.name, self._dump)
        journal.begin(context, guest, "checkpoint", snapshot=self._made.name)
        journal.build(context, "checkpoint", guest, steps, otherwise=guest)
        if self._keep_running:
            journal.dismantle("checkpoint", steps[:1])
            journal.settle(context, "checkpoint", guest, self._after(guest))
        else:
            journal.dismantle("suspend", Ladder(context, guest).to_run())
            journal.settle(context, "suspend", guest, self._after(journal.stopped(guest)))
        return self._made

    def _dump(self, snapshot: Step) -> None:
        context, guest = self._context, self._guest
        directory = context.home.checkpoint(guest.id, self._made.name)
        assert guest.handle is not None

        def keep_disk() -> None:
            Ladder(context, guest).cards.silence()
            snapshot.do()

        def keep_memory() -> None:
            with urgency.hurrying(what_it_starts=True):
                manifest = checkpoints.seal(directory, guest)
            self._made = msgspec.structs.replace(self._made, memory=checkpoints.size(manifest))
            if not self._keep_running:
                # What is kept is whole: from here the guest's end is finished by whoever finds it begun.
                journal.begin(context, self._after(guest), "suspend", snapshot=self._made.name)

        checkpointable(context, guest).checkpoint(
            context.home.place(guest.id),
            guest.handle,
            directory,
            keep_running=self._keep_running,
            standing_still=keep_disk,
            written=keep_memory,
        )

    def _after(self, guest: Guest) -> Guest:
        return msgspec.structs.replace(
            guest,
            snapshots=(*guest.snapshots, self._made),
            suspended=None if self._keep_running else self._made.name,
        )
