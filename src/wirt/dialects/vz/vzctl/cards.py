"""``--ipadd``, ``--netif_add`` and ``--netdev_add``: the addresses, cards and devices of a container, and their keys in its file.

As vzctl's, the options say what is added and what goes, and the file holds what there is then. ``venet0``, which vzctl's
addresses are on, is the first card of a container that ``vzctl create`` makes: a routed one, whose addresses may be any that the node's
neighbours send it packets for. A guest that was made otherwise has addresses of the home's on its first card, whatever that is.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_interface

import msgspec

from wirt.console import output
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.vzctl.interfaces import (
    CHANGING,
    Interface,
    interfaces_in,
    read_changes,
    read_interface,
    read_veth,
    says_something,
    write,
)
from wirt.errors import Conflict, NotFound
from wirt.model.card import VENET, Card, CardKind
from wirt.model.guest import Guest
from wirt.model.names import bridge_name
from wirt.model.resources import Nic
from wirt.ops.address import set_addresses
from wirt.ops.bridges import list_networks
from wirt.ops.cards import Exchange, NewCard, add_card, exchange_card, remove_card
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps

OPTIONS = (
    *("ipadd", "ip", "ipdel", "netif_add", "netif_del", "netdev_add", "netdev_del"),
    *("veth_add", "veth_del", "ifname", *CHANGING),
)
ALL = "all"
_BRIDGE, _INTERFACE = re.compile(r"wirt-[a-z]{4}"), re.compile(r"w[a-z]{4}[0-9a-f]{6}\.\d+")
"""Names of Wirt's, of whichever home: a file may have come along from another node."""
NODE_MAC = "fe:ff:ff:ff:ff:ff"
"""Of the node's end of a card if none is asked for: the highest that there is, so that no bridge takes it for its own."""


class CardsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line adds and takes away, in the order of its options; ``all`` stands for all."""

    addresses: tuple[str, ...] = ()
    gone_addresses: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    gone_interfaces: tuple[str, ...] = ()
    """By their names in the container, or on the node."""
    changed_interfaces: tuple[tuple[str, dict[str, str]], ...] = ()
    """Names of interfaces, and what they are to have of ``Interface``."""
    devices: tuple[str, ...] = ()
    gone_devices: tuple[str, ...] = ()

    @property
    def changes_addresses(self) -> bool:
        """Return whether an address comes or goes."""
        return bool(self.addresses or self.gone_addresses)

    @property
    def changes_interfaces(self) -> bool:
        """Return whether an interface comes, goes or is changed."""
        return bool(self.interfaces or self.gone_interfaces or self.changed_interfaces)


def read(options: Sequence[tuple[str, str]]) -> CardsAsked:
    """Return what the options say of addresses, cards and devices.

    Raises:
        Refused: a value cannot be.
    """

    def values(*names: str) -> tuple[str, ...]:
        return tuple(value for name, value in options if name in names)

    return CardsAsked(
        addresses=tuple(_address(one) for one in values("ipadd", "ip")),
        gone_addresses=tuple(
            ALL if one == ALL else _address(one) for one in values("ipdel") if one
        ),
        interfaces=tuple(
            read_interface(value) if name == "netif_add" else read_veth(value)
            for name, value in options
            if name in ("netif_add", "veth_add")
        ),
        gone_interfaces=values("netif_del", "veth_del"),
        changed_interfaces=tuple(read_changes(options)),
        devices=values("netdev_add"),
        gone_devices=values("netdev_del"),
    )


def changed(config: ConfigFile, asked: CardsAsked) -> ConfigFile:
    """Return a container's file as it is with what comes and without what goes."""
    if asked.changes_addresses:
        has = _merged(_words(config, "IP_ADDRESS"), asked.gone_addresses, asked.addresses)
        config = config.replace("IP_ADDRESS", " ".join(has))
    if asked.devices or asked.gone_devices:
        has = _merged(_words(config, "NETDEV"), asked.gone_devices, asked.devices)
        config = config.replace("NETDEV", " ".join(has))
    if asked.changes_interfaces:
        had = interfaces_in(config)
        new = {one.ifname: one for one in asked.interfaces}
        gone = [
            next((one.ifname for one in had.values() if name == one.host_ifname), name)
            for name in asked.gone_interfaces
        ]
        names = _merged(list(had), gone, list(new))
        whole = {**had, **new}
        for name, said in asked.changed_interfaces:
            whole[name] = msgspec.structs.replace(whole.get(name, Interface(ifname=name)), **said)
        config = write(config, [str(whole[name]) for name in names])
    return config


