"""How fast a guest sends and is sent to. ``set`` says so."""

import msgspec

from wirt.errors import Unsupported
from wirt.model.guest import Guest
from wirt.model.rates import Rates, check_rates
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.units import UNBOUNDED


class RatesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change, in bits per second; what is None stays."""

    inward: int | None = None
    outward: int | None = None


def changed(context: Context, guest: Guest, request: RatesRequest) -> Rates:
    """Return the rates that a guest is to have, once they have been found to be possible.

    Raises:
        InvalidInput, Unsupported: they cannot be.
    """
    rates = Rates(
        inward=_other(guest.rates.inward, request.inward),
        outward=_other(guest.rates.outward, request.outward),
    )
    check_rates(rates)
    capability = context.shaper().probe_capability(Ladder(context, guest).nic())
    if not capability.available:
        raise Unsupported(
            f"guest {guest.name} cannot be held to a rate: {capability.reason}",
            hint=capability.hint,
        )
    return rates


def hold(context: Context, guest: Guest, rates: Rates) -> Guest:
    """Hold a guest whose lock is held to other rates and return it: at once if it runs.

    Raises:
        Failed: the kernel refused; it is held to what it was.
    """
    after = msgspec.structs.replace(guest, rates=rates)
    steps = [Ladder(context, after).to_pace(guest)] if guest.state.is_up else []
    journal.begin(context, after, "pace")
    journal.build(context, "pace", after, steps, otherwise=guest)
    journal.settle(context, "pace", after, after)
    return after


def _other(had: int | None, wanted: int | None) -> int | None:
    return had if wanted is None else None if wanted == UNBOUNDED else wanted
