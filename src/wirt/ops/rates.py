"""How fast a card of a guest sends and is sent to. ``set`` says so of the first, ``set_card`` of any."""

import msgspec

from wirt.errors import InvalidInput, Unsupported
from wirt.model.card import Card
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.rates import Rates, check_rates
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps


class RatesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change, in bits per second; what is None stays."""

    inward: int | None = None
    outward: int | None = None


def set_card(context: Context, name: str, card: str, request: RatesRequest) -> tuple[Guest, Card]:
    """Hold the card of this name to other rates, at once if the guest runs, and return both; they are kept.

    Raises:
        InvalidInput, NotFound, Unsupported, WrongState, Busy: nothing was changed.
        Failed: the kernel refused; it is held to what it was.
    """
    if request == RatesRequest():
        raise InvalidInput("there is nothing to set", hint="say what, such as --rate-in 10mbit")
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        found = guests.find_card(guest, card)
        after = hold(context, guest, found, changed(context, guest, found, request))
    return after, next(one for one in after.all_cards if one.number == found.number)


def changed(context: Context, guest: Guest, card: Card, request: RatesRequest) -> Rates:
    """Return the rates that a card is to have, once they have been found to be possible.

    Raises:
        InvalidInput, Unsupported: they cannot be.
    """
    rates = card.rates.changed(inward=request.inward, outward=request.outward)
    check(context, guest, card, rates)
    return rates


def check(context: Context, guest: Guest, card: Card, rates: Rates) -> None:
    """Check that a card can be held to these.

    Raises:
        InvalidInput, Unsupported: it cannot.
    """
    check_rates(rates)
    if card.is_device:
        raise Unsupported(
            f"card {card.name} of guest {guest.name} cannot be held to a rate: it is a device of the "
            "node, and nothing of Wirt's is between it and its network",
            hint="have what it is plugged into do so",
        )
    capability = context.shaper().probe_capability(CardSteps(context, guest).nic_of(card))
    if not capability.available:
        raise Unsupported(
            f"guest {guest.name} cannot be held to a rate: {capability.reason}",
            hint=capability.hint,
        )


def hold(context: Context, guest: Guest, card: Card, rates: Rates) -> Guest:
    """Hold a card of a guest whose lock is held to other rates and return the guest: at once if it runs.

    Raises:
        Failed: the kernel refused; it is held to what it was.
    """
    if card.number == 0:
        after = msgspec.structs.replace(guest, rates=rates)
    else:
        paced = msgspec.structs.replace(card, rates=rates)
        cards = tuple(paced if one == card else one for one in guest.cards)
        after = msgspec.structs.replace(guest, cards=cards)
    steps = [CardSteps(context, after).to_repace(guest)] if guest.state.is_up else []
    journal.begin(context, after, "pace")
    journal.build(context, "pace", after, steps, otherwise=guest)
    journal.settle(context, "pace", after, after)
    return after
