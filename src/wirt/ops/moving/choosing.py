"""Whether a guest can go to another node, as far as its own can tell, and in which mode."""

from wirt.errors import Conflict, Unsupported
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.model.migration import Mode
from wirt.ops.context import Context
from wirt.ops.moving import baggage, live
from wirt.ops.moving.journey import Journey
from wirt.storage.base import Portable


def check_movable(context: Context, guest: Guest, *, lives_with: str | None) -> None:
    """Check what keeps a guest here, however it would go; changes nothing.

    Args:
        context: the home.
        guest: as it is held.
        lives_with: the lock that whoever has it go holds, if it lives with that.

    Raises:
        Unsupported, Conflict: it cannot go; says why.
    """
    for disk in guest.disks:
        if disk.source is not None:
            raise Unsupported(
                f"guest {guest.name} cannot go to another node: its disk {disk.name} is this one's: "
                f"{disk.source}",
                hint=f"remove it first: wirt disk remove {guest.name} {disk.name}",
            )
    if guest.lives_with != lives_with:
        raise Conflict(
            f"guest {guest.name} belongs to a command that runs", hint="wait for its end"
        )
    devices = [card.name for card in guest.cards if card.is_device]
    if devices:
        raise Unsupported(
            f"guest {guest.name} has the interface {devices[0]} of this node, which stays here",
            hint=f"take it from the guest first: wirt card remove {guest.name} {devices[0]}",
        )
    if not isinstance(context.pool(guest.pool), Portable):
        raise Unsupported(
            f"guest {guest.name} cannot go to another node: pool {guest.pool} gives no roots away",
            hint="pools of kind btrfs, directory and image do",
        )
    baggage.check(context, guest)


def choose(context: Context, guest: Guest, wanted: Mode | None) -> tuple[Mode, str]:
    """Return the mode, and why it is that.

    Raises:
        Unsupported: the one that is wanted cannot be.
    """
    if guest.state is State.STOPPED:
        if wanted not in (None, Mode.COLD):
            raise Unsupported(f"guest {guest.name} does not run", hint="leave --mode out, or cold")
        return Mode.COLD, f"guest {guest.name} is stopped"
    if wanted is Mode.COLD:
        raise Unsupported(
            f"guest {guest.name} is running", hint="stop it first, or leave --mode out"
        )
    if wanted is Mode.REFRESH:
        return Mode.REFRESH, "as asked for"
    try:
        live.check_guest(context, guest)
    except Unsupported as error:
        if wanted is Mode.LIVE:
            raise Unsupported(
                f"guest {guest.name} cannot go live: {error.message}", hint=error.hint
            ) from error
        return Mode.REFRESH, f"not live: {error.message}"
    return Mode.LIVE, "as asked for" if wanted else f"guest {guest.name} can go with its memory"


def check_downtime(journey: Journey, downtime: float | None) -> None:
    """Check whether a guest can be held to a downtime, if one is asked for.

    Raises:
        Unsupported: it does not go by its engine.
    """
    if downtime is not None and journey.machine is None:
        raise Unsupported(
            f"guest {journey.guest.name} cannot be held to a downtime: it goes {journey.mode}, and not by its engine",
            hint="leave --downtime out",
        )
