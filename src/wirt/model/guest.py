"""A guest: the thing that runs, as data."""

import msgspec

from wirt.model.card import FIRST, Card, CardKind
from wirt.model.disk import Disk
from wirt.model.forward import Forward
from wirt.model.kernelboot import KernelBoot
from wirt.model.lifecycle import State
from wirt.model.limits import Limits
from wirt.model.naming import Naming
from wirt.model.privileges import Privileges
from wirt.model.rates import Rates
from wirt.model.route import Route
from wirt.model.snapshot import Snapshot


class Handle(msgspec.Struct, frozen=True, kw_only=True):
    """What an approach gives back for a started guest.

    ``pid`` and ``started`` (the kernel's start time of that process, clock ticks since boot) together name a process
    for as long as the node is up; a pid alone may have been reused.
    """

    pid: int | None = None
    started: int | None = None


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """Definition and state of one guest."""

    id: str
    name: str
    approach: str
    template: str
    """Name of what its root was made from; empty: its disk came from elsewhere, or began empty."""
    template_sha256: str
    pool: str
    limits: Limits
    address: str
    """The first of its first card."""
    mac: str
    """Of its first card."""
    state: State = State.STOPPED
    handle: Handle | None = None
    created: float
    """Unix time, seconds."""
    boot: str | None = None
    """Kernel boot id of the node when the guest was started: after a reboot nothing runs."""
    ended: str | None = None
    """What went wrong when it was last up and ended by itself; None: nothing, or nobody knows."""
    suspended: str | None = None
    """Name of the checkpoint that it was ended with, and goes on from; None: it was not, or has been started or gone back since."""
    is_adjusted: bool = False
    """Its limits were changed while it runs; its engine knows those of its start, and begins with them if it reboots."""
    snapshots: tuple[Snapshot, ...] = ()
    """In the order they were made."""
    rates: Rates = Rates()
    """Of its first card."""
    naming: Naming = Naming()
    forwards: tuple[Forward, ...] = ()
    """Ports of the node that lead to it while it runs."""
    disks: tuple[Disk, ...] = ()
    """Further ones beside the one that its root is on."""
    addresses: tuple[str, ...] = ()
    """What its first card has beside ``address`` and the IPv6 address that follows from it: IPv4 and IPv6, without prefix."""
    mtu: int | None = None
    """Of its first card, bytes; None: as the home's bridge has it."""
    routes: tuple[Route, ...] = ()
    """Of its first card."""
    cards: tuple[Card, ...] = ()
    """Beside its first."""
    card_name: str = FIRST
    """What its first card is called inside, where its kernel has no name of its own for it."""
    is_routed: bool = False
    """Its first card meets the node alone, which has a route to each of its addresses."""
    is_proxied: bool = False
    """The node answers for those addresses on its other networks."""
    is_unaddressed: bool = False
    """Its first card, a routed one, has none of its addresses, as a container of OpenVZ may have none: ``address`` is kept for it."""
    boot_order: int | None = None
    """Place among the guests that are started with the node, the lowest first; None: it is not."""
    kernel_boot: KernelBoot | None = None
    """The kernel that it is booted with; None: its template's or its engine's."""
    has_screen: bool = False
    """Its machine has a graphics card, whose picture is served by VNC."""
    ids: int | None = None
    """Number of its range of the node's ids (``model.ids``); None: it was made when all had the same."""
    number: int | None = None
    """A number that it is found by besides its name, as OpenVZ's CTID is; None: it was given none."""
    over_soft_since: float | None = None
    """Unix time, seconds, when it was first seen to hold more of its disk than its soft limit; None: it does not."""
    over_inodes_since: float | None = None
    """The same of its inodes."""
    privileges: Privileges = Privileges()
    """From its next start on."""
    lives_with: str | None = None
    """Name of the lock that the command it was made for holds; it is destroyed once nobody does. None: it stays."""

    @property
    def has_template(self) -> bool:
        """Return whether its root rests on a template; else its machine has a disk of its own, which Wirt knows nothing of."""
        return bool(self.template)

    @property
    def card(self) -> Card:
        """Return its first card."""
        return Card(
            name=self.card_name,
            kind=CardKind.ROUTED if self.is_routed else CardKind.BRIDGED,
            mac=self.mac,
            addresses=() if self.is_unaddressed else (self.address, *self.addresses),
            mtu=self.mtu,
            is_proxied=self.is_proxied,
            rates=self.rates,
            routes=self.routes,
        )

    @property
    def all_cards(self) -> tuple[Card, ...]:
        """Return its cards, the first one first."""
        return (self.card, *self.cards)

    @property
    def held_addresses(self) -> tuple[str, ...]:
        """Return every address that no other guest may have."""
        further = (one for card in self.cards if not card.is_device for one in card.addresses)
        return (self.address, *self.addresses, *further)

    @property
    def met_at(self) -> str:
        """Return the address that it is met at, or that it has none, for who is told."""
        return "no address" if self.is_unaddressed else self.address