def told(context: Context, name: str, config: ConfigFile) -> ConfigFile:
    """Return a container's file in which NETIF says of each card what it has: its MAC, its end on the node, and where that leads to."""
    if not interfaces_in(config):
        return config
    there = _there(context, name)
    entries = [
        str(there[one.ifname].said(one) if one.ifname in there else one)
        for one in interfaces_in(config).values()
    ]
    return write(config, entries)


def begun(context: Context, name: str, config: ConfigFile, asked: CardsAsked) -> ConfigFile:
    """Return a container's file which says of cards and devices what there is, if it is to be changed and says nothing of them yet.

    So what ``wirt card`` gave it stays, and what is not saved is over at the next start.
    """
    if asked.changes_interfaces and not says_something(config):
        entries = [
            str(one.said(Interface(ifname=ifname))) for ifname, one in _there(context, name).items()
        ]
        config = write(config, entries)
    if (asked.devices or asked.gone_devices) and config.get("NETDEV") is None:
        devices = [card.name for card in context.store.find(name).cards if card.is_device]
        config = config.replace("NETDEV", " ".join(devices))
    return config


class _There(msgspec.Struct, frozen=True, kw_only=True):
    """A card on a bridge that a container has."""

    card: Card
    nic: Nic

    def said(self, one: Interface) -> Interface:
        """Return what NETIF says of it, with what else it says."""
        return msgspec.structs.replace(
            one,
            mac=self.nic.mac,
            host_ifname=self.nic.node_name or self.nic.interface,
            host_mac=self.nic.node_mac,
            bridge=self.card.network or self.nic.bridge,
        )


def _there(context: Context, name: str) -> dict[str, _There]:
    """Return the cards on a bridge that a container has beside its first, by their names."""
    guest = context.store.find(name)
    steps = CardSteps(context, guest)
    return {
        card.name: _There(card=card, nic=steps.nic_of(card))
        for card in guest.cards
        if card.kind is CardKind.BRIDGED
    }


def apply(context: Context, name: str, config: ConfigFile, asked: CardsAsked) -> None:
    """Give a guest the addresses, cards and devices that were asked for, and take those away that are to go.

    Raises:
        Refused: one cannot be, with vzctl's status for it; what came before it is changed.
    """
    if asked.changes_addresses:
        hold_addresses(context, name, config)
    with ends_with(Code.NET_DEVICE):
        for card in _named(context, name, CardKind.DEVICE, asked.gone_devices):
            remove_card(context, name, card)
        for device in asked.devices:
            add_card(context, name, NewCard(device=device))
    with ends_with(Code.VETH):
        for card in _named(context, name, CardKind.BRIDGED, asked.gone_interfaces):
            remove_card(context, name, card)
        for one in asked.interfaces:
            add_card(context, name, _new(context, one))
        for ifname, said in asked.changed_interfaces:
            exchange_card(context, name, ifname, _exchange(context, said))


def warn_of_holders(asked: CardsAsked) -> None:
    """Say which of the addresses that come somebody on the node's networks has, as vzctl does: it may be on its way here."""
    if not asked.addresses:
        return
    # Loaded here: no other command needs it.
    from wirt.ops.neighbours import find_holders

    for address, holder, interface in find_holders(asked.addresses):
        output.note(f"Warning: address {address} is in use on {interface}, by {holder}")


def hold_addresses(context: Context, name: str, config: ConfigFile) -> None:
    """Give a guest the addresses of its file and no others, or none: of a file that says nothing of them, one of the home's.

    Raises:
        Refused: it cannot have one; it has those that it had.
    """
    with ends_with(Code.ADD_ADDRESS), ends_with(Code.ADDRESS_IN_USE, Conflict):
        is_said = config.get("IP_ADDRESS") is not None
        set_addresses(context, name, _words(config, "IP_ADDRESS"), may_be_bare=is_said)


def check_addresses(guest: Guest, config: ConfigFile) -> None:
    """Check that what a file has as addresses are some, if the guest is going to have them.

    Raises:
        Refused: one is none.
    """
    if guest.card.name == VENET:
        for one in _words(config, "IP_ADDRESS"):
            _address(one)


def bring_addresses(context: Context, guest: Guest, config: ConfigFile) -> None:
    """Do that for a guest that is going to be started, if its card is one of vzctl's making.

    Raises:
        Refused: it cannot have one; it has those that it had.
    """
    if guest.card.name == VENET and config != ConfigFile():
        hold_addresses(context, guest.name, config)


