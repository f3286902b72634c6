"""What goes over of a guest while it still runs: its root again and again, and its memory by rounds, where it is known what changes.

A round writes all that memory holds, or what has changed since the one before, and sends it; what is written while the guest stands
still is then what has changed since the last. Nothing of it is needed: where it cannot be, or fails, memory goes in one piece.
"""

import os
from collections.abc import Callable, Sequence

import msgspec

from wirt.approaches.tracking import KnowsTracking, TracksMemory
from wirt.errors import Failed
from wirt.host import files, interrupts
from wirt.model.guest import Guest
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.moving import live
from wirt.ops.moving.journey import Journey
from wirt.ops.steps.checkpointing import checkpointable
from wirt.ops.steps.step import Step
from wirt.storage.base import Portable
from wirt.transport.base import Link, LinkLost, Session
from wirt.units import render_bytes

SETTLED_BYTES = 1 << 20
"""What takes no more is sent the last time before the guest is stopped."""
MOST_TIMES = 5


def is_worth_another(sizes: Sequence[int]) -> bool:
    """Return whether something is to be sent once more while the guest runs, after so many bytes each time.

    It is sent twice at least. After that it must have become less by half, or there is no end to it.
    """
    if len(sizes) < 2:
        return True
    return len(sizes) < MOST_TIMES and SETTLED_BYTES < sizes[-1] <= sizes[-2] / 2


def send_root(context: Context, guest: Guest, link: Link, place: str, *, moving: bool) -> int:
    """Make a guest's root there what it is here, and return the bytes that went over."""
    pool = context.pool(guest.pool)
    assert isinstance(pool, Portable)
    pool.write_out(guest.id)
    own = pool.place(guest.id)
    with interrupts.allowed():
        return sum(
            link.send(f"{own}/{part}", f"{place}/{part}", moving=moving)
            for part in pool.parts(guest.id)
        )


def send_again(
    context: Context,
    guest: Guest,
    link: Link,
    root: str,
    journey: Journey,
    rounds: "Rounds | None",
) -> None:
    """Send root and memory of a running guest by turns, until of both there is little left to send or no end to it.

    Args:
        context: the home.
        guest: the guest, whose root has gone once.
        link: the way.
        root: where its root is put there.
        journey: what is noted of it.
        rounds: those of its memory; None: that does not go along.
    """
    sizes = [stage.bytes for stage in journey.stages if stage.name == "first copy"]
    while True:
        has_gone = rounds is not None and rounds.take()
        # What is left of the root after a round is what was written to it while that lasted.
        if not has_gone and not is_worth_another(sizes):
            return
        sizes.append(send_root(context, guest, link, root, moving=True))
        journey.note("copy again", sizes[-1])


def decide(context: Context, session: Session, journey: Journey) -> None:
    """Find out whether the memory of a guest that goes with it can go ahead, and note why not; changes nothing."""
    approach = context.approach(journey.guest.approach)
    if not isinstance(approach, TracksMemory):
        journey.in_one_piece = (
            approach.probe_tracking().reason
            if isinstance(approach, KnowsTracking)
            else f"approach {approach.name} does not know what changes in it"
        )
        return
    known = approach.tracks(context.home.place(journey.guest.id))
    if not known.available:
        journey.in_one_piece = known.reason
        return
    journey.goes_ahead = True
    # All of it goes over, and all of it may have changed when the guest stands still.
    journey.in_one_piece = _find_lack(context, session, journey, 2 * journey.memory)
    journey.goes_ahead = journey.in_one_piece is None


class Rounds:
    """Those of a guest whose intent is written, and for whose memory there is room on both nodes."""

    def __init__(
        self,
        context: Context,
        guest: Guest,
        link: Link,
        session: Session,
        memory: str,
        journey: Journey,
        progress: Callable[[str], None],
    ) -> None:
        """Describe them; nothing is written yet.

        Args:
            context: the home.
            guest: whose they are.
            link: the way.
            session: asked how much room there is.
            memory: where memory is put there.
            journey: what is noted of them.
            progress: is told what goes on.
        """
        self._context = context
        self._guest = guest
        self._link = link
        self._session = session
        self._there = memory
        self._journey = journey
        self._progress = progress

    def take(self) -> bool:
        """Write and send one more if that is worth it, and return whether it was.

        Raises:
            LinkLost: the other node is gone.
        """
        journey, sizes = self._journey, self._journey.rounds
        if not journey.goes_ahead or not is_worth_another(sizes):
            return False
        # What is left for the end is to find room too, however much that is.
        need = journey.memory + (sizes[-1] if sizes else journey.memory)
        lack = _find_lack(self._context, self._session, journey, need)
        if lack is not None:
            if not sizes:
                self._give_up(lack)
            return False
        self._progress("send memory ahead")
        try:
            self._go()
        except LinkLost:
            raise
        except Failed as error:
            self._give_up(error.message)
            return False
        return True

    def _go(self) -> None:
        approach = checkpointable(self._context, self._guest)
        assert isinstance(approach, TracksMemory)
        journey, here = self._journey, live.fresh_of(self._context, self._guest)
        place = self._context.home.place(self._guest.id)
        step = Step(
            name="ahead",
            do=lambda: approach.write_ahead(place, here),
            undo=lambda: approach.cancel_checkpoint(place),
            probe=lambda: Presence.PARTIAL if approach.is_checkpointing(place) else Presence.ABSENT,
        )
        journal.perform("migrate", f"guest {self._guest.name}", [step])
        sent = self._link.give(f"{here}/", f"{self._there}/")
        journey.rounds.append(files.disk_usage(here) - sum(journey.rounds))
        journey.note("memory ahead", sent)
        journal.reached("migrate:after-round")

    def _give_up(self, reason: str) -> None:
        """Have memory go in one piece, and leave nothing of the rounds on either node: they would take its room."""
        journey, here = self._journey, live.fresh_of(self._context, self._guest)
        journey.goes_ahead, journey.in_one_piece = False, reason
        journey.rounds.clear()
        self._progress(journey.tell_memory())
        with files.translated(f"leave nothing of the memory of guest {self._guest.name}"):
            files.empty_tree(os.path.realpath(here))
        self._link.give(f"{here}/", f"{self._there}/")


def _find_lack(context: Context, session: Session, journey: Journey, need: int) -> str | None:
    """Return on which node there is no room for so many bytes of memory, in words; None: on neither."""
    there: int = msgspec.json.decode(session.ask("room", journey.arrival), type=int)
    rooms = {
        "this node": live.measure_room(context, journey.guest, journey.memory),
        f"node {journey.node}": there,
    }
    for node, free in rooms.items():
        if free < need:
            return (
                f"{node} has {render_bytes(free)} free for what is sent ahead, "
                f"and {render_bytes(need)} may be needed"
            )
    return None
