"""What is particular to a guest with a kernel of its own that goes live: its engine sends it to an engine on the other node.

Disk and memory go over while it runs. At the end it stands still on both nodes, and each engine goes on only when it is told to:
here nobody tells it to once the intent ``handover`` is written, until the other node has said that the guest is not its own.
"""

from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from wirt.approaches.base import Migratable, Sent
from wirt.model.guest import Guest
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.transport.base import Link, Session

DOWNTIME_SECONDS = 0.3
"""How long a guest may stand still while the last of it is sent, unless somebody says otherwise."""


def describe(context: Context, guest: Guest) -> str | None:
    """Return what an engine must be like to go on with a running guest; None: its engine sends no guests."""
    approach = context.approach(guest.approach)
    if not isinstance(approach, Migratable):
        return None
    return approach.describe_machine(context.home.place(guest.id))


def check(context: Context, guest: Guest, machine: str) -> None:
    """Check that this node's engine could go on with a guest; changes nothing.

    Raises:
        Unsupported: it could not.
    """
    _migratable(context, guest).check_machine(machine)


def send(
    context: Context,
    guest: Guest,
    link: Link,
    session: Session,
    machine: str,
    *,
    downtime: float,
    standing_still: Callable[[], None],
) -> Sent:
    """Have the other node's engine wait, and send it the guest, which stands still here and there when this returns.

    Raises:
        Error: it did not go over; it goes on once ``live.let_go_on`` has been called.
    """
    approach, place = _migratable(context, guest), context.home.place(guest.id)
    gates = msgspec.json.decode(
        session.ask("await", msgspec.json.encode(machine)), type=dict[str, str]
    )
    sent: list[Sent] = []
    with ExitStack() as ways:
        ours = {what: ways.enter_context(link.reach(path)) for what, path in gates.items()}

        def go() -> None:
            done = approach.send_machine(
                place, ours, downtime=downtime, standing_still=standing_still
            )
            sent.append(done)

        step = Step(
            name="send",
            do=go,
            undo=lambda: approach.cancel_checkpoint(place),
            probe=lambda: Presence.PARTIAL if approach.is_checkpointing(place) else Presence.ABSENT,
        )
        journal.perform("migrate", f"guest {guest.name}", [step])
    return sent[0]


def to_await(context: Context, guest: Guest, ladder: Ladder, machine: str) -> list[Step]:
    """Return the steps that make a guest that is to come wait here; undone, nothing of it runs."""
    approach = _migratable(context, guest)

    def wait() -> None:
        ladder.handle = approach.await_machine(ladder.launch(), machine)

    return [
        msgspec.structs.replace(step, do=wait) if step.name == "engine" else step
        for step in ladder.to_run()
    ]


def gates(context: Context, guest: Guest) -> dict[str, str]:
    """Return what of a guest that is to come comes in where."""
    return _migratable(context, guest).gates(context.home.place(guest.id))


def to_go_on(context: Context, guest: Guest, went_on: Callable[[float], None]) -> Step:
    """Return the step that lets a guest go on that has arrived, and says since when it does, by the monotonic clock."""
    taking, place = _migratable(context, guest), context.home.place(guest.id)
    approach = context.approach(guest.approach)
    return Step(
        name="go-on",
        do=lambda: went_on(taking.take_machine(place)),
        undo=lambda: approach.kill(place),
        probe=lambda: approach.probe(place),
    )


def _migratable(context: Context, guest: Guest) -> Migratable:
    approach = context.approach(guest.approach)
    assert isinstance(approach, Migratable)
    return approach
