"""The home's bridge: a guest has a card on it and reaches the node and the other guests.

The bridge stands as long as the home has a guest. Containers get their veth pair from LXC, which also takes it away;
tap devices for guests with their own kernel, and addresses for chroots, are made here.
"""

from ipaddress import IPv4Network

from wirt.host import links, run
from wirt.model.capability import Capability, no, yes
from wirt.model.names import interface_name
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind
from wirt.network import addresses

_VANISHING_SECONDS = 0.5


class BridgeNetwork:
    """One bridge with the node's own address on it."""

    def __init__(self, tag: str, subnet: IPv4Network) -> None:
        """Describe the bridge of the home ``tag``; nothing is made yet."""
        self._tag = tag
        self._subnet = subnet
        self.bridge = f"wirt-{tag}"
        # A bridge without an address of its own takes its ports' lowest, and changes it when that port goes.
        self._mac = addresses.mac_of(tag, "000000")

    def probe_capability(self) -> Capability:
        """Ask whether ``ip`` is there to make a bridge with."""
        if run.find_program("ip") is None:
            return no("bridge", "the program ip is not installed", "apt-get install iproute2")
        return yes("bridge", f"guests get addresses of {self._subnet}")

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
                f"link add name {self.bridge} address {self._mac} type bridge",
                f"address add {address} dev {self.bridge}",
                f"link set {self.bridge} up",
            ]
        )

    def remove(self) -> None:
        """Take the bridge away; no error if it is gone."""
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

    def attach(self, nic: Nic) -> None:
        """Make what the kind needs on the node; nothing for veth, which the engine makes."""
        if nic.kind is NicKind.ALIAS:
            links.batch([f"address replace {nic.address}/32 dev {self.bridge}"])
        elif nic.kind is NicKind.TAP and self.probe(nic) is not Presence.PRESENT:
            links.delete(nic.interface)
            links.batch(
                [
                    f"tuntap add dev {nic.interface} mode tap",
                    f"link set {nic.interface} master {self.bridge}",
                    f"link set {nic.interface} up",
                ]
            )

    def detach(self, nic: Nic) -> None:
        """Take it away again; no error if it is gone."""
        if nic.kind is not NicKind.ALIAS:
            # The kernel is taking a veth pair away by itself when the guest's namespace has just gone.
            if nic.kind is NicKind.TAP or not links.wait_gone(nic.interface, _VANISHING_SECONDS):
                links.delete(nic.interface)
        elif links.exists(self.bridge) and links.has_address(self.bridge, nic.address):
            links.batch([f"address delete {nic.address}/32 dev {self.bridge}"])

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the node's side is there."""
        if nic.kind is NicKind.ALIAS:
            there = links.exists(self.bridge) and links.has_address(self.bridge, nic.address)
            return Presence.PRESENT if there else Presence.ABSENT
        if links.is_up(nic.interface):
            return Presence.PRESENT
        return Presence.PARTIAL if links.exists(nic.interface) else Presence.ABSENT
