"""``mount`` and ``unmount``: the root of a stopped guest shown on the node, to be looked at and changed."""

import msgspec

from wirt.errors import Busy
from wirt.host.mount import unmount_unused
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder


def mount(context: Context, name: str) -> str:
    """Show a stopped guest's root on the node, with the ids that the guest sees, and return where; no error if it is already.

    It ends with ``unmount`` or at a reboot; meanwhile the guest is not started. Nobody but root can come there. The files are
    the guest's, who may have put a link anywhere: whoever opens one by its path follows it on the node.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        Failed: it could not be mounted; it is not.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "mount", guest.name)
        ladder = Ladder(context, guest)
        step = ladder.root.to_reach()
        journal.begin(context, guest, "mount")
        journal.build(context, "mount", guest, [step], otherwise=guest)
        after = msgspec.structs.replace(guest, state=State.MOUNTED, boot=context.boot_id)
        journal.settle(context, "mount", guest, after)
        return ladder.root.reached()


def unmount(context: Context, name: str, *, force: bool = False) -> Guest:
    """Undo ``mount`` and return the guest, stopped.

    Args:
        context: the home.
        name: the guest.
        force: True to take it away from processes that use it, too: what they have open they keep until they end.

    Raises:
        NotFound, WrongState: nothing was changed.
        Busy: somebody uses it, or another command the guest; it is still mounted.
        Failed: it could not be taken away; the next command tries again.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "unmount", guest.name)
        ladder = Ladder(context, guest)
        journal.begin(context, guest, "unmount")
        if not force:
            try:
                unmount_unused(ladder.root.reached())
            except Busy:
                journal.settle(context, "unmount", guest, guest)
                raise
        journal.dismantle("unmount", [ladder.root.to_reach()])
        after = journal.stopped(guest)
        journal.settle(context, "unmount", guest, after)
    return after
