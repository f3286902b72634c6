"""The home's bridge: a guest has a card on it and reaches the node and the other guests.

The bridge stands as long as the home has a guest. Containers get their veth pair from LXC, which also takes it away;
tap devices for guests with their own kernel, and addresses for chroots, are made here.

The bridge has a packet filter of the same name (see ``filter``), which stands no longer than it. A card is let through
before it is made, so the time between is closed, and closed again when it is gone.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network

from wirt.errors import Failed
from wirt.host import arp, files, links, nft, nftset, run
from wirt.model.capability import Capability, no, yes
from wirt.model.names import BRIDGES, interface_name, interface_prefix
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind
from wirt.network import addresses
from wirt.network import filter as rules

_PORT_OFF, _PORT_ON = 0, 3
"""What the kernel calls BR_STATE_DISABLED and BR_STATE_FORWARDING (linux/if_bridge.h)."""
_VANISHING_SECONDS = 0.5
_FORWARDED_GROUPS = 0xFFF8
"""Which of the addresses 01:80:c2:00:00:0X the bridge treats as any other: all that the kernel allows.

Else the node itself would take frames to 0e from the guest's port, past every hook of the bridge's filter.
"""


class BridgeNetwork:
    """One bridge with the node's own address on it."""

    def __init__(self, tag: str, subnet: IPv4Network) -> None:
        """Describe the bridge of the home ``tag``; nothing is made yet."""
        self._tag = tag
        self._subnet = subnet
        self.bridge = f"{BRIDGES}{tag}"
        self._ports = interface_prefix(tag)
        # A bridge without an address of its own takes its ports' lowest, and changes it when that port goes.
        self._mac = addresses.mac_of(tag, "000000")
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
        return yes("bridge", f"guests get addresses of {self._subnet}, and may send from no other")

    def ensure_up(self) -> None:
        """Make the bridge if it is not there.

        It is set up as the last act: a crash before leaves a bridge that is down, which is made anew.
        """
        if links.is_up(self.bridge):
            return
        links.delete(self.bridge)
        address = f"{addresses.gateway(self._subnet)}/{addresses.PREFIX}"
        links.batch(
            [
                f"link add name {self.bridge} address {self._mac} type bridge "
                f"no_linklocal_learn 1 group_fwd_mask {_FORWARDED_GROUPS}",
                f"address add {address} dev {self.bridge}",
            ]
        )
        # Nothing leads out, whatever the node does with packets from its other interfaces.
        links.set_forwarding(self.bridge, on=False)
        links.set_up(self.bridge)
        self._is_new = True

    def remove(self) -> None:
        """Take the bridge and its filter away; no error if they are gone.

        A crash before the bridge is gone leaves it to the next command; nft, once begun, ends without us.
        """
        if links.exists(self.bridge):
            with nft.applying(rules.build_removal(self.bridge)):
                links.delete(self.bridge)

    def choose_address(self, wanted: str | None, taken: set[str], guest_id: str) -> str:
        """Return the address that is asked for, or the one that the guest's id stands for."""
        if wanted is None:
            return addresses.free_address(self._subnet, taken, guest_id)
        return addresses.check_address(wanted, self._subnet)

    def mac(self, guest_id: str) -> str:
        """Return the MAC of a guest's card."""
        return addresses.mac_of(self._tag, guest_id)

    def nic(self, guest_id: str, address: str, mac: str, kind: NicKind) -> Nic:
        """Return the card of a guest as a value; changes nothing."""
        alias = kind is NicKind.ALIAS
        return Nic(
            kind=kind,
            interface=self.bridge if alias else interface_name(self._tag, guest_id),
            bridge=self.bridge,
            mac=mac,
            address=address,
            prefix=addresses.PREFIX,
            gateway=addresses.gateway(self._subnet),
        )

    def attach(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let the card through and make what the kind needs on the node; veth is made by the engine.

        A crash in between leaves a card let through that is not there, which ``probe`` finds.
        """
        if not links.exists(self.bridge):
            raise Failed(f"there is no bridge {self.bridge}")
        if nic.kind is NicKind.ALIAS:
            links.batch([f"address replace {nic.address}/32 dev {self.bridge}"])
            return
        self._admit(nic, others)
        if nic.kind is NicKind.TAP and not links.is_up(nic.interface):
            links.delete(nic.interface)
            links.batch(
                [
                    f"tuntap add dev {nic.interface} mode tap",
                    f"link set {nic.interface} master {self.bridge}",
                    f"link set {nic.interface} up",
                ]
            )

    def _admit(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let a card through. A bridge just made has no table yet, and somebody may have flushed the node's filter."""
        with suppress(Failed):
            if not self._is_new:
                nftset.add(self.bridge, rules.elements(nic))
                return
        cards = [card for card in others() if card.kind is not NicKind.ALIAS]
        nft.apply(rules.build_table(self.bridge, self._ports, [*cards, nic]))
        self._is_new = False

    @contextmanager
    def closing(self, nic: Nic) -> Iterator[None]:
        """Stop letting the card through while the block ends its guest: the kernel takes about as long to let go of it."""
        with ExitStack() as closed:
            if nic.kind is not NicKind.ALIAS:
                # ``detach`` says so if it cannot be closed.
                with suppress(Failed):
                    closed.enter_context(nftset.deleting(self.bridge, rules.elements(nic)))
            yield

    def cut(self, nic: Nic) -> None:
        """Switch the bridge's port off."""
        links.batch([f"link set {nic.interface} type bridge_slave state {_PORT_OFF}"])

    def join(self, nic: Nic) -> None:
        """Switch it on. Without anybody at the other end the kernel refuses, and switches it on itself when somebody comes."""
        if links.has_carrier(nic.interface):
            links.batch([f"link set {nic.interface} type bridge_slave state {_PORT_ON}"])

    def detach(self, nic: Nic) -> None:
        """Take it away again and close it; no error if it is gone."""
        if nic.kind is NicKind.ALIAS:
            if self._has_alias(nic):
                links.batch([f"address delete {nic.address}/32 dev {self.bridge}"])
            return
        # Closed first: a crash in between leaves a card that carries nothing.
        with ExitStack() as closed:
            if self._is_open(nic):
                closed.enter_context(nftset.deleting(self.bridge, rules.elements(nic)))
            _delete(nic)

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the node's side is there, and whether the filter lets it through."""
        if nic.kind is NicKind.ALIAS:
            return Presence.PRESENT if self._has_alias(nic) else Presence.ABSENT
        if links.is_up(nic.interface):
            return Presence.PRESENT
        if links.exists(nic.interface) or self._is_open(nic):
            return Presence.PARTIAL
        return Presence.ABSENT

    def announce(self, nic: Nic) -> None:
        """Send from the bridge, to all its ports, what the guest itself would."""
        with files.translated(f"announce {nic.address} on {self.bridge}"):
            arp.announce(self.bridge, nic.mac, nic.address)

    def watch(self, nic: Nic) -> arp.Watch | None:
        """Watch from the bridge; the node does not answer itself, so an alias cannot be watched."""
        if nic.kind is NicKind.ALIAS:
            return None
        with files.translated(f"watch {nic.address} on {self.bridge}"):
            return arp.Watch(self.bridge, nic.address)

    def _is_open(self, nic: Nic) -> bool:
        return nftset.holds(self.bridge, rules.elements(nic)[0])

    def _has_alias(self, nic: Nic) -> bool:
        return links.exists(self.bridge) and links.has_address(self.bridge, nic.address)


def _delete(nic: Nic) -> None:
    # The kernel is taking a veth pair away by itself when the guest's namespace has just gone.
    if nic.kind is NicKind.TAP or not links.wait_gone(nic.interface, _VANISHING_SECONDS):
        links.delete(nic.interface)
