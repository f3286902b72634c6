"""A guest's cards: how many it has and on which networks, what addresses, and how long their packets may be."""

from ipaddress import ip_interface

import msgspec

from wirt.approaches.base import Needs
from wirt.approaches.cardpowers import TakesDevices
from wirt.errors import Conflict, InvalidInput, NotFound, Unsupported
from wirt.host import links
from wirt.model.card import (
    Card,
    CardKind,
    check_card_name,
    check_mac,
    check_mtu,
    check_node_name,
)
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.names import BRIDGES, interface_name, interface_prefix
from wirt.model.rates import Rates
from wirt.model.resources import NicKind
from wirt.model.route import Route
from wirt.ops import guests, journal
from wirt.ops.bridges import network_of
from wirt.ops.checks.leading import check_routes
from wirt.ops.checks.routable import check_routable
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps
from wirt.ops.steps.step import Step

ALL = "all"
"""Of its addresses, in the place of one that is to go: all but the first."""


class CardRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of a guest's first card; what is None stays."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    mtu: int | None = None
    """Bytes; 0: as the home's bridge has it."""


def changed(context: Context, guest: Guest, request: CardRequest) -> Guest:
    """Return the guest as it is to be, once that has been found to be possible.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported: it cannot be.
    """
    network = network_of(context, guest.card)
    left = list(guest.addresses)
    for text in request.remove:
        if text == ALL:
            left = []
            continue
        address = network.check_further(text)
        if address not in left:
            raise NotFound(
                f"guest {guest.name} has no address {address} beside its first",
                hint=f"see wirt show {guest.name}",
            )
        left.remove(address)
    for text in request.add:
        address = check_address(context, guest, text)
        if address in (guest.address, *left):
            raise Conflict(
                f"guest {guest.name} has the address {address} already", hint="leave it out"
            )
        left.append(address)
    mtu = guest.mtu
    if request.mtu is not None:
        mtu = check_mtu(request.mtu) if request.mtu else None
        if mtu and context.approach(guest.approach).needs.nic is NicKind.ALIAS:
            raise Unsupported(
                f"guest {guest.name} cannot have an MTU: it has no card of its own",
                hint="give it another approach",
            )
    is_bare = guest.is_unaddressed and not request.add
    return msgspec.structs.replace(guest, addresses=tuple(left), mtu=mtu, is_unaddressed=is_bare)


def check_address(context: Context, guest: Guest, text: str) -> str:
    """Return an address as it is written normally, if a guest's first card may have it.

    Raises:
        InvalidInput, Unsupported: it may not.
    """
    address = network_of(context, guest.card).check_further(text)
    if ":" in address and not context.approach(guest.approach).needs.ipv6:
        raise Unsupported(
            f"guest {guest.name} cannot have the address {address}: the kernel of approach "
            f"{guest.approach} has no IPv6",
            hint="give it another approach, or an IPv4 address",
        )
    return address


class NewCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that a guest is to have beside its first; what is None is chosen."""

    name: str | None = None
    network: str | None = None
    """The private network that it is on; None: the home's bridge."""
    addresses: tuple[str, ...] = ()
    mac: str | None = None
    mtu: int | None = None
    device: str | None = None
    """An interface of the node, in the place of one on a network."""
    is_routed: bool = False
    """It meets the node alone."""
    is_proxied: bool = False
    """Of a routed card: the node answers for its addresses on its other networks."""
    rates: Rates = Rates()
    routes: tuple[Route, ...] = ()
    node_name: str = ""
    """What the node's end is to be called there beside its name of Wirt's."""
    node_mac: str = ""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another of a card that a guest has; what is None stays, and what is empty is chosen anew."""

    mac: str | None = None
    network: str | None = None
    """Empty: the home's bridge."""
    node_name: str | None = None
    node_mac: str | None = None


