"""Which of the node's disks a guest's bandwidth is bounded on, and whether it can be weighed there."""

import os

from wirt.model.capability import Capability, no, yes
from wirt.model.guest import Guest
from wirt.ops.context import Context


def find_disks(context: Context, guest: Guest) -> tuple[str, ...]:
    """Return the numbers of the node's disks that the guest's root and further disks are on; none if they are on none."""
    # Loaded here: few guests need it.
    from wirt.host import disks

    places = [_existing(context.pool(guest.pool).place(guest.id))]
    places += [disk.source for disk in guest.disks if disk.source is not None]
    found = [number for place in places for number in disks.find_disks(place)]
    return tuple(dict.fromkeys(found))


def _existing(place: str) -> str:
    """Return where a guest's root is, or is going to be: of one that is not made yet there is its pool, or what that will be in."""
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return place


def probe_weights(context: Context, guest: Guest) -> Capability:
    """Ask whether the disk that a guest's pool is on shares itself out by weights.

    An image has a loop device of its own above that disk, where it competes with nobody.
    """
    from wirt.host import disks

    found = find_disks(context, guest)
    if not found:
        return no("io-weight", f"pool {guest.pool} is on no disk of this node")
    if found[0] not in disks.find_weighing():
        return no(
            "io-weight",
            f"disk {found[0]}, which pool {guest.pool} is on, has no scheduler that knows weights",
            f"give it one: echo bfq > /sys/dev/block/{found[0]}/queue/scheduler",
        )
    return yes("io-weight", f"disk {found[0]} knows weights")
