"""``wait``: until a command can be run in a running guest."""

from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.start import wait_ready


def wait(context: Context, name: str, timeout: float) -> Guest:
    """Return a running guest once a command can be run in it. It holds no lock.

    Raises:
        NotFound, WrongState: there is no such guest, or it does not run.
        TimedOut: it was not ready within ``timeout`` seconds; names its log.
        Failed: it ended meanwhile.
    """
    guest = guests.observed(context, context.store.find(name))
    next_state(guest.state, "exec", guest.name)
    wait_ready(context, guest, timeout)
    return guest