def bring_cards(context: Context, guest: Guest, config: ConfigFile) -> None:
    """Give a guest that is going to be started the cards and devices of its file, if it says something of them.

    Raises:
        Refused: it cannot have one; what came before it is changed.
    """
    if guest.card.name != VENET:
        return
    if config.get("NETDEV") is not None:
        wanted = _words(config, "NETDEV")
        has = [card.name for card in guest.cards if card.is_device]
        with ends_with(Code.NET_DEVICE):
            for device in has:
                if device not in wanted:
                    remove_card(context, guest.name, device)
            for device in wanted:
                if device not in has:
                    add_card(context, guest.name, NewCard(device=device))
    if says_something(config):
        interfaces, there = interfaces_in(config), _there(context, guest.name)
        with ends_with(Code.VETH):
            for ifname in there:
                if ifname not in interfaces:
                    remove_card(context, guest.name, ifname)
            for one in interfaces.values():
                try:
                    _bring_card(context, guest.name, one, there.get(one.ifname))
                except NotFound as error:
                    # A file that came from OpenVZ names bridges of its node, and is to keep nobody from starting.
                    output.note(f"Warning: {one.ifname} is left as it is: {error}")


def _bring_card(context: Context, name: str, one: Interface, there: _There | None) -> None:
    """Give a guest a card of its file, if it has not got it, or make the one that it has what the file says."""
    if there is None:
        add_card(context, name, _new(context, one))
    elif there.said(one) != _completed(context, one, there):
        said = {key: getattr(one, key) for key in CHANGING if getattr(one, key)}
        exchange_card(context, name, one.ifname, _exchange(context, said))


def _completed(context: Context, one: Interface, there: _There) -> Interface:
    """Return what a file says of an interface; what it leaves to be chosen is as it has been."""
    has = there.said(one)
    bridge = _network(context, one.bridge) if one.bridge else None
    return msgspec.structs.replace(
        one,
        mac=one.mac.lower() or has.mac,
        host_ifname=_node_name(one.host_ifname) or has.host_ifname,
        host_mac=one.host_mac.lower() or has.host_mac,
        bridge=has.bridge if bridge in (None, there.card.network or "") else one.bridge,
    )


def _new(context: Context, one: Interface) -> NewCard:
    return NewCard(
        name=one.ifname,
        mac=one.mac or None,
        network=_network(context, one.bridge) or None,
        node_name=_node_name(one.host_ifname),
        node_mac=one.host_mac or NODE_MAC,
    )


def _network(context: Context, bridge: str) -> str:
    """Return the private network that a bridge is, by its own name or the network's; empty: it is the home's."""
    if _BRIDGE.fullmatch(bridge):
        return ""
    own = {bridge_name(context.home.tag, one.number): one.name for one in list_networks(context)}
    return own.get(bridge, bridge)


def _node_name(host_ifname: str) -> str:
    """Return what the node's end of a card is to be called beside its name of Wirt's, which a file may say."""
    return "" if _INTERFACE.fullmatch(host_ifname) else host_ifname


def _exchange(context: Context, said: dict[str, str]) -> Exchange:
    """Return what an interface is to have; what is said to be empty is chosen, the MAC of the node's end too."""
    bridge, node_name, node_mac = (said.get(key) for key in ("bridge", "host_ifname", "host_mac"))
    return Exchange(
        mac=said.get("mac"),
        network=None if bridge is None else _network(context, bridge),
        node_name=None if node_name is None else _node_name(node_name),
        node_mac=None if node_mac is None else node_mac or NODE_MAC,
    )


def _named(context: Context, name: str, kind: CardKind, asked: Sequence[str]) -> list[str]:
    """Return the names of the cards that are to go; one that is not there is left to whoever removes it."""
    every = [card.name for card in context.store.find(name).cards if card.kind is kind]
    on_node: dict[str, str] = {}
    for ifname, one in _there(context, name).items():
        on_node |= {one.nic.interface: ifname, one.nic.node_name: ifname}
    found: list[str] = []
    for one_asked in asked:
        if one_asked == ALL:
            found += every
        else:
            found.append(one_asked if one_asked in every else on_node.get(one_asked, one_asked))
    return found


def _merged(had: Sequence[str], gone: Sequence[str], new: Sequence[str]) -> list[str]:
    left = [] if ALL in gone else [one for one in had if one not in gone]
    return list(dict.fromkeys([*left, *new]))


def _words(config: ConfigFile, key: str) -> list[str]:
    return (config.get(key) or "").split()


def _address(value: str) -> str:
    """Return an address without the mask that may stand behind it, which is the home's own."""
    try:
        return str(ip_interface(value).ip)
    except ValueError:
        raise Refused(Code.ADDRESS, f"Invalid IP address: {value}") from None
