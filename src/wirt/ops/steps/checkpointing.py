"""The steps of a checkpoint and of going on from one: beside the ladder, because no other verb needs them."""

import os
from collections.abc import Callable

import msgspec

from wirt.approaches.base import Approach, Checkpointable, KnowsCheckpoints
from wirt.errors import Unsupported
from wirt.host import files
from wirt.model.checkpoint import Obstacle
from wirt.model.guest import Guest
from wirt.model.presence import Presence, present_if
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step


def checkpointable(context: Context, guest: Guest) -> Checkpointable:
    """Return the guest's approach, which can keep what its memory holds.

    Raises:
        Unsupported: it cannot, or not here.
    """
    approach = context.approach(guest.approach)
    if not isinstance(approach, Checkpointable):
        raise Unsupported(
            f"guest {guest.name} cannot be checkpointed: {why_not(approach)}",
            hint="keep its disk: wirt snapshot create",
        )
    return approach


def why_not(approach: Approach) -> str:
    """Return why an approach cannot keep what a guest's memory holds."""
    if isinstance(approach, KnowsCheckpoints):
        return approach.probe_checkpoints().reason
    return f"approach {approach.name} cannot keep what a guest's memory holds"


def find_obstacles(context: Context, guest: Guest, approach: Checkpointable) -> list[Obstacle]:
    """Return what is known to stand in the way of a checkpoint of a running guest: its cards, and what its approach says."""
    devices = [
        Obstacle(
            what=f"card {card.name}",
            reason="is an interface of the node, whose state nobody could keep",
            hint=f"take it from the guest first: wirt card remove {guest.name} {card.name}",
        )
        for card in guest.cards
        if card.is_device
    ]
    steps = Ladder(context, guest).cards
    cards = {nic.name: nic.addresses for nic in (steps.nic(), *steps.further())}
    return devices + approach.find_obstacles(context.home.place(guest.id), cards=cards)


def to_checkpoint(
    context: Context, guest: Guest, name: str, dump: Callable[[Step], None]
) -> list[Step]:
    """Return the steps of a checkpoint; undone, the guest goes on and nothing is left of it.

    Args:
        context: the home.
        guest: the guest, which runs.
        name: of the snapshot.
        dump: does the last step; is given the one that keeps the disk, which is to be done meanwhile.
    """
    approach, ladder = checkpointable(context, guest), Ladder(context, guest)
    snapshot, kept = to_forget(context, guest, name)
    return [
        to_cut_off(ladder.cards),
        # Done while the memory is written, in the next; undone after it.
        msgspec.structs.replace(snapshot, do=lambda: None),
        kept,
        to_dump(approach, ladder, lambda: dump(snapshot)),
    ]


def to_cut_off(cards: CardSteps) -> Step:
    """Return the step that lets nothing in by a guest's cards: what arrived meanwhile would be acknowledged and lost.

    What the guest sends goes out for as long as it runs: nobody would send it again before it runs elsewhere. Whoever sees it
    stand still silences the cards.
    """
    return Step(
        name="card",
        do=cards.cut,
        undo=cards.join,
        # Nobody has to be asked: to join what is not cut off is no work.
        probe=lambda: Presence.PARTIAL,
    )


def to_dump(approach: Checkpointable, ladder: Ladder, dump: Callable[[], None]) -> Step:
    """Return the step that writes what a guest's memory holds; undone, the guest goes on."""
    return Step(
        name="dump",
        do=dump,
        undo=lambda: approach.cancel_checkpoint(ladder.place),
        probe=lambda: (
            Presence.PARTIAL if approach.is_checkpointing(ladder.place) else Presence.ABSENT
        ),
    )


def to_forget(context: Context, guest: Guest, name: str) -> list[Step]:
    """Return the steps whose undoing leaves nothing of a snapshot, nor of memory that was kept with it."""
    directory = context.home.checkpoint(guest.id, name)
    return [
        *Ladder(context, guest).root.to_forget(name),
        Step(
            name="memory",
            do=lambda: os.makedirs(directory, mode=0o700),
            undo=lambda: files.remove_tree(directory),
            probe=lambda: present_if(os.path.isdir(directory)),
        ),
    ]


def to_resume(
    context: Context, guest: Guest, ladder: Ladder, directory: str, *, is_still: bool = False
) -> list[Step]:
    """Return the steps that make a stopped guest go on from what its memory held, or be frozen as it was then.

    Raises:
        Unsupported: it cannot be.
    """
    approach = checkpointable(context, guest)
    bring_back = approach.resume
    if is_still:
        # Loaded here: few are.
        from wirt.approaches.stillness import ResumesStill

        if not isinstance(approach, ResumesStill):
            raise Unsupported(
                f"guest {guest.name} cannot be brought back frozen: approach {guest.approach} lets it go on",
                hint="resume it, and freeze it then",
            )
        bring_back = approach.resume_still

    def resume() -> None:
        ladder.handle = bring_back(ladder.launch(), directory)

    return [
        msgspec.structs.replace(step, do=resume) if step.name == "engine" else step
        for step in ladder.to_run()
    ]
