"""Whether a container is suspended: held still, or ended with a dump of its processes that it can go on from."""

from wirt.model.guest import Guest
from wirt.model.lifecycle import State

DUMPS = ("vzctl", "vzctl-2")
"""The names of the checkpoints that vzctl makes: there is one, and the next, which takes its place once it is whole."""


def dumps_of(guest: Guest) -> list[str]:
    """Return the names of the dumps that a guest can go on from, the latest last: one, or two after a crash."""
    kept = [one for one in guest.snapshots if one.name in DUMPS and one.memory is not None]
    return [one.name for one in kept]


def is_suspended(guest: Guest) -> bool:
    """Return whether a guest, as it really is, is suspended."""
    return guest.state is State.FROZEN or guest.suspended is not None
