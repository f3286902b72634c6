"""What is particular to a guest that goes to another node with its memory: how it is held still here, and let go on.

Until everything of it has arrived over there it only stands still, and whatever fails lets it go on here, connections and all.
Then it ends here, before it is handed over: so there is no instant in which it could run twice. Should the other node fail
after that, or this command die, it goes on here from the memory that was kept.
"""

import os
from collections.abc import Callable
from glob import escape, glob

import msgspec

from wirt.approaches.base import Checkpointable, Migratable
from wirt.errors import Error, Unsupported
from wirt.host import cgroup, files, processusage
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence, present_if
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.start import as_running
from wirt.ops.steps import transit
from wirt.ops.steps.cards import CardSteps
from wirt.ops.steps.checkpointing import (
    checkpointable,
    find_obstacles,
    to_cut_off,
    to_dump,
    to_resume,
    why_not,
)
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step

_DIRECTORY = ".migration"
"""As no checkpoint can be called."""


def memory_of(context: Context, guest: Guest) -> str:
    """Return the directory that a guest's memory is in on its way, on either node, once all of it is there.

    What was written before a power cut nobody vouches for, so it is not found any more.
    """
    return context.home.checkpoint(guest.id, f"{_DIRECTORY}-{context.boot_id}")


def fresh_of(context: Context, guest: Guest) -> str:
    """Return the directory that a guest's memory is being written to."""
    return context.home.checkpoint(guest.id, f"{_DIRECTORY}.new")


def count_memory(context: Context, guest: Guest) -> int:
    """Return about how many bytes the memory of a guest that runs takes in files."""
    if context.approach(guest.approach).needs.own_kernel:
        # Whoever runs its machine keeps all that this may have, whether its kernel uses it or not.
        return max(guest.limits.memory, guest.limits.memory_max)
    return processusage.count_memory(cgroup.Cgroup(context.home.place(guest.id).name).pids())


def measure_memory(context: Context, guest: Guest) -> int:
    """Return the bytes that a guest's memory takes here in files, all of it being there."""
    return files.disk_usage(memory_of(context, guest))


def forget(context: Context, guest: Guest) -> None:
    """Leave nothing of a guest's memory on this node; no error if there is nothing."""
    transit.forget(context.home, guest.id)
    for path in _places(context, guest):
        if os.path.islink(path):
            os.unlink(path)
        else:
            files.remove_tree(path)


def times_of(*, is_ahead: bool) -> int:
    """Return how often a guest's memory may come to lie on a node, in parts that replace each other, on its way."""
    return 2 if is_ahead else 1


def measure_room(context: Context, guest: Guest, size: int) -> int:
    """Return how many bytes of memory that is sent ahead may yet be written here; changes nothing.

    Args:
        context: the home.
        guest: whose memory it is, which is of so many bytes.
        size: of it.
    """
    times = times_of(is_ahead=True)
    return transit.measure_room(context.home, guest.id, fresh_of(context, guest), size, times=times)


def make_room(context: Context, guest: Guest, cards: CardSteps, *, is_ahead: bool) -> None:
    """Make room for the memory of a guest that runs, whose intent is written, before it is told to stop."""

    def make() -> None:
        forget(context, guest)
        size, times = count_memory(context, guest), times_of(is_ahead=is_ahead)
        transit.make(context.home, guest.id, fresh_of(context, guest), size, times=times)

    first, *_ = _steps(context, guest, cards, checkpointable(context, guest), lambda: None)
    step = msgspec.structs.replace(first, do=make)
    journal.perform("migrate", f"guest {guest.name}", [step])


def reserve(context: Context, guest: Guest, size: int) -> None:
    """Have the kernel find so many bytes of the room; they go with it."""
    with files.translated(f"reserve memory for guest {guest.name}"):
        transit.reserve(context.home, guest.id, size)


def check_node(context: Context, guest: Guest) -> Checkpointable:
    """Return the guest's approach if it can keep memory on this node.

    Raises:
        Unsupported: it cannot; says why.
    """
    approach = context.approach(guest.approach)
    if not isinstance(approach, Checkpointable):
        raise Unsupported(why_not(approach))
    capability = approach.probe_checkpoints()
    if not capability.available:
        raise Unsupported(capability.reason, hint=capability.hint)
    return approach


def check_guest(context: Context, guest: Guest) -> None:
    """Check that a running guest can go with its memory, as far as this node knows; changes nothing.

    Raises:
        Unsupported: it cannot; says what is in the way.
    """
    approach = check_node(context, guest)
    if guest.disks and isinstance(approach, Migratable):
        raise Unsupported(
            f"disk {guest.disks[0].name} would not be sent with it",
            hint="leave --mode out, or remove it first",
        )
    obstacles = find_obstacles(context, guest, approach)
    if obstacles:
        first, more = obstacles[0], len(obstacles) - 1
        raise Unsupported(
            f"{first.what} {first.reason}" + (f", and {more} more" if more else ""),
            hint=first.hint,
        )


