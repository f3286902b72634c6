"""Which of the node's disks a guest's bandwidth is bounded on."""

from wirt.model.guest import Guest
from wirt.ops.context import Context


def find_disks(context: Context, guest: Guest) -> tuple[str, ...]:
    """Return the numbers of the node's disks that the guest's root is on; none if it is on none."""
    # Loaded here: few guests need it.
    from wirt.host import disks

    return disks.find_disks(context.pool(guest.pool).place(guest.id))
