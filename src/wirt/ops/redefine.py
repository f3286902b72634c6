"""``redefine``: a stopped guest is defined anew; what it is made of stays."""

import msgspec

from wirt.errors import Conflict, WrongState
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, plan
from wirt.units import UNBOUNDED


def redefine(context: Context, name: str, request: CreateRequest) -> Guest:
    """Give a stopped guest another definition and return it.

    That is its limits, but for its disk, its kernel, card, screen and host name. An address that is not asked for stays what it
    was, and so does how fast the card is sent to. Nothing is made and nothing taken away, so this is one row change, and needs no journal.

    Raises:
        InvalidInput, NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        if guest.state is not State.STOPPED:
            raise WrongState(f"guest {guest.name} is {guest.state}", hint="stop it first")
        template = request.template if request.disk is None else ""
        if (template, request.approach) != (guest.template, guest.approach):
            raise Conflict(
                f"guest {guest.name} has {_root(guest.template)} under {guest.approach}, not "
                f"{_root(template)} under {request.approach}",
                hint="choose another name, or destroy it first",
            )
        planned = plan(context, request)
        after = msgspec.structs.replace(
            guest,
            limits=msgspec.structs.replace(planned.limits, disk=guest.limits.disk),
            address=guest.address if request.address is None else planned.address,
            mac=guest.mac if request.mac is None else planned.mac,
            kernel_boot=planned.kernel_boot,
            has_screen=planned.has_screen,
            # No definition says how fast it may be sent to.
            rates=guest.rates.changed(
                outward=UNBOUNDED if planned.rates.outward is None else planned.rates.outward
            ),
            naming=msgspec.structs.replace(guest.naming, hostname=request.hostname),
        )
        if after != guest:
            context.store.settle(guest.id, after)
    return after


def _root(template: str) -> str:
    return f"a root of template {template}" if template else "a disk of its own"