def add_card(context: Context, name: str, wanted: NewCard) -> tuple[Guest, Card]:
    """Give a guest another card, at once if it runs, and return both; it is kept.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, WrongState, Busy: nothing was changed.
        Failed: its engine or kernel refused; it has the cards that it had.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        card = _planned(context, guest, wanted)
        after = msgspec.structs.replace(guest, cards=(*guest.cards, card))
        return change(context, guest, after), card


def remove_card(context: Context, name: str, card: str) -> Guest:
    """Take a card from a guest, at once if it runs, and return the guest.

    Raises:
        NotFound, Unsupported, WrongState, Busy: nothing was changed.
        Failed: its engine or kernel refused; it has the cards that it had.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        left = tuple(one for one in guest.cards if one.name != card)
        if left == guest.cards:
            if card == guest.card.name:
                raise InvalidInput(
                    f"the first card of guest {guest.name} cannot be removed",
                    hint=f"see wirt card list {guest.name} for the others",
                )
            raise NotFound(
                f"guest {guest.name} has no card {card}", hint=f"see wirt card list {guest.name}"
            )
        return change(context, guest, msgspec.structs.replace(guest, cards=left))


def exchange_card(context: Context, name: str, card: str, wanted: Exchange) -> Guest:
    """Give a guest another card in the place of one, at once if it runs, and return the guest.

    It keeps its name and, if it stays on its network, its addresses.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, WrongState, Busy: nothing was changed.
        Failed: its engine or kernel refused; it has the cards that it had.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "set", guest.name)
        had = next((one for one in guest.cards if one.name == card and not one.is_device), None)
        if had is None:
            raise NotFound(
                f"guest {guest.name} has no card {card} beside its first",
                hint=f"see wirt card list {guest.name}",
            )
        kept = msgspec.structs.replace(
            guest, cards=tuple(one for one in guest.cards if one is not had)
        )
        network = had.network if wanted.network is None else wanted.network or None
        mac = had.mac if wanted.mac is None else wanted.mac or None
        planned = _planned(
            context,
            kept,
            NewCard(
                name=had.name,
                network=network,
                addresses=had.addresses if network == had.network else (),
                mac=mac,
                mtu=had.mtu,
                is_routed=had.kind is CardKind.ROUTED,
                is_proxied=had.is_proxied,
                rates=had.rates,
                routes=had.routes if network == had.network else (),
                node_name=had.node_name if wanted.node_name is None else wanted.node_name,
                node_mac=had.node_mac if wanted.node_mac is None else wanted.node_mac,
            ),
            instead_of=had,
        )
        after = msgspec.structs.replace(
            guest, cards=tuple(planned if one is had else one for one in guest.cards)
        )
        changed = change(context, guest, after)
    if planned.mac != had.mac:
        _tell_neighbours(context, changed, planned)
    return changed


def _tell_neighbours(context: Context, guest: Guest, card: Card) -> None:
    """Have nobody look for a card by the MAC that its addresses were met under until now: of the node that may last long."""
    nic = CardSteps(context, guest).nic_of(card)
    if links.exists(nic.bridge):
        links.forget_neighbours(nic.bridge, [one.partition("/")[0] for one in nic.addresses])
        if guest.state.is_up:
            network_of(context, card).announce(nic)


def _planned(
    context: Context, guest: Guest, wanted: NewCard, *, instead_of: Card | None = None
) -> Card:
    """Return the card that is going to be made, once it has been found to be possible, in the place of one that is not counted."""
    needs = context.approach(guest.approach).needs
    if needs.nic is NicKind.ALIAS:
        raise Unsupported(
            f"guest {guest.name} cannot have another card: it has none of its own",
            hint="give it another approach",
        )
    if len(guest.cards) >= needs.most_cards:
        raise InvalidInput(
            f"guest {guest.name} has {needs.most_cards} cards beside its first",
            hint="remove one first",
        )
    used = {card.number for card in guest.all_cards}
    number = next(number for number in range(1, needs.most_cards + 2) if number not in used)
    mtu = check_mtu(wanted.mtu) if wanted.mtu else None
    if wanted.device is not None:
        card = _planned_device(context, guest, wanted, number, mtu)
    else:
        name = check_card_name(wanted.name or f"eth{number}")
        if needs.own_kernel and name != f"eth{number}":
            raise Unsupported(
                f"the card cannot be called {name}: the kernel of guest {guest.name} names its cards",
                hint="leave --name out",
            )
        card = Card(
            name=name,
            number=number,
            kind=_check_kind(guest, wanted, needs),
            mac="",
            addresses=(),
            mtu=mtu,
            network=wanted.network,
            is_proxied=wanted.is_proxied,
            rates=wanted.rates,
        )
        network = network_of(context, card)
        wishes = list(wanted.addresses)
        first = wishes.pop(0) if wishes and ":" not in wishes[0] else None
        chosen = network.choose_address(first, context.store.addresses(), guest.id)
        further = [network.check_further(one) for one in wishes]
        for address in (chosen, *further):
            if address in guest.held_addresses:
                raise Conflict(
                    f"guest {guest.name} has the address {address} already", hint="leave it out"
                )
        mac = check_mac(wanted.mac) if wanted.mac else network.mac(guest.id, number)
        card = msgspec.structs.replace(card, mac=mac, addresses=(chosen, *further))
        card = _with_node_end(context, guest, card, wanted, instead_of)
    for other in guest.all_cards:
        if other.name == card.name:
            raise Conflict(
                f"guest {guest.name} has a card {card.name} already", hint="choose another name"
            )
    _check_mac_free(context, guest, card)
    if wanted.rates != Rates():
        # Loaded here: few cards have some.
        from wirt.ops.rates import check

        check(context, guest, card, wanted.rates)
    check_routes(context, guest, card, wanted.routes)
    return msgspec.structs.replace(card, routes=wanted.routes)


def _check_kind(guest: Guest, wanted: NewCard, needs: Needs) -> CardKind:
    """Return what is to be at the card's other end.

    Raises:
        InvalidInput, Unsupported: it cannot be.
    """
    if wanted.is_proxied and not wanted.is_routed:
        raise InvalidInput(
            f"the node cannot answer for a card of guest {guest.name} that is on a bridge",
            hint="pass --routed too",
        )
    if not wanted.is_routed:
        return CardKind.BRIDGED
    if wanted.network is not None:
        raise InvalidInput("a routed card is on no network", hint="leave --network out")
    check_routable(guest.name, guest.approach, needs)
    return CardKind.ROUTED


def _planned_device(
    context: Context, guest: Guest, wanted: NewCard, number: int, mtu: int | None
) -> Card:
    device = check_card_name(wanted.device or "")
    if wanted.name or wanted.network or wanted.mac or wanted.is_routed or wanted.is_proxied:
        raise InvalidInput(
            "a device of the node keeps its name and MAC, and is on no network of Wirt's",
            hint="leave --name, --mac, --network and --routed out",
        )
    approach = context.approach(guest.approach)
    if not isinstance(approach, TakesDevices):
        raise Unsupported(
            f"guest {guest.name} cannot have a device of the node: approach {guest.approach} hands "
            "over none",
            hint="use the approach lxc",
        )
    if device.startswith((BRIDGES, f"w{context.home.tag}")):
        raise InvalidInput(f"{device} is Wirt's own", hint="name another interface of the node")
    for other in context.store.guests():
        if any(card.is_device and card.name == device for card in other.cards):
            raise Conflict(
                f"guest {other.name} has the interface {device}",
                hint=f"take it back first: wirt card remove {other.name} {device}",
            )
    if not links.exists(device):
        raise NotFound(f"this node has no interface {device}", hint="see ip link")
    if device in links.routed():
        raise Conflict(
            f"routes of this node lead to {device}: it would be cut off",
            hint="take them away first, or name another interface",
        )
    return Card(
        name=device,
        number=number,
        kind=CardKind.DEVICE,
        mac="",
        addresses=tuple(_with_prefix(one) for one in wanted.addresses),
        mtu=mtu,
    )


def copied_cards(context: Context, source: Guest, guest: Guest) -> tuple[Card, ...]:
    """Return cards for a guest that is going to be made, like another's beside its first, each with a MAC and an address of its own.

    Devices of the node are not among them: there is one of each.

    Raises:
        NotFound: one is on a private network that is not there.
        Failed: every address of a network is taken.
    """
    taken = {*context.store.addresses(), guest.address}
    copied: list[Card] = []
    for card in source.cards:
        if card.is_device:
            continue
        network = network_of(context, card)
        address = network.choose_address(None, taken, guest.id)
        taken.add(address)
        mac = network.mac(guest.id, card.number)
        # On one node no two interfaces have one name.
        copied.append(
            msgspec.structs.replace(card, mac=mac, addresses=(address,), node_name="", node_mac="")
        )
    return tuple(copied)


def _with_prefix(text: str) -> str:
    """Return an address of a device, which is on a network that Wirt knows nothing of."""
    try:
        address = ip_interface(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is not an address", hint="write it with its prefix, such as 192.0.2.7/24"
        ) from None
    if "/" not in text:
        raise InvalidInput(
            f"the address {text} has no prefix", hint="write it with one, such as 192.0.2.7/24"
        )
    return str(address)


def _with_node_end(
    context: Context, guest: Guest, card: Card, wanted: NewCard, instead_of: Card | None
) -> Card:
    """Return a card with what its end on the node is to be called and to have, once that has been found to be possible."""
    name = wanted.node_name and check_node_name(wanted.node_name)
    if name in ("", interface_name(context.home.tag, guest.id, card.number)):
        name = ""
    elif instead_of is None or name != instead_of.node_name:
        for other in context.store.guests():
            if name in [one.node_name for one in other.cards]:
                raise Conflict(
                    f"{name} is what a card of guest {other.name} is called on this node",
                    hint="choose another name",
                )
        if name.startswith((BRIDGES, interface_prefix(context.home.tag))) or links.is_name(name):
            raise Conflict(
                f"this node has an interface {name}, or it is a name of Wirt's own",
                hint="choose another name",
            )
    mac = check_mac(wanted.node_mac) if wanted.node_mac else ""
    if mac and mac == card.mac:
        raise Conflict(
            f"both ends of card {card.name} would have the MAC {mac}", hint="choose another for one"
        )
    return msgspec.structs.replace(card, node_name=name, node_mac=mac)


def _check_mac_free(context: Context, guest: Guest, card: Card) -> None:
    """Check that a card's MAC is no other's, that of its node's end no guest's, and that the one is not the other."""
    but = {one.number for one in guest.all_cards}
    for other in context.store.guests():
        for one in other.all_cards:
            if other.id == guest.id and one.number not in but:
                # It is what the card comes in the place of.
                continue
            for mac, hers in ((card.mac, (one.mac, one.node_mac)), (card.node_mac, (one.mac,))):
                if mac and mac in hers:
                    raise Conflict(
                        f"the MAC {mac} is that of card {one.name} of guest {other.name}",
                        hint="choose another or leave --mac out"
                        if mac == card.mac
                        else "choose another for the node's end",
                    )


def find_mac(context: Context, mac: str, *, but: str | None = None) -> tuple[Guest, Card] | None:
    """Return whose a MAC is, and of which card; None if nobody's, or only of the guest called ``but``."""
    for guest in context.store.guests():
        for card in guest.all_cards:
            if mac in (card.mac, card.node_mac) and guest.name != but:
                return guest, card
    return None


