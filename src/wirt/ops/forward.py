"""``forward``: ports of the node that lead to a guest while it runs."""

import msgspec

from wirt.errors import Conflict, NotFound, Unsupported
from wirt.model.forward import Forward
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder


def add_forward(context: Context, name: str, forward: Forward) -> Guest:
    """Lead ports of the node to a guest, at once if it runs, and return the guest; it is kept.

    Raises:
        NotFound, Conflict, Busy: nothing was changed.
        Unsupported, Failed: it could not be; everything is as before.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        if guest.is_unaddressed:
            raise Conflict(
                f"guest {guest.name} has no address that ports could lead to",
                hint=f"give it one: wirt set {guest.name} --ip-add ADDRESS",
            )
        if (
            forward.address
            and ":" in forward.address
            and not context.approach(guest.approach).needs.ipv6
        ):
            raise Unsupported(
                f"ports of {forward.address} cannot lead to guest {guest.name}: the kernel of approach "
                f"{guest.approach} has no IPv6",
                hint="name an IPv4 address of the node's or leave it out",
            )
        after = msgspec.structs.replace(guest, forwards=(*guest.forwards, forward))
        # Two commands for two guests may want the same port: the intent of the first is there before the second looks.
        with context.network_lock():
            check_free(context, forward)
            journal.begin(context, after, "forward")
        return _follow(context, guest, after)


def remove_forward(context: Context, name: str, forward: Forward) -> Guest:
    """Lead ports to a guest no more and return the guest. Connections that stand are not cut.

    Raises:
        NotFound, Busy: nothing was changed.
        Failed: it could not be; everything is as before.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        if forward not in guest.forwards:
            raise NotFound(
                f"nothing is forwarded as {forward} to guest {guest.name}",
                hint=f"see wirt forward list {guest.name}",
            )
        left = tuple(one for one in guest.forwards if one != forward)
        after = msgspec.structs.replace(guest, forwards=left)
        journal.begin(context, after, "forward")
        return _follow(context, guest, after)


def _follow(context: Context, before: Guest, after: Guest) -> Guest:
    """Do what was written down and return the guest."""
    steps = []
    if before.state.is_up:
        steps.append(Ladder(context, after).to_forward(before))
    journal.build(context, "forward", after, steps, otherwise=before)
    journal.settle(context, "forward", after, after)
    return after


def check_free(context: Context, forward: Forward) -> None:
    """Check that nobody on the node has these ports.

    Raises:
        Conflict: somebody has; says who.
    """
    under_way = [intent.guest for intent in context.store.intents()]
    for guest in [*context.store.guests(), *under_way]:
        for other in guest.forwards:
            if forward.overlaps(other):
                raise Conflict(
                    f"{other} leads to guest {guest.name} already",
                    hint="choose another port, or remove that first: "
                    f"wirt forward remove {guest.name} {other}",
                )
    context.gateway().check_free(forward)
