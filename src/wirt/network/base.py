"""The port that every kind of network is behind: how a guest is joined to the node and the other guests."""

from typing import Protocol

from wirt.model.capability import Capability
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind


class Network(Protocol):
    """One network of this home."""

    def probe_capability(self) -> Capability:
        """Ask the node whether this network works here."""
        ...

    def ensure_up(self) -> None:
        """Make the bridge if it is not there."""
        ...

    def remove(self) -> None:
        """Take the bridge away; no error if it is gone."""
        ...

    def choose_address(self, wanted: str | None, taken: set[str], guest_id: str) -> str:
        """Return the address that is asked for, or the one that the guest's id stands for, or the next free one.

        Raises:
            InvalidInput: it is no address, or none of this network's.
        """
        ...

    def mac(self, guest_id: str) -> str:
        """Return the MAC of a guest's card."""
        ...

    def nic(self, guest_id: str, address: str, mac: str, kind: NicKind) -> Nic:
        """Return the card of a guest as a value; changes nothing."""
        ...

    def attach(self, nic: Nic) -> None:
        """Make what the kind needs on the host: a tap device, an alias; nothing for veth, which the engine makes."""
        ...

    def detach(self, nic: Nic) -> None:
        """Take it away again; no error if it is gone."""
        ...

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the host's side is there."""
        ...