def check_changeable(context: Context, guest: Guest, after: Guest) -> list[Step]:
    """Return the steps that make a guest's cards what they are to be: at once if it runs.

    Raises:
        Unsupported: it runs, and they cannot be changed.
    """
    return [CardSteps(context, after).to_change(guest)] if guest.state.is_up else []


def change(context: Context, guest: Guest, wanted: Guest) -> Guest:
    """Make the cards of a guest whose lock is held what they are in ``wanted``, and return it.

    Raises:
        Conflict: somebody has an address; nothing was changed.
        Failed: the kernel refused; they are what they were.
    """
    after = msgspec.structs.replace(
        guest,
        address=wanted.address,
        addresses=wanted.addresses,
        is_unaddressed=wanted.is_unaddressed,
        mtu=wanted.mtu,
        routes=wanted.routes,
        cards=wanted.cards,
    )
    steps = check_changeable(context, guest, after)
    journal.begin(context, after, "card")
    journal.build(context, "card", after, steps, otherwise=guest)
    journal.settle(context, "card", after, after)
    return after


def describe_cards(context: Context, guest: Guest) -> list[tuple[Card, tuple[str, ...]]]:
    """Return a guest's cards, each with all addresses that it has on this node, with their prefixes."""
    steps = CardSteps(context, guest)
    return [(card, steps.nic_of(card).addresses) for card in guest.all_cards]
