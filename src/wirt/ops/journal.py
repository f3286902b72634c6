"""Doing and undoing a plan so that a death at any instant is repaired by the next command.

A plan is written down whole before its first step: the guest and the verb, from which anyone can rebuild the same
steps. While steps are being done or undone nothing more is written; what is really there is asked of the kernel by each
step's probe. The end is one row change. So a verb costs two synced writes, and there are only two things to find after a
crash: an intent (then everything the verb touches is taken away, which undoes a ``create`` or ``start`` and finishes a
``stop`` or ``destroy``), or none (then the verb never began or is done).
"""

import os
import signal
import time
from collections.abc import Callable

import msgspec

from wirt.errors import Error, Failed
from wirt.host import files, interrupts
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import reach
from wirt.ops.bridges import remove_bridges
from wirt.ops.context import Context
from wirt.ops.step import Step
from wirt.ops.steps import Ladder
from wirt.state.base import MAKING_VERBS, Intent

KILL_VARIABLE = "WIRT_KILL_AT"
"""Names a trace point at which the process kills itself: how the tests die there."""

_LOOKING = frozenset({"copy", "export", "template"})
"""Verbs that want nothing but to come to a guest's files: what they put up for that is taken away again."""

_CHANGES: dict[str, Callable[[Ladder, Guest], Step]] = {
    "adjust": Ladder.to_adjust,
    "card": lambda ladder, before: ladder.cards.to_change(before),
    "forward": Ladder.to_forward,
    "name": Ladder.to_name,
    "pace": Ladder.to_pace,
}
"""Verbs whose intent holds what the guest is to be: how a running one is changed."""

TRACE_VARIABLE = "WIRT_TRACE_POINTS"
"""Names a file that every trace point is added to when it is reached: how the tests know them all."""

_VANISHING = MAKING_VERBS | {"destroy"}
"""Verbs after whose undoing nothing of the guest remains."""


def begin(
    context: Context,
    guest: Guest,
    verb: str,
    *,
    snapshot: str | None = None,
    node: str | None = None,
) -> None:
    """Write down that ``verb`` is going to be done to ``guest``, to a snapshot of it, or with another node."""
    reached(f"{verb}:before-intent")
    context.store.begin(
        Intent(guest=guest, verb=verb, began=time.time(), snapshot=snapshot, node=node)
    )
    reached(f"{verb}:after-intent")


def build(
    context: Context, verb: str, guest: Guest, steps: list[Step], *, otherwise: Guest | None
) -> None:
    """Do the steps in order; if one fails, or a person interrupts it, undo what there is and raise on.

    Args:
        context: the home.
        verb: whose intent was written.
        guest: the guest it concerns.
        steps: what is to be done.
        otherwise: what the guest is if a step fails and its undoing does not; None: gone.

    Raises:
        Error: what the failing step said.
    """
    try:
        perform(verb, f"guest {guest.name}", steps)
    except BaseException:
        dismantle(verb, steps)
        settle(context, verb, guest, otherwise)
        raise


def perform(verb: str, what: str, steps: list[Step]) -> None:
    """Do the steps in order; a person may interrupt them.

    Args:
        verb: what is done.
        what: what it is done to, in messages: "guest web-1".
        steps: how.

    Raises:
        Error: what the failing step said; what is there of the steps is still there.
    """
    for step in steps:
        reached(f"{verb}:before:{step.name}")
        with interrupts.allowed(), files.translated(f"{verb} {what}"):
            step.do()
        reached(f"{verb}:after:{step.name}")


def dismantle(verb: str, steps: list[Step]) -> None:
    """Take away whatever of the steps is there, the last first.

    Raises:
        Failed: something could not be taken away; the intent stays, so the next command tries again.
    """
    for step in reversed(steps):
        reached(f"{verb}:before-undo:{step.name}")
        if step.probe() is not Presence.ABSENT:
            try:
                with files.translated(f"take away the {step.name}"):
                    step.undo()
            except Error as error:
                raise Failed(
                    f"cannot undo step {step.name} of {verb}: {error.message}",
                    detail=error.detail,
                    hint=error.hint or "the next command tries again",
                ) from error
        reached(f"{verb}:after-undo:{step.name}")


def settle(context: Context, verb: str, guest: Guest, after: Guest | None) -> None:
    """Strike the intent: the guest is now ``after``, or gone, and with the last guest the bridge.

    A crash before the bridge is gone leaves it idle; the next command takes it away.
    """
    reached(f"{verb}:before-settle")
    context.store.settle(guest.id, after)
    reached(f"{verb}:after-settle")
    if after is None:
        remove_idle_network(context)


