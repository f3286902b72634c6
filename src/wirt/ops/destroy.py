"""``destroy``: nothing of a guest remains."""

from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder


def destroy(context: Context, name: str, *, force: bool = False) -> Guest:
    """Delete a guest with its root, and return what it was.

    Args:
        context: the home.
        name: the guest.
        force: True to end it first if it runs.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed: something of it could not be taken away; the next command tries again.
    """
    with guests.held(context, name) as guest:
        if not (force and guest.state is not State.STOPPED):
            next_state(guest.state, "destroy", guest.name)
        journal.begin(context, guest, "destroy")
        ladder = Ladder(context, guest)
        journal.dismantle("destroy", ladder.to_exist() + ladder.to_run())
        journal.settle(context, "destroy", guest, None)
        return guest
