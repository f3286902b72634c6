"""What a dead process left undone of a guest, finished or taken back by whoever comes next.

It knows every verb, and every verb begins with it: so verbs have it from the context, which loads it only where there is an
intent that nobody alive holds.
"""

from collections.abc import Callable

import msgspec

from wirt.errors import Failed
from wirt.host import files
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.state.base import MAKING_VERBS, Intent

_LOOKING = frozenset({"copy", "export", "template"})
"""Verbs that want nothing but to come to a guest's files: what they put up for that is taken away again."""

_CHANGES: dict[str, Callable[[Ladder, Guest], Step]] = {
    "adjust": Ladder.to_adjust,
    "card": lambda ladder, before: ladder.cards.to_change(before),
    "forward": Ladder.to_forward,
    "name": Ladder.to_name,
    "pace": lambda ladder, before: ladder.cards.to_repace(before),
}
"""Verbs whose intent holds what the guest is to be: how a running one is changed."""

_VANISHING = MAKING_VERBS | {"destroy"}
"""Verbs after whose undoing nothing of the guest remains."""


def recover(context: Context, guest: Guest) -> Guest | None:
    """Repair what a dead process left of this guest and return what it is now, None if it is gone.

    The caller holds the guest's lock, so whoever wrote an intent that is found here is dead.
    """
    intent = context.store.intent(guest.id)
    if intent is None:
        return guest
    if intent.snapshot is not None:
        return _recover_snapshot(context, intent, intent.snapshot)
    if intent.verb in ("freeze", "hold", "thaw"):
        return let_go_on(context, intent.guest, intent.verb)
    if intent.verb in ("mount", "unmount"):
        journal.dismantle(intent.verb, [Ladder(context, intent.guest).root.to_reach()])
        journal.settle(context, intent.verb, intent.guest, journal.stopped(intent.guest))
        return journal.stopped(intent.guest)
    if intent.verb in _CHANGES:
        return _recover_change(context, intent)
    if intent.verb in ("attach", "detach", "grow"):
        # Loaded here: few guests have any.
        from wirt.ops.disk import recover_disks, recover_growth

        recover_it = recover_growth if intent.verb == "grow" else recover_disks
        return recover_it(context, intent.guest)
    if intent.verb == "resize":
        return break_off_resize(context, intent.guest)
    if intent.verb == "handover":
        from wirt.ops.moving.handover import resolve

        return resolve(context, intent)
    if intent.verb == "migrate":
        from wirt.ops.moving import live

        return live.recover(context, intent.guest)
    if intent.verb in ("go-on", "forget"):
        from wirt.ops.moving import live

        finish = live.finish if intent.verb == "forget" else live.go_on_again
        return finish(context, intent.guest)
    ladder = Ladder(context, intent.guest)
    if intent.verb in _LOOKING:
        steps = ladder.to_look()
        if intent.verb == "copy":
            steps = [] if intent.guest.state is State.MOUNTED else [ladder.root.to_reach()]
        journal.dismantle(intent.verb, steps)
        journal.settle(context, intent.verb, intent.guest, intent.guest)
        return intent.guest
    vanishing = intent.verb in _VANISHING
    steps = (ladder.to_exist() if vanishing else []) + ladder.to_run()
    journal.dismantle(intent.verb, steps)
    after = None if vanishing else journal.stopped(intent.guest)
    journal.settle(context, intent.verb, intent.guest, after)
    return after


def _recover_snapshot(context: Context, intent: Intent, snapshot: str) -> Guest:
    """Undo the making of a snapshot or of a root from it; finish the rest. A guest that runs goes on."""
    # Loaded here: there is seldom anything of a snapshot to recover.
    from wirt.ops.steps.checkpointing import to_checkpoint, to_forget

    guest, ladder = intent.guest, Ladder(context, intent.guest)
    match intent.verb:
        case "switch":
            return switch_root(context, guest, snapshot)
        case "restore":
            journal.dismantle("restore", [ladder.root.to_restore(snapshot)])
            after = guest
        case "checkpoint":
            journal.dismantle("checkpoint", to_checkpoint(context, guest, snapshot, lambda _: None))
            after = guest
        case "suspend":
            # Nobody is there to end it: it was let go on, from what is kept.
            journal.dismantle("suspend", ladder.to_run())
            after = journal.stopped(guest)
        case "snapshot":
            # It is thawed first: to delete a large copy takes longer.
            journal.dismantle("snapshot", list(reversed(ladder.to_snapshot(snapshot))))
            after = guest
        case _:
            journal.dismantle(intent.verb, to_forget(context, guest, snapshot))
            after = journal.without_snapshot(guest, snapshot)
    journal.settle(context, intent.verb, guest, after)
    return after


def switch_root(context: Context, guest: Guest, snapshot: str) -> Guest:
    """End a guest if it runs, put the root that was prepared of a snapshot in the place of its own, and return it.

    The guest is what it becomes: a snapshot that it does not have any more is deleted.

    Every part of it can be done again, and none needs space: begun, it is finished by whoever finds it.
    """
    ladder = Ladder(context, guest)
    journal.dismantle("switch", ladder.to_run())
    journal.reached("switch:before:root")
    with files.translated(f"restore guest {guest.name}"):
        ladder.root.snapshots().finish_restore(guest.id)
        if all(one.name != snapshot for one in guest.snapshots):
            ladder.root.snapshots().delete(guest.id, snapshot)
    journal.reached("switch:after:root")
    after = journal.stopped(guest)
    journal.settle(context, "switch", guest, after)
    return after


def _recover_change(context: Context, intent: Intent) -> Guest:
    """Finish to change a guest; if the kernel refuses that now, leave it as it was."""
    wanted = after = intent.guest
    before = context.store.find(wanted.name)
    if wanted.state.is_up:
        step = _CHANGES[intent.verb](Ladder(context, wanted), before)
        # Else it has ended meanwhile, and starts with what is new.
        if step.probe() is Presence.PRESENT:
            try:
                step.do()
            except Failed:
                step.undo()
                after = before
    journal.settle(context, intent.verb, wanted, after)
    return after


def break_off_resize(context: Context, wanted: Guest) -> Guest:
    """Take back what a change of a guest's disk did before it failed or died, and return the guest.

    What cannot be taken back is kept: a file system that has grown while it is mounted cannot be made smaller, nor can one
    that has been filled since.
    """
    before = context.store.find(wanted.name)
    try:
        journal.dismantle("resize", [Ladder(context, before).root.to_resize(wanted.limits.disk)])
        after = before
    except Failed:
        after = wanted
    journal.settle(context, "resize", wanted, after)
    return after


def let_go_on(context: Context, guest: Guest, verb: str) -> Guest:
    """Thaw a guest and return it, running; no error if it is not frozen, or has ended."""
    journal.dismantle(verb, [Ladder(context, guest).to_freeze()])
    after = msgspec.structs.replace(guest, state=State.RUNNING)
    journal.settle(context, verb, guest, after)
    return after
