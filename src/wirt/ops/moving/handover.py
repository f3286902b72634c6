"""The instant in which a guest changes hands, and what to do if somebody died in it.

From the intent ``handover`` until the other node is asked again, nobody here may start the guest: the other may have it. What the
other node says settles it: if the guest is its own, what is left here is deleted; if not, it was never taken, and never will
be, because the session that could have taken it is over.
"""

from contextlib import suppress

import msgspec

from wirt.errors import Failed
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.moving import live
from wirt.ops.nodes import find_node
from wirt.ops.steps.ladder import Ladder
from wirt.state.base import Intent
from wirt.transport.base import LinkLost, Session


def resolve(context: Context, intent: Intent) -> Guest | None:
    """Ask the other node whose the guest is, and return it if it is ours; None if it is not.

    If it ended for this with its memory, it goes on from there; else it is stopped.

    Raises:
        Failed: the node does not answer; the guest stays where it is and is not started.
    """
    guest, name = intent.guest, str(intent.node)
    try:
        with context.link(find_node(context, name)).open() as session:
            if is_owned(session, guest):
                give_away(context, guest, session)
                return None
    except LinkLost as error:
        raise Failed(
            f"guest {guest.name} was being handed over to node {name} and may run there: "
            f"{error.message}",
            detail=error.detail,
            hint="it is settled by the first command that reaches the node",
        ) from error
    after = keep(context, guest)
    is_still = after.state is State.STOPPED and live.is_kept(context, after)
    return live.go_on_if_it_can(context, after) if is_still else after


def keep(context: Context, guest: Guest) -> Guest:
    """Settle that a guest is ours, and return it: running if all of it only stands still here, else stopped.

    One whose memory was kept is settled by whoever lets it go on, or tries to: if we die before, the other node is asked again.
    """
    after = guest
    if not live.goes_on_here(context, guest):
        journal.dismantle("handover", Ladder(context, guest).to_run())
        after = journal.stopped(guest)
        if live.is_kept(context, after):
            return after
    journal.settle(context, "handover", guest, after)
    return after


def is_owned(session: Session, guest: Guest) -> bool:
    """Ask whether a guest is the other node's."""
    owned: bool = msgspec.json.decode(session.ask("owns", msgspec.json.encode(guest.id)), type=bool)
    return owned


def give_away(context: Context, guest: Guest, session: Session) -> None:
    """Delete what is left here of a guest that is the other node's, and tell it that nobody will ask any more."""
    ladder = Ladder(context, guest)
    journal.dismantle("handover", ladder.to_exist() + ladder.to_run())
    journal.settle(context, "handover", guest, None)
    # If it does not hear of it, it remembers one guest more than it has to.
    with suppress(LinkLost):
        session.ask("forget", msgspec.json.encode(guest.id))
