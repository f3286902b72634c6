"""The ports of the network: how a guest is joined to the node and the other guests, and how they meet the outside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from wirt.model.capability import Capability
from wirt.model.card import Card
from wirt.model.forward import Forward
from wirt.model.presence import Presence
from wirt.model.rates import Rates
from wirt.model.resources import Nic, NicKind


class Watch(Protocol):
    """Asks a guest's kernel for a sign of life, every two milliseconds, until it is closed."""

    first: float | None
    """When the first answer came, by the monotonic clock, seconds; None: there was none."""
    last: float | None
    """The same of the last."""

    def close(self) -> None:
        """Ask no more."""
        ...


class Arrivals(Protocol):
    """Frames that came for a card which is cut off."""

    def forget(self) -> None:
        """Drop what has come so far."""
        ...

    def deliver(self) -> int:
        """Send them to wherever the card is now, take no more, and return how many there were."""
        ...


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

    def mac(self, guest_id: str, card: int = 0) -> str:
        """Return the MAC of a guest's card with this number."""
        ...

    def choose_private(self, wanted: str | None, taken: Sequence[str]) -> str:
        """Return the subnet of a private network: the one that is asked for, or one that nobody here has.

        Raises:
            InvalidInput: it is none, or overlaps one in ``taken``, this network's or one that the node has a route to.
        """
        ...

    def check_further(self, text: str) -> str:
        """Return an address as it is written normally, if a guest may have it beside its first.

        Raises:
            InvalidInput: it is no address, or none of this network's, or somebody's by another of his.
            Unsupported: it is an IPv6 address, and this node has none.
        """
        ...

    def nic(self, guest_id: str, card: Card, kind: NicKind, *, ipv6: bool = True) -> Nic:
        """Return the card of a guest as it is on this node; changes nothing.

        Args:
            guest_id: whose it is.
            card: as it is kept.
            kind: how it is joined to the bridge.
            ipv6: whether the guest's kernel has IPv6.
        """
        ...

    def readdress(self, before: Nic, after: Nic) -> None:
        """Have a card that is there be let through with other addresses, and no longer with those of before."""
        ...

    def attach(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let the card through the filter and make what the kind needs on the host: a tap device, an alias; not veth.

        Args:
            nic: the card.
            others: those of the guests that run, asked for if the filter has to be made anew.

        Raises:
            Failed: there is no bridge, or the kernel refused.
        """
        ...

    def closing(self, nic: Nic) -> AbstractContextManager[None]:
        """Stop letting the card through while the block ends its guest, for which that need not wait.

        What it could not close, and a card that was opened meanwhile, ``detach`` closes.
        """
        ...

    def cut(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Let nothing come to a guest by its card until ``join``; what it sends goes out.

        Args:
            nic: the card.
            others: returns the other cards that are let through, asked if the filter has to be made anew.

        Raises:
            Failed: the card is not there.
        """
        ...

    def silence(self, nic: Nic) -> None:
        """Let nothing come from a guest that is cut off and stands still, until ``join``: its kernel would send again."""
        ...

    def collect(self, nic: Nic) -> Arrivals | None:
        """Begin to keep what is sent to a card; None: nobody can."""
        ...

    def join(self, nic: Nic) -> None:
        """Undo ``cut``; no error if the card is gone, or was not cut off."""
        ...

    def detach(self, nic: Nic) -> None:
        """Take it away again and let nothing of it through; no error if it is gone."""
        ...

    def announce(self, nic: Nic) -> None:
        """Tell the neighbours of a card that is there, and the switches between, where it is now."""
        ...

    def watch(self, nic: Nic) -> Watch | None:
        """Begin to watch a card from the bridge; None: it cannot be told from the node's own."""
        ...

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether the host's side is there; partial if it is only let through."""
        ...


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand between a home's bridge and the node's other networks."""

    bridge: str
    subnet: str
    range6: str | None
    """Where IPv6 addresses are from; None: the node has no IPv6."""
    is_up: bool
    """Whether the bridge is there."""
    switched: list[str]
    """Interfaces of the node on which forwarding was off and had to be switched on."""


class Gateway(Protocol):
    """What leads out of the home's bridge and into it; without it nothing does."""

    def look(self) -> Reach:
        """Return how things stand."""
        ...

    def probe(self) -> Presence:
        """Ask the kernel whether anything leads out or in."""
        ...

    def open(
        self,
        forwards: Mapping[str, Sequence[Forward]],
        *,
        outbound: bool,
        proxied: Sequence[str] = (),
    ) -> None:
        """Lead ports to guests, beside those that lead there already, and let all guests out or none.

        Without a bridge there is nothing to do. Guests with routed cards and others reach each other from then on.

        Args:
            forwards: a guest's address -> what leads there.
            outbound: whether guests reach outside.
            proxied: addresses of routed cards that are met outside under them.
        """
        ...

    def withdraw(
        self,
        forwards: Mapping[str, Sequence[Forward]],
        *,
        outbound: bool,
        proxied: Sequence[str] = (),
    ) -> None:
        """Lead these ports nowhere; close altogether if no other leads anywhere and no guest reaches outside."""
        ...

    def close(self, *, for_good: bool = False) -> None:
        """Let nothing out or in, as if nobody had ever opened; no error if it is closed.

        Args:
            for_good: True if there is no guest left, whose routed card would need a way to the others.
        """
        ...

    def check_free(self, forward: Forward) -> None:
        """Check that nobody else on the node has these ports.

        Raises:
            Conflict: somebody has; says which port.
        """
        ...


class Shaper(Protocol):
    """How fast cards send and are sent to."""

    def probe_capability(self, nic: Nic) -> Capability:
        """Ask whether this card can be held to rates."""
        ...

    def shape(self, nic: Nic, rates: Rates) -> None:
        """Hold a card that is there to these rates, and to no others.

        Raises:
            Failed: the kernel refused; some may have been changed.
        """
        ...

    def script(self, nic: Nic, rates: Rates) -> str:
        """Return what the node's shell has to do to hold a card that has been made anew to these rates."""
        ...

    def release(self, nic: Nic) -> None:
        """Leave nothing that would not go with the card; no error if there is nothing."""
        ...

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether there is something that would not go with the card."""
        ...
