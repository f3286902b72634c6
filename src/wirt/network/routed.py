"""The bridge of routed cards, each of which meets the node alone.

A routed card has single addresses, and its gateway is the node, at a link-local address. The node has a route to each of them and
a neighbour that does not change, so it never has to ask. The cards are ports of a bridge of their own, which forwards nothing between
them: so the filter, the rates and the engines treat them as any other card.

Guests on the home's bridge take the home's whole subnet to be their neighbours: there the node answers for routed ones. It also
answers on its other networks, for cards of which that is wanted (``is_proxied``). Of that kind the kernel keeps single addresses, by
interface, which ``detach`` looks for wherever they are.

``forwarding`` of the bridges, and what is let through between them and elsewhere, is the gateway's.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

from wirt.errors import Conflict, InvalidInput
from wirt.host import links
from wirt.model.card import Card
from wirt.model.names import BRIDGES, interface_name, routed_bridge_name
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind
from wirt.network import addresses, uplinks
from wirt.network.bridge import BridgeNetwork

_NUMBER = 63
"""Tells its MAC from those of the other bridges of the home: private networks have smaller ones."""


class RoutedNetwork(BridgeNetwork):
    """A bridge on which there is nobody but the node for each card."""

    def __init__(self, tag: str, subnet: IPv4Network, home: BridgeNetwork) -> None:
        """Describe the bridge; nothing is made yet.

        Args:
            tag: the home's.
            subnet: where its guests' addresses are from if they ask for no other.
            home: its bridge, which has the filter of both.
        """
        super().__init__(tag, subnet)
        self.bridge = routed_bridge_name(tag)
        self._mac = addresses.mac_of(tag, "000000", _NUMBER)
        self._home = home

    def ensure_up(self) -> None:
        """Make both bridges if they are not there; the filter has the home's."""
        self._home.ensure_up()
        super().ensure_up()
        self._is_new = False
        links.forward_ipv6(self.bridge)
        links.forward_ipv6(self._home.bridge)
        links.answer_for_others(self._home.bridge)

    def _addressing(self) -> list[str]:
        commands = [f"address add {addresses.ROUTER}/32 dev {self.bridge} scope link"]
        if links.has_ipv6():
            commands += [
                f"link set {self.bridge} addrgenmode none",
                f"address add {addresses.ROUTER6}/64 dev {self.bridge} nodad",
            ]
        return commands

    def remove(self) -> None:
        """Take the bridge away; no error if it is gone."""
        links.delete(self.bridge)

    def choose_address(self, wanted: str | None, taken: set[str], guest_id: str) -> str:
        """Return the address that is asked for, or one of the home's subnet."""
        if wanted is None or ":" in wanted:
            return super().choose_address(wanted, taken, guest_id)
        return self.check_further(wanted)

    def check_further(self, text: str) -> str:
        """Return an address as it is written normally, if a guest may have it."""
        checked = addresses.check_routed(text, self._subnet, self._range6)
        if links.is_own(checked):
            raise InvalidInput(f"address {text} is this node's own", hint="choose another")
        if self._is_of_others(checked):
            raise InvalidInput(
                f"address {text} is one of another home's guests or networks", hint="choose another"
            )
        return checked

    def _is_of_others(self, address: str) -> bool:
        """Return whether the node leads an IPv4 address to guests of another home, or to a private network."""
        own = (self.bridge, self._home.bridge)
        return ":" not in address and any(
            IPv4Address(address) in network
            for name, network in links.find_routes()
            if name.startswith(BRIDGES) and name not in own
        )

    def nic(self, guest_id: str, card: Card, kind: NicKind, *, ipv6: bool = True) -> Nic:
        """Return the card of a guest as it is on this node; changes nothing."""
        return addresses.nic_of(
            card,
            kind,
            interface=interface_name(self._tag, guest_id, card.number),
            bridge=self.bridge,
            subnet=self._subnet,
            range6=self._range6 if ipv6 and links.has_ipv6() else None,
            is_routed=True,
        )

    def attach(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Lead the node's packets to the card, then let it through.

        Raises:
            Conflict: one of its addresses leads to another home's guest.
            Failed: as of every network.
        """
        for one in map(_bare, nic.addresses):
            if self._is_of_others(one):
                raise Conflict(
                    f"address {one} is one of another home's guests or networks by now",
                    hint="give the guest another, or stop that one",
                )
        links.batch(self._leading(nic, nic.addresses))
        super().attach(nic, others)
        self.announce(nic)

    def readdress(self, before: Nic, after: Nic) -> None:
        """Change what leads to the card and what the filter lets through."""
        links.batch(self._leading(after, after.addresses))
        super().readdress(before, after)
        self.announce(after)
        self._lead_no_more([one for one in before.addresses if one not in after.addresses])

    def detach(self, nic: Nic) -> None:
        """Take it away again; a crash before the last route is gone leaves that, which ``probe`` finds."""
        super().detach(nic)
        self._lead_no_more(reversed(nic.addresses))

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the node's side is there, or anything leads to it."""
        found = super().probe(nic)
        leads = nic.address and links.has_route(self.bridge, nic.address)
        if found is Presence.ABSENT and leads:
            return Presence.PARTIAL
        return found

    def announce(self, nic: Nic) -> None:
        """Tell the node's neighbours of the addresses that it answers for: who had them last may have been elsewhere."""
        if not nic.proxied:
            return
        from wirt.host import arp

        for ipv6 in (False, True):
            told = [one for one in nic.proxied if (":" in one) is ipv6]
            for name in uplinks.find_uplinks(ipv6=ipv6) if told else []:
                # An uplink that knows no neighbours, such as a tunnel, has nobody to be told.
                with suppress(OSError):
                    arp.announce([name], links.mac_of(name), told)

    def watch(self, nic: Nic) -> None:
        """See nothing: the node does not ask for a card whose place it knows."""

    def collect(self, nic: Nic) -> None:
        """Keep nothing: what is sent to a card that has gone to another node does not go by this node's bridge."""

    def _leading(self, nic: Nic, those: Iterable[str]) -> list[str]:
        """Return what leads to addresses of a card; all of it can be done again."""
        commands = []
        for one in map(_bare, those):
            # As guests on the home's bridge see it, the node is there.
            source = "" if ":" in one else f" src {addresses.gateway(self._subnet)}"
            commands += [
                f"route replace {one} dev {self.bridge}{source}",
                f"neighbour replace {one} lladdr {nic.mac} dev {self.bridge} nud permanent",
                f"neighbour replace proxy {one} dev {self._home.bridge}",
            ]
            if one in nic.proxied:
                commands += [
                    f"neighbour replace proxy {one} dev {name}"
                    for name in uplinks.find_uplinks(ipv6=":" in one)
                ]
        return commands

    def _lead_no_more(self, those: Iterable[str]) -> None:
        """Undo that; no error if nothing leads there."""
        bare = [_bare(one) for one in those]
        commands = [
            f"neighbour delete proxy {one} dev {name}"
            for one, name in links.find_answered()
            if one in bare
        ]
        if links.exists(self.bridge):
            for one in bare:
                # There is no deleting of what may not be there.
                commands += [
                    f"neighbour replace {one} lladdr {self._mac} dev {self.bridge} nud permanent",
                    f"neighbour delete {one} dev {self.bridge}",
                ]
                # A route of another home's would be replaced, and then deleted.
                if not self._is_of_others(one):
                    commands += [
                        f"route replace {one} dev {self.bridge}",
                        f"route delete {one} dev {self.bridge}",
                    ]
        links.batch(commands)


def _bare(address: str) -> str:
    return address.partition("/")[0]