def hold_still(
    context: Context,
    guest: Guest,
    cards: CardSteps,
    *,
    send_root: Callable[[], None],
    send_memory: Callable[[], None],
) -> Guest:
    """Keep a running guest's memory, send everything while it stands still, end it, and return it, stopped.

    Args:
        context: the home.
        guest: the guest, whose intent is written, and for whose memory there is room.
        cards: its own, which keep what comes for it from here on, and let nothing out once it stands still.
        send_root: is called while memory is written.
        send_memory: is called then.

    Raises:
        Error: something failed; the guest goes on once ``let_go_on`` has been called.
    """
    # That it can be has been found out before: to ask CRIU again takes a tenth of a second.
    approach = checkpointable(context, guest)
    handle, fresh = guest.handle, fresh_of(context, guest)
    assert handle is not None

    def standing_still() -> None:
        cards.silence()
        send_root()

    def written() -> None:
        os.rename(fresh, memory_of(context, guest))
        send_memory()

    def dump() -> None:
        transit.release(context.home, guest.id)
        approach.checkpoint(
            context.home.place(guest.id),
            handle,
            fresh,
            keep_running=False,
            standing_still=standing_still,
            written=written,
        )

    _, *steps = _steps(context, guest, cards, approach, dump)
    journal.perform("migrate", f"guest {guest.name}", steps)
    # That nothing of it can run any more is all that the other node has to wait for.
    engine = [step for step in Ladder(context, guest).to_run() if step.name == "engine"]
    journal.dismantle("migrate", engine)
    return journal.stopped(guest)


def let_go_on(context: Context, guest: Guest) -> None:
    """Let a guest go on that may stand still, and leave nothing of its memory; no error if it does not."""
    approach = context.approach(guest.approach)
    if guest.state is State.RUNNING and isinstance(approach, Checkpointable):
        cards = Ladder(context, guest).cards
        journal.dismantle("migrate", _steps(context, guest, cards, approach, lambda: None))


def recover(context: Context, guest: Guest) -> Guest:
    """Leave a guest whose migration has lost its maker as it was, running if it did, and return it.

    Over there are only files, which go when the other side misses us.
    """
    approach, ladder = context.approach(guest.approach), Ladder(context, guest)
    if guest.state is State.RUNNING and isinstance(approach, Checkpointable):
        approach.cancel_checkpoint(ladder.place)
        if approach.probe(ladder.place) is not Presence.PRESENT and is_kept(context, guest):
            journal.dismantle("migrate", ladder.to_run())
            return go_on_if_it_can(context, journal.stopped(guest))
    let_go_on(context, guest)
    journal.settle(context, "migrate", guest, guest)
    return guest


def is_kept(context: Context, guest: Guest) -> bool:
    """Return whether the memory of a guest that has ended for its migration is here, whole."""
    return os.path.isdir(memory_of(context, guest))


def go_on(context: Context, guest: Guest) -> Guest:
    """Let a guest that came to nobody go on here from its memory, and return it.

    Raises:
        Error: it could not; it is stopped, and nothing of its memory is left, which no later disk would fit.
    """
    ladder, memory = Ladder(context, guest), memory_of(context, guest)
    journal.begin(context, guest, "go-on")
    steps = [_memory(context, guest), *to_resume(context, guest, ladder, memory)]
    journal.build(context, "go-on", guest, steps, otherwise=guest)
    running = as_running(context, guest, ladder)
    # From here it goes on whoever dies.
    journal.begin(context, running, "forget")
    return finish(context, running)


def finish(context: Context, guest: Guest) -> Guest:
    """Leave nothing of the memory that a guest has gone on from, and return it."""
    forget(context, guest)
    journal.settle(context, "forget", guest, guest)
    return guest


def go_on_again(context: Context, guest: Guest) -> Guest:
    """Try once more to let a guest go on from its memory, after whoever tried has died, and return it."""
    journal.dismantle("go-on", Ladder(context, guest).to_run())
    return go_on_if_it_can(context, guest)


def go_on_if_it_can(context: Context, guest: Guest) -> Guest:
    """Do the same where nobody could be told why not: else it stays stopped, as after a power cut."""
    try:
        return go_on(context, guest)
    except Error:
        return guest


def goes_on_here(context: Context, guest: Guest) -> bool:
    """Let a guest go on that stands still here since its engine has sent it to a node that has not taken it.

    Returns:
        False if there is none: it has ended here.
    """
    if guest.state is not State.RUNNING or guest.boot != context.boot_id or guest.handle is None:
        return False
    if context.approach(guest.approach).probe(context.home.place(guest.id)) is not Presence.PRESENT:
        return False
    let_go_on(context, guest)
    return True


def _steps(
    context: Context,
    guest: Guest,
    cards: CardSteps,
    approach: Checkpointable,
    dump: Callable[[], None],
) -> list[Step]:
    ladder = Ladder(context, guest)
    return [_memory(context, guest), to_cut_off(cards), to_dump(approach, ladder, dump)]


def _memory(context: Context, guest: Guest) -> Step:
    """Return the step that, undone, leaves nothing of a guest's memory on this node."""
    return Step(
        name="memory",
        do=lambda: None,
        undo=lambda: forget(context, guest),
        probe=lambda: present_if(_is_anything_there(context, guest)),
    )


def _is_anything_there(context: Context, guest: Guest) -> bool:
    return transit.is_there(context.home, guest.id) or bool(_places(context, guest))


def _places(context: Context, guest: Guest) -> list[str]:
    """Return the paths of all that is there of a guest's memory on its way, be it of before the node was restarted."""
    return glob(f"{escape(context.home.checkpoint(guest.id, _DIRECTORY))}*")
