"""``--ipadd``, ``--netif_add`` and ``--netdev_add``: the addresses, cards and devices of a container, and their keys in its file.

As vzctl's, the options say what is added and what goes, and the file holds what there is then. ``venet0``, which vzctl's
addresses are on, is the first card of a container that ``vzctl create`` makes: a routed one, whose addresses may be any that the node's
neighbours send it packets for. A guest that was made otherwise has addresses of the home's on its first card, whatever that is.
"""

from collections.abc import Sequence
from ipaddress import ip_interface

import msgspec

from wirt.console import output
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.settings import Bad
from wirt.errors import Conflict
from wirt.model.card import VENET, Card, CardKind
from wirt.model.guest import Guest
from wirt.model.names import bridge_name
from wirt.ops.address import set_addresses
from wirt.ops.cards import NewCard, add_card, remove_card
from wirt.ops.context import Context
from wirt.ops.steps.cards import CardSteps

OPTIONS = ("ipadd", "ip", "ipdel", "netif_add", "netif_del", "netdev_add", "netdev_del")
ALL = "all"


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A card as ``--netif_add`` and the key NETIF write it; what is empty is chosen."""

    ifname: str
    mac: str = ""
    host_ifname: str = ""
    host_mac: str = ""
    bridge: str = ""

    def __str__(self) -> str:
        """Render it as NETIF holds it."""
        said = msgspec.structs.asdict(self).items()
        return ",".join(f"{key}={value}" for key, value in said if value)


class CardsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line adds and takes away, in the order of its options; ``all`` stands for all."""

    addresses: tuple[str, ...] = ()
    gone_addresses: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    gone_interfaces: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    gone_devices: tuple[str, ...] = ()

    @property
    def changes_addresses(self) -> bool:
        """Return whether an address comes or goes."""
        return bool(self.addresses or self.gone_addresses)


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
        interfaces=tuple(_interface(one) for one in values("netif_add")),
        gone_interfaces=values("netif_del"),
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
    if asked.interfaces or asked.gone_interfaces:
        had = {_name_in(one): one for one in (config.get("NETIF") or "").split(";") if one.strip()}
        new = {one.ifname: str(one) for one in asked.interfaces}
        names = _merged(list(had), asked.gone_interfaces, list(new))
        config = config.replace("NETIF", ";".join({**had, **new}[name] for name in names))
    return config


def told(context: Context, name: str, config: ConfigFile) -> ConfigFile:
    """Return a container's file in which NETIF says of each card what it has: its MAC, its end on the node, and where that leads to.

    The MAC of that end is not among it: the kernel chooses one at each start.
    """
    value = config.get("NETIF")
    if not value:
        return config
    guest = context.store.find(name)
    steps = CardSteps(context, guest)
    there = {card.name: card for card in guest.cards if card.kind is CardKind.BRIDGED}
    entries = []
    for entry in filter(None, map(str.strip, value.split(";"))):
        card = there.get(_name_in(entry))
        if card is None:
            entries.append(entry)
            continue
        said = dict(part.partition("=")[::2] for part in entry.split(","))
        nic = steps.nic_of(card)
        said |= {"mac": nic.mac, "host_ifname": nic.interface, "bridge": card.network or nic.bridge}
        keys = dict.fromkeys([*Interface.__struct_fields__, *said])
        entries.append(",".join(f"{key}={said[key]}" for key in keys if said.get(key)))
    return config.replace("NETIF", ";".join(entries))


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
            own = one.bridge in ("", bridge_name(context.home.tag))
            network = None if own else one.bridge
            add_card(context, name, NewCard(name=one.ifname, mac=one.mac or None, network=network))


def warn_of_holders(asked: CardsAsked) -> None:
    """Say which of the addresses that come somebody on the node's networks has, as vzctl does: it may be on its way here."""
    if not asked.addresses:
        return
    # Loaded here: no other command needs it.
    from wirt.ops.neighbours import find_holders

    for address, holder, interface in find_holders(asked.addresses):
        output.note(f"Warning: address {address} is in use on {interface}, by {holder}")


def hold_addresses(context: Context, name: str, config: ConfigFile) -> None:
    """Give a guest the addresses of its file and no others, but for the IPv4 address that it must have.

    Raises:
        Refused: it cannot have one; it has those that it had.
    """
    with ends_with(Code.ADD_ADDRESS), ends_with(Code.ADDRESS_IN_USE, Conflict):
        set_addresses(context, name, _words(config, "IP_ADDRESS"))


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


def _named(context: Context, name: str, kind: CardKind, asked: Sequence[str]) -> list[str]:
    """Return the names of the cards that are to go; one that is not there is left to whoever removes it."""
    there: Sequence[Card] = context.store.find(name).cards
    found: list[str] = []
    for one in asked:
        every = [card.name for card in there if card.kind is kind]
        found += every if one == ALL else [one]
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


def _interface(value: str) -> Interface:
    fields = value.split(",")
    if not fields[0] or len(fields) > 5:
        raise Bad("netif_add", value, hint="give ifname[,mac,host_ifname,host_mac,bridge]")
    said = Interface(**dict(zip(Interface.__struct_fields__, fields, strict=False)))
    if said.host_ifname or said.host_mac:
        raise Refused(
            Code.VETH,
            "the node's side of a card is named by Wirt",
            hint=f"leave host_ifname and host_mac empty: {said.ifname},{said.mac},,,{said.bridge}",
        )
    return said


def _name_in(entry: str) -> str:
    said = dict(part.partition("=")[::2] for part in entry.split(","))
    return said.get("ifname", entry)
