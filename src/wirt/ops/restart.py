"""``restart``: a running guest is stopped and started again."""

from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.start import READY_SECONDS, start
from wirt.ops.stop import ORDERLY_SECONDS, stop


def restart(
    context: Context,
    name: str,
    *,
    timeout: float = ORDERLY_SECONDS,
    force: bool = False,
    ready_seconds: float | None = READY_SECONDS,
) -> Guest:
    """Stop a guest, start it and return it. It is two operations: one that is killed in between leaves it stopped.

    Args:
        context: the home.
        name: the guest.
        timeout: seconds that its own shutdown may take before it is ended.
        force: True to end it at once.
        ready_seconds: how long to wait until a command can be run in it; None not to.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
        Failed, TimedOut: as ``stop`` and ``start``.
    """
    stop(context, name, timeout=timeout, force=force)
    return start(context, name, ready_seconds=ready_seconds)
