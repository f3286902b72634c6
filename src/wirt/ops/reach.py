"""What the state says of the way out of the home's bridge and into it; whoever asks the gateway for it holds the network's lock."""

from collections.abc import Sequence
from enum import StrEnum

from wirt.host import process
from wirt.model.card import Card
from wirt.model.forward import Forward
from wirt.model.guest import Guest
from wirt.model.presence import Presence
from wirt.model.resources import Nic
from wirt.ops.bridges import network_of
from wirt.ops.context import Context

_SETTING = "outbound"


class Outbound(StrEnum):
    """Whether the home's guests reach outside; what is under way is finished by the next command."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"

    @property
    def is_wanted(self) -> bool:
        """Return whether they are to."""
        return self in (Outbound.OPENING, Outbound.OPEN)


def outbound(context: Context) -> Outbound:
    """Return what was decided; closed until somebody did."""
    return Outbound(context.store.setting(_SETTING) or Outbound.CLOSED)


def decide(context: Context, decision: Outbound) -> None:
    """Keep a decision."""
    context.store.change(_SETTING, decision.value)


def apply(context: Context, *, starting: Guest | None = None) -> None:
    """Have the kernel do what was decided, beside the forwards of the guests that run.

    Args:
        context: the home.
        starting: a guest whose card is routed, and about to be there.
    """
    wanted, gateway = outbound(context).is_wanted, context.gateway()
    if starting is not None or wanted or gateway.probe() is not Presence.ABSENT:
        proxied = _proxied(context, starting)
        gateway.open(_running(context), outbound=wanted, proxied=proxied)
        gateway.withdraw({}, outbound=wanted, proxied=proxied)


def settle(context: Context) -> None:
    """Finish what was decided."""
    wanted = outbound(context).is_wanted
    decide(context, Outbound.OPEN if wanted else Outbound.CLOSED)


def recover(context: Context) -> None:
    """Finish what a dead process decided."""
    if outbound(context) in (Outbound.OPENING, Outbound.CLOSING):
        with context.network_lock():
            apply(context)
            settle(context)


def admit(context: Context, guest: Guest) -> None:
    """Lead ports to a guest, and to all others that run if somebody flushed the node's rules."""
    forwards = {**_running(context), **_leading(context, guest, guest.forwards)}
    context.gateway().open(
        forwards, outbound=outbound(context).is_wanted, proxied=_proxied(context, guest)
    )


def withdraw(context: Context, guest: Guest, forwards: Sequence[Forward]) -> None:
    """Lead these ports of a guest nowhere."""
    wanted = outbound(context).is_wanted
    proxied = _proxied(context, guest)
    leading = _leading(context, guest, forwards)
    context.gateway().withdraw(leading, outbound=wanted, proxied=proxied)


def _running(context: Context) -> dict[str, Sequence[Forward]]:
    """Return what leads to the guests that run. Where a command is at it, that looks after the guest's own."""
    busy = {intent.guest.id for intent in context.store.intents()}
    return {
        address: forwards
        for guest in context.store.guests()
        if guest.forwards and guest.id not in busy and _runs(guest)
        for address, forwards in _leading(context, guest, guest.forwards).items()
    }


def _leading(
    context: Context, guest: Guest, forwards: Sequence[Forward]
) -> dict[str, Sequence[Forward]]:
    """Return what leads to a guest, by its IPv4 address and by the IPv6 address that follows from it, if it has that."""
    nic = _nic(context, guest, guest.card)
    six = next((one.partition("/")[0] for one in nic.addresses if ":" in one), None)
    return {guest.address: forwards, **({six: forwards} if six else {})}


def _proxied(context: Context, guest: Guest | None) -> list[str]:
    """Return the addresses that the node answers for on its other networks: those of guests that run, and of one more."""
    busy = {intent.guest.id for intent in context.store.intents()}
    found = [one for one in context.store.guests() if one.id not in busy and _runs(one)]
    if guest is not None:
        found = [*(one for one in found if one.id != guest.id), guest]
    return [
        address
        for one in found
        for card in one.all_cards
        if card.is_proxied
        for address in _nic(context, one, card).proxied
    ]


def _nic(context: Context, guest: Guest, card: Card) -> Nic:
    needs = context.approach(guest.approach).needs
    return network_of(context, card).nic(guest.id, card, needs.nic, ipv6=needs.ipv6)


def _runs(guest: Guest) -> bool:
    """Return whether a guest runs; one whose process has ended is being tidied up after, without an intent."""
    handle = guest.handle
    if not guest.state.is_up or handle is None:
        return False
    return handle.pid is None or process.is_alive(handle.pid, handle.started)
