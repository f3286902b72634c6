"""What is to be seen of a guest beside its definition: disk, memory, screen. Who knows is asked; nothing changes."""

from wirt.approaches.base import Adjustable, HasScreen
from wirt.model.capability import Capability
from wirt.model.guest import Guest
from wirt.model.resources import DiskUsage
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.storage.base import MeasuresRoots


def disk_usage(context: Context, guest: Guest) -> DiskUsage | None:
    """Return how much of its disk a guest uses, None if its pool cannot say."""
    pool = context.pool(guest.pool)
    return pool.measure(guest.id) if isinstance(pool, MeasuresRoots) else None


def probe_disk_bound(context: Context, guest: Guest) -> Capability:
    """Return whether anything holds a guest to the size of its disk."""
    return Ladder(context, guest).root.probe_bound()


def memory_kills(context: Context, guest: Guest) -> int | None:
    """Return how many processes of a running guest the node's kernel has ended for want of memory; None: nobody counts."""
    approach = context.approach(guest.approach)
    if not guest.state.is_up or not isinstance(approach, Adjustable):
        return None
    return approach.memory_kills(context.home.place(guest.id))


def screen_socket(context: Context, guest: Guest) -> str | None:
    """Return the path of the socket at which a guest's screen is served while it runs; None if it has none."""
    approach = context.approach(guest.approach)
    if not guest.has_screen or not isinstance(approach, HasScreen):
        return None
    return approach.screen_socket(context.home.place(guest.id))
