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

import msgspec

from wirt.errors import Error, Failed
from wirt.host import files, interrupts
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.presence import Presence
from wirt.ops import reach
from wirt.ops.bridges import has_routed, remove_bridges
from wirt.ops.context import Context
from wirt.ops.steps.step import Step
from wirt.state.base import Intent

KILL_VARIABLE = "WIRT_KILL_AT"
"""Names a trace point at which the process kills itself: how the tests die there."""

TRACE_VARIABLE = "WIRT_TRACE_POINTS"
"""Names a file that every trace point is added to when it is reached: how the tests know them all."""


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
                # The bridge goes last: as long as it is there, so may be what leads to it.
                if reach.outbound(context) is not reach.Outbound.CLOSED or has_routed(context):
                    context.gateway().close(for_good=True)
                remove_bridges(context)
                context.network.remove()


def without_snapshot(guest: Guest, snapshot: str) -> Guest:
    """Return the guest as it is when a snapshot is gone."""
    left = tuple(one for one in guest.snapshots if one.name != snapshot)
    suspended = None if guest.suspended == snapshot else guest.suspended
    return msgspec.structs.replace(guest, snapshots=left, suspended=suspended)


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
