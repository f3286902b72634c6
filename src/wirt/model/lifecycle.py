"""The states a guest can be in, and the one table that says which verb leads where."""

from enum import StrEnum

from wirt.errors import WrongState


class State(StrEnum):
    """Where a guest stands between two commands; what is half done is in the journal, never a state."""

    STOPPED = "stopped"
    RUNNING = "running"
    FROZEN = "frozen"
    """Held still: it has all its memory and connections, and no process of it runs."""
    MOUNTED = "mounted"
    """Stopped, and its root is shown on the node, where others may write to it."""

    @property
    def is_up(self) -> bool:
        """Return whether the guest has processes, be they held still."""
        return self in (State.RUNNING, State.FROZEN)


TRANSITIONS: dict[tuple[State, str], State | None] = {
    (State.STOPPED, "start"): State.RUNNING,
    (State.STOPPED, "destroy"): None,
    (State.RUNNING, "stop"): State.STOPPED,
    (State.RUNNING, "exec"): State.RUNNING,
    (State.RUNNING, "freeze"): State.FROZEN,
    (State.FROZEN, "thaw"): State.RUNNING,
    (State.STOPPED, "mount"): State.MOUNTED,
    (State.MOUNTED, "mount"): State.MOUNTED,
    (State.MOUNTED, "unmount"): State.STOPPED,
    (State.RUNNING, "count"): State.RUNNING,
    (State.FROZEN, "count"): State.FROZEN,
    (State.RUNNING, "console"): State.RUNNING,
    (State.FROZEN, "console"): State.FROZEN,
    (State.STOPPED, "clone"): State.STOPPED,
    (State.RUNNING, "clone"): State.RUNNING,
    (State.FROZEN, "clone"): State.FROZEN,
    (State.STOPPED, "rename"): State.STOPPED,
    (State.RUNNING, "rename"): State.RUNNING,
    (State.FROZEN, "rename"): State.FROZEN,
    (State.MOUNTED, "rename"): State.MOUNTED,
    (State.STOPPED, "template"): State.STOPPED,
    (State.RUNNING, "template"): State.RUNNING,
    (State.FROZEN, "template"): State.FROZEN,
    (State.STOPPED, "snapshot"): State.STOPPED,
    (State.RUNNING, "snapshot"): State.RUNNING,
    (State.FROZEN, "snapshot"): State.FROZEN,
    (State.STOPPED, "restore"): State.STOPPED,
    (State.STOPPED, "migrate"): None,
    (State.RUNNING, "migrate"): None,
    (State.RUNNING, "checkpoint"): State.RUNNING,
    (State.STOPPED, "resume"): State.RUNNING,
    (State.STOPPED, "set"): State.STOPPED,
    (State.RUNNING, "set"): State.RUNNING,
    (State.FROZEN, "set"): State.FROZEN,
    (State.MOUNTED, "set"): State.MOUNTED,
    (State.STOPPED, "export"): State.STOPPED,
    (State.STOPPED, "disk"): State.STOPPED,
    (State.RUNNING, "disk"): State.RUNNING,
}
"""(state, verb) -> the state after it; None: the guest is gone. A pair that is not here is refused."""

_UNMOUNT_FIRST = ("is mounted", "unmount it first")

_REFUSALS = {
    (State.STOPPED, "stop"): ("is not running", "there is nothing to stop"),
    (State.STOPPED, "exec"): ("is not running", "start it first"),
    (State.STOPPED, "console"): (
        "is not running",
        "start it first; pass --log to see what it said",
    ),
    (State.STOPPED, "freeze"): ("is not running", "start it first"),
    (State.STOPPED, "checkpoint"): ("is not running", "start it first"),
    (State.STOPPED, "count"): ("is not running", "start it first"),
    (State.STOPPED, "thaw"): ("is not running", "there is nothing to thaw"),
    (State.RUNNING, "start"): ("is running already", "to start it anew, stop it first"),
    (State.RUNNING, "destroy"): ("is running", "stop it first or pass --force"),
    (State.RUNNING, "restore"): ("is running", "stop it first or pass --force"),
    (State.RUNNING, "resume"): ("is running", "stop it first or pass --force"),
    (State.RUNNING, "thaw"): ("is not frozen", "there is nothing to thaw"),
    (State.FROZEN, "start"): ("is frozen", "thaw it, and it goes on"),
    (State.FROZEN, "stop"): ("is frozen", "thaw it first or pass --force"),
    (State.FROZEN, "destroy"): ("is frozen", "thaw and stop it first or pass --force"),
    (State.FROZEN, "exec"): ("is frozen", "thaw it first"),
    (State.FROZEN, "checkpoint"): ("is frozen", "thaw it first"),
    (State.FROZEN, "resume"): ("is frozen", "thaw it, or pass --force to go back"),
    (State.FROZEN, "freeze"): ("is frozen already", "there is nothing to freeze"),
    (State.FROZEN, "restore"): ("is frozen", "thaw and stop it first or pass --force"),
    (State.STOPPED, "unmount"): ("is not mounted", "there is nothing to unmount"),
    (State.RUNNING, "mount"): ("is running", "stop it first, or copy files with wirt copy"),
    (State.RUNNING, "unmount"): ("is running", "its root is in use until it is stopped"),
    (State.FROZEN, "mount"): ("is frozen", "thaw and stop it first"),
    (State.FROZEN, "unmount"): ("is frozen", "its root is in use until it is stopped"),
    (State.FROZEN, "migrate"): ("is frozen", "thaw it first"),
    (State.MOUNTED, "migrate"): _UNMOUNT_FIRST,
    (State.RUNNING, "export"): ("is running", "stop it first"),
    (State.FROZEN, "export"): ("is frozen", "thaw and stop it first"),
    (State.MOUNTED, "export"): _UNMOUNT_FIRST,
    (State.FROZEN, "disk"): ("is frozen", "thaw it first"),
    (State.MOUNTED, "disk"): _UNMOUNT_FIRST,
    (State.MOUNTED, "start"): _UNMOUNT_FIRST,
    (State.MOUNTED, "exec"): _UNMOUNT_FIRST,
    (State.MOUNTED, "console"): _UNMOUNT_FIRST,
    (State.MOUNTED, "checkpoint"): ("is not running", "start it first"),
    (State.MOUNTED, "resume"): _UNMOUNT_FIRST,
    (State.MOUNTED, "snapshot"): _UNMOUNT_FIRST,
    (State.MOUNTED, "clone"): _UNMOUNT_FIRST,
    (State.MOUNTED, "template"): _UNMOUNT_FIRST,
    (State.MOUNTED, "destroy"): ("is mounted", "unmount it first or pass --force"),
    (State.MOUNTED, "restore"): ("is mounted", "unmount it first or pass --force"),
    (State.MOUNTED, "stop"): ("is not running", "there is nothing to stop"),
    (State.MOUNTED, "freeze"): ("is not running", "start it first"),
    (State.MOUNTED, "count"): ("is not running", "start it first"),
    (State.MOUNTED, "thaw"): ("is not running", "there is nothing to thaw"),
}


def next_state(state: State, verb: str, name: str) -> State | None:
    """Return the state that ``verb`` leads to.

    Raises:
        WrongState: the verb is not allowed in this state.
    """
    try:
        return TRANSITIONS[(state, verb)]
    except KeyError:
        reason, hint = _REFUSALS[(state, verb)]
        raise WrongState(f"guest {name} {reason}", hint=hint) from None
