"""Whether a container is suspended: held still, or ended with a dump of its processes that it can go on from."""

from wirt.model.guest import Guest
from wirt.model.lifecycle import State

DUMP = "vzctl"
"""The name of the checkpoint that vzctl makes, of which there is one."""


def has_dump(guest: Guest) -> bool:
    """Return whether there is a dump that a guest can go on from."""
    return any(one.name == DUMP and one.memory is not None for one in guest.snapshots)


def is_suspended(guest: Guest) -> bool:
    """Return whether a guest, as it really is, is suspended."""
    return guest.state is State.FROZEN or guest.suspended is not None
