"""The home's bridge: a guest has a card on it and reaches the node and the other guests.

The bridge stands as long as the home has a guest. Containers get their veth pair from LXC, which also takes it away;
tap devices for guests with their own kernel, and addresses for chroots, are made here.

The bridge has a packet filter of the same name (see ``filter``), which stands no longer than it. A card is let through
before it is made, so the time between is closed, and closed again when it is gone.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from wirt.errors import Failed, Unsupported
from wirt.host import files, links, nft, nftset, run
from wirt.model.capability import Capability, no, yes
from wirt.model.card import Card
from wirt.model.names import bridge_name, interface_name, interface_prefix
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Nic, NicKind
from wirt.network import addresses
from wirt.network import filter as rules

if TYPE_CHECKING:
    from wirt.host import arp
    from wirt.host.frames import Frames

_SETTLING_SECONDS = 0.02
"""How long connections get that are half made: CRIU does not know them, and a guest that has forgotten one refuses it."""
_VANISHING_SECONDS = 0.5
_FORWARDED_GROUPS = 0xFFF8
"""Which of the addresses 01:80:c2:00:00:0X the bridge treats as any other: all that the kernel allows.

Else the node itself would take frames to 0e from the guest's port, past every hook of the bridge's filter.
"""


class BridgeNetwork:
    """One bridge with the node's own address on it, or one of a private network, without.

    All bridges of a home share one filter, which has the name of the first, and stands no longer than that.
    """

    def __init__(self, tag: str, subnet: IPv4Network, *, private: int = 0) -> None:
        """Describe a bridge of the home ``tag``; nothing is made yet.

        Args:
            tag: the home's.
            subnet: where its IPv4 addresses are from.
            private: number of the private network that it is; 0: it is the home's own.
        """
        self._tag = tag
        self._subnet = subnet
        self._range6 = addresses.range_of(subnet)
        self.bridge = bridge_name(tag, private)
        self._private = private
        self._table = bridge_name(tag)
        self._ports = interface_prefix(tag)
        # A bridge without an address of its own takes its ports' lowest, and changes it when that port goes.
        self._mac = addresses.mac_of(tag, "000000", private)
        self._is_new = False

    def probe_capability(self) -> Capability:
        """Ask whether ``ip`` and ``nft`` are there to make a bridge and its filter with."""
        for program, package in (("ip", "iproute2"), ("nft", "nftables")):
            if run.find_program(program) is None:
                return no(
                    "bridge",
                    f"the program {program} is not installed",
                    f"apt-get install {package}",
                )
        ranges = f"{self._subnet} and {self._range6}"
        if not links.has_ipv6():
            ranges = f"{self._subnet}, and none of IPv6, which is switched off on this node"
        return yes("bridge", f"guests get addresses of {ranges}, and may send from no other")

    def ensure_up(self) -> None:
        """Make the bridge if it is not there.

        It is set up as the last act: a crash before leaves a bridge that is down, which is made anew.
        """
        if links.is_up(self.bridge):
            return
        links.delete(self.bridge)
        links.batch(
            [
                f"link add name {self.bridge} address {self._mac} type bridge "
                f"no_linklocal_learn 1 group_fwd_mask {_FORWARDED_GROUPS}",
                *self._addressing(),
            ]
        )
        # Nothing leads out, whatever the node does with packets from its other interfaces.
        links.set_forwarding(self.bridge, on=False)
        links.set_up(self.bridge)
        self._is_new = not self._private

    def _addressing(self) -> list[str]:
        """Return what gives the bridge the node's own addresses."""
        if self._private:
            # The node is not to be on a private network: without an address of its own it takes nothing from there.
            return [f"link set {self.bridge} addrgenmode none"] if links.knows_ipv6() else []
        own = f"{addresses.gateway(self._subnet)}/{addresses.PREFIX}"
        commands = [f"address add {own} dev {self.bridge}"]
        if links.has_ipv6():
            # Nobody else has it: the filter sees to that. To look for somebody who has takes a second.
            own = f"{addresses.gateway6(self._range6)}/{addresses.PREFIX6}"
            commands.append(f"address add {own} dev {self.bridge} nodad")
        return commands

    def remove(self) -> None:
        """Take the bridge and its filter away; no error if they are gone.

        A crash before the bridge is gone leaves it to the next command; nft, once begun, ends without us.
        """
        if self._private:
            links.delete(self.bridge)
        elif links.exists(self.bridge):
            with nft.applying(rules.build_removal(self.bridge, ipv6=links.knows_ipv6())):
                links.delete(self.bridge)

    def choose_address(self, wanted: str | None, taken: set[str], guest_id: str) -> str:
        """Return the address that is asked for, or the one that the guest's id stands for."""
        if wanted is None:
            return addresses.free_address(self._subnet, taken, guest_id)
        return addresses.check_address(wanted, self._subnet)

    def mac(self, guest_id: str, card: int = 0) -> str:
        """Return the MAC of a guest's card with this number."""
        return addresses.mac_of(self._tag, guest_id, card)

    def choose_private(self, wanted: str | None, taken: Sequence[str]) -> str:
        """Return the subnet that is asked for, or one that nobody here has."""
        others = [self._subnet, *links.routed_networks(), *map(IPv4Network, taken)]
        if wanted is None:
            return str(addresses.choose_subnet(self._tag, others))
        return str(addresses.check_subnet(wanted, others))

    def check_further(self, text: str) -> str:
        """Return an address as it is written normally, if a guest may have it beside its first."""
        checked = addresses.check_further(text, self._subnet, self._range6)
        if ":" in checked and not links.has_ipv6():
            raise Unsupported(
                f"address {text} cannot be had: IPv6 is switched off on this node",
                hint="switch it on: sysctl net.ipv6.conf.all.disable_ipv6=0",
            )
        return checked

    def nic(self, guest_id: str, card: Card, kind: NicKind, *, ipv6: bool = True) -> Nic:
        """Return the card of a guest as it is on this node; changes nothing."""
        alias = kind is NicKind.ALIAS
        interface = self.bridge if alias else interface_name(self._tag, guest_id, card.number)
        subnet, range6 = self._subnet, self._range6 if ipv6 and links.has_ipv6() else None
        return addresses.nic_of(
            card,
            kind,
            interface=interface,
            bridge=self.bridge,
            subnet=subnet,
            range6=range6,
            is_private=bool(self._private),
        )

    def attach(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let the card through and make what the kind needs on the node; veth is made by the engine.

        A crash in between leaves a card let through that is not there, which ``probe`` finds.
        """
        if not links.exists(self.bridge):
            raise Failed(f"there is no bridge {self.bridge}")
        if nic.kind is NicKind.ALIAS:
            # The first one is what ``probe`` asks for: it is there before the others and after them.
            links.batch([_alias("replace", one, self.bridge) for one in nic.addresses])
            return
        self._admit(nic, others)
        if nic.kind is NicKind.TAP and not links.is_up(nic.interface):
            links.delete(nic.interface)
            links.batch(
                [
                    f"tuntap add dev {nic.interface} mode tap",
                    *([f"link set {nic.interface} mtu {nic.mtu}"] if nic.mtu else []),
                    f"link set {nic.interface} master {self.bridge}",
                    f"link set {nic.interface} up",
                ]
            )

    def _admit(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let a card through. A bridge just made has no table yet, and somebody may have flushed the node's filter."""
        with suppress(Failed):
            if not self._is_new:
                nftset.add(self._table, rules.elements(nic))
                return
        self._make_table(nic, others)

    def _make_table(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Make the filter, or what it lacks, and let the card and the others through."""
        cards = [card for card in others() if card.kind is not NicKind.ALIAS]
        table = rules.build_table(self._table, self._ports, [*cards, nic])
        confinement = rules.build_confinement(self._table) if links.knows_ipv6() else ""
        nft.apply(confinement + table)
        self._is_new = False

    def readdress(self, before: Nic, after: Nic) -> None:
        """Change what the filter lets through, and what stands on the bridge."""
        if before.kind is not NicKind.ALIAS:
            had, has = rules.elements(before), rules.elements(after)
            nftset.add(self._table, has)
            with nftset.deleting(self._table, [one for one in had if one not in has]):
                return
        gone = [one for one in before.addresses if one not in after.addresses]
        links.batch([_alias("replace", one, self.bridge) for one in (*after.addresses, *gone)])
        links.batch([_alias("delete", one, self.bridge) for one in gone])

    @contextmanager
    def closing(self, nic: Nic) -> Iterator[None]:
        """Stop letting the card through while the block ends its guest: the kernel takes about as long to let go of it."""
        with ExitStack() as closed:
            if nic.kind is not NicKind.ALIAS:
                # ``detach`` says so if it cannot be closed.
                with suppress(Failed):
                    closed.enter_context(nftset.deleting(self._table, rules.elements(nic)))
            yield

    def cut(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let the filter send no new connection to the card, then nothing any more."""
        if not links.exists(nic.interface):
            raise Failed(f"there is no card {nic.interface}")
        for element in rules.cut_elements(nic):
            try:
                nftset.add(self._table, [element])
            except Failed:
                # An older version has made it, without such a set, or somebody has flushed the node's filter.
                self._make_table(nic, others)
                nftset.add(self._table, [element])
            if element[0] == rules.SETTLING:
                time.sleep(_SETTLING_SECONDS)

    def silence(self, nic: Nic) -> None:
        """Let the filter take nothing from the card."""
        # One that an older version has made has no such set: to make it anew now takes longer than the guest may stand still.
        with suppress(Failed):
            nftset.add(self._table, [rules.silent_element(nic)])

    def collect(self, nic: Nic) -> "Frames | None":
        """Keep from the bridge what it has for the card; what is for an alias is the node's own."""
        if nic.kind is NicKind.ALIAS:
            return None
        # Loaded here: only a checkpoint and a move have something kept.
        from wirt.host.frames import Frames

        with files.translated(f"keep what comes for {nic.address} on {self.bridge}"):
            return Frames(self.bridge, nic.mac)

    def join(self, nic: Nic) -> None:
        """Have the filter send to it, and take from it, again."""
        found = (*rules.cut_elements(nic), rules.silent_element(nic))
        cut = [one for one in found if nftset.holds(self._table, one)]
        if cut:
            with nftset.deleting(self._table, cut):
                return

    def detach(self, nic: Nic) -> None:
        """Take it away again and close it; no error if it is gone."""
        if nic.kind is NicKind.ALIAS:
            if self._has_alias(nic):
                # There is no deleting of what may not be there.
                for one in reversed(nic.addresses):
                    acts = ("replace", "delete")
                    links.batch([_alias(act, one, self.bridge) for act in acts])
            return
        # Closed first: a crash in between leaves a card that carries nothing.
        with ExitStack() as closed:
            if self._is_open(nic):
                closed.enter_context(nftset.deleting(self._table, rules.elements(nic)))
            _delete(nic)
        self.join(nic)

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the node's side is there, and whether the filter lets it through."""
        if nic.kind is NicKind.ALIAS:
            return present_if(self._has_alias(nic))
        if links.is_up(nic.interface):
            return Presence.PRESENT
        if links.exists(nic.interface) or self._is_open(nic):
            return Presence.PARTIAL
        return Presence.ABSENT

    def announce(self, nic: Nic) -> None:
        """Send to all ports of the bridge what the guest itself would, for each of its addresses.

        Not to its own: its kernel would take it for somebody else who has them.
        """
        from wirt.host import arp

        others = [port for port in links.ports_of(self.bridge) if port != nic.interface]
        with files.translated(f"announce {nic.address} on {self.bridge}"):
            arp.announce(others, nic.mac, [one.partition("/")[0] for one in nic.addresses])

    def watch(self, nic: Nic) -> "arp.Watch | None":
        """Watch from the bridge; the node does not answer itself, so an alias cannot be watched."""
        if nic.kind is NicKind.ALIAS:
            return None
        from wirt.host import arp

        with files.translated(f"watch {nic.address} on {self.bridge}"):
            return arp.Watch(self.bridge, nic.address)

    def _is_open(self, nic: Nic) -> bool:
        return nftset.holds(self._table, rules.elements(nic)[0])

    def _has_alias(self, nic: Nic) -> bool:
        return links.exists(self.bridge) and links.has_address(self.bridge, nic.address)


def _alias(act: str, address: str, bridge: str) -> str:
    """Return the command that puts an address on the bridge, or takes it away."""
    bare = address.partition("/")[0]
    last = ":" in bare
    return f"address {act} {bare}/{128 if last else 32} dev {bridge}{' nodad' if last else ''}"


def _delete(nic: Nic) -> None:
    # The kernel is taking a veth pair away by itself when the guest's namespace has just gone.
    if nic.kind is NicKind.TAP or not links.wait_gone(nic.interface, _VANISHING_SECONDS):
        links.delete(nic.interface)