def remove_idle_network(context: Context) -> None:
    """Take the bridge away if no guest is left; a later command's guest makes it anew."""
    if context.store.is_empty():
        with context.network_lock():
            if context.store.is_empty():
                if reach.outbound(context) is not reach.Outbound.CLOSED:
                    context.gateway().close()
                remove_bridges(context)
                context.network.remove()


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
        dismantle(intent.verb, [Ladder(context, intent.guest).root.to_reach()])
        settle(context, intent.verb, intent.guest, stopped(intent.guest))
        return stopped(intent.guest)
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
        from wirt.ops.handover import resolve

        return resolve(context, intent)
    if intent.verb == "migrate":
        from wirt.ops import live

        return live.recover(context, intent.guest)
    ladder = Ladder(context, intent.guest)
    if intent.verb in _LOOKING:
        steps = ladder.to_look()
        if intent.verb == "copy":
            steps = [] if intent.guest.state is State.MOUNTED else [ladder.root.to_reach()]
        dismantle(intent.verb, steps)
        settle(context, intent.verb, intent.guest, intent.guest)
        return intent.guest
    vanishing = intent.verb in _VANISHING
    steps = (ladder.to_exist() if vanishing else []) + ladder.to_run()
    dismantle(intent.verb, steps)
    after = None if vanishing else stopped(intent.guest)
    settle(context, intent.verb, intent.guest, after)
    return after


def _recover_snapshot(context: Context, intent: Intent, snapshot: str) -> Guest:
    """Undo the making of a snapshot or of a root from it; finish the rest. A guest that runs goes on."""
    # Loaded here: there is seldom anything of a snapshot to recover.
    from wirt.ops.checkpointing import to_checkpoint, to_forget

    guest, ladder = intent.guest, Ladder(context, intent.guest)
    match intent.verb:
        case "switch":
            return switch_root(context, guest, snapshot)
        case "restore":
            dismantle("restore", [ladder.root.to_restore(snapshot)])
            after = guest
        case "checkpoint":
            dismantle("checkpoint", to_checkpoint(context, guest, snapshot, lambda _: None))
            after = guest
        case "suspend":
            # Nobody is there to end it: it was let go on, from what is kept.
            dismantle("suspend", ladder.to_run())
            after = stopped(guest)
        case "snapshot":
            # It is thawed first: to delete a large copy takes longer.
            dismantle("snapshot", list(reversed(ladder.to_snapshot(snapshot))))
            after = guest
        case _:
            dismantle(intent.verb, to_forget(context, guest, snapshot))
            after = without_snapshot(guest, snapshot)
    settle(context, intent.verb, guest, after)
    return after


def switch_root(context: Context, guest: Guest, snapshot: str) -> Guest:
    """End a guest if it runs, put the root that was prepared of a snapshot in the place of its own, and return it.

    The guest is what it becomes: a snapshot that it does not have any more is deleted.

    Every part of it can be done again, and none needs space: begun, it is finished by whoever finds it.
    """
    ladder = Ladder(context, guest)
    dismantle("switch", ladder.to_run())
    reached("switch:before:root")
    with files.translated(f"restore guest {guest.name}"):
        ladder.root.snapshots().finish_restore(guest.id)
        if all(one.name != snapshot for one in guest.snapshots):
            ladder.root.snapshots().delete(guest.id, snapshot)
    reached("switch:after:root")
    after = stopped(guest)
    settle(context, "switch", guest, after)
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
    settle(context, intent.verb, wanted, after)
    return after


def break_off_resize(context: Context, wanted: Guest) -> Guest:
    """Take back what a change of a guest's disk did before it failed or died, and return the guest.

    What cannot be taken back is kept: a file system that has grown while it is mounted cannot be made smaller, nor can one
    that has been filled since.
    """
    before = context.store.find(wanted.name)
    try:
        dismantle("resize", [Ladder(context, before).root.to_resize(wanted.limits.disk)])
        after = before
    except Failed:
        after = wanted
    settle(context, "resize", wanted, after)
    return after


def let_go_on(context: Context, guest: Guest, verb: str) -> Guest:
    """Thaw a guest and return it, running; no error if it is not frozen, or has ended."""
    dismantle(verb, [Ladder(context, guest).to_freeze()])
    after = msgspec.structs.replace(guest, state=State.RUNNING)
    settle(context, verb, guest, after)
    return after


def without_snapshot(guest: Guest, snapshot: str) -> Guest:
    """Return the guest as it is when a snapshot is gone."""
    left = tuple(one for one in guest.snapshots if one.name != snapshot)
    return msgspec.structs.replace(guest, snapshots=left)


def stopped(guest: Guest) -> Guest:
    """Return the guest as it is when nothing of it runs."""
    return msgspec.structs.replace(
        guest, state=State.STOPPED, handle=None, boot=None, is_adjusted=False
    )


def reached(point: str) -> None:
    """Mark a trace point; under test the process may end here as by ``kill -9``."""
    if TRACE_VARIABLE in os.environ:
        with open(os.environ[TRACE_VARIABLE], "a") as points:
            points.write(f"{point}\n")
    if os.environ.get(KILL_VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
