"""A network without interfaces, for tests and for trying things out.

The bridge and every card are files below one directory, there for the next process when one is killed. It fails when
it is told to, before it has done anything.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

from wirt.errors import Conflict, Failed
from wirt.host import files
from wirt.model.capability import Capability, no, yes
from wirt.model.card import Card
from wirt.model.forward import Forward
from wirt.model.names import bridge_name, interface_name, routed_bridge_name
from wirt.model.presence import Presence, present_if
from wirt.model.rates import Rates
from wirt.model.resources import Nic, NicKind
from wirt.network import addresses
from wirt.network.base import Reach


class FakeNetwork:
    """Interfaces that are files.

    Args:
        directory: what plays the kernel.
        tag: the home's.
        subnet: where the guests' addresses are from.
        private: number of the private network that it is; 0: it is the home's own.
        is_routed: whether it is that of routed cards.
        fail_at: number of the call (the first is 1) to ``ensure_up``, ``attach``, ``detach`` or ``remove`` that fails.
    """

    def __init__(
        self,
        directory: str,
        tag: str,
        subnet: IPv4Network,
        *,
        private: int = 0,
        is_routed: bool = False,
        fail_at: int | None = None,
    ) -> None:
        self._directory = directory
        self._tag = tag
        self._subnet = subnet
        self._fail_at = fail_at
        self.bridge = routed_bridge_name(tag) if is_routed else bridge_name(tag, private)
        self._is_routed = is_routed
        self._private = bool(private)
        self.calls: list[str] = []
        """The names of the calls so far that change something."""

    def probe_capability(self) -> Capability:
        """Say yes."""
        return yes("fake", f"guests get addresses of {self._subnet}")

    def ensure_up(self) -> None:
        """Make the bridge's file, and that of the home's bridge, which every other needs."""
        self._count("ensure_up")
        os.makedirs(self._directory, exist_ok=True)
        bridges = {bridge_name(self._tag), self.bridge} if self._is_routed else {self.bridge}
        for bridge in bridges:
            files.write(self._path(bridge), "")

    def remove(self) -> None:
        """Delete the bridge's file; no error if it is gone."""
        self._count("remove")
        Path(self._path(self.bridge)).unlink(missing_ok=True)

    def choose_address(self, wanted: str | None, taken: set[str], guest_id: str) -> str:
        """Return the address that is asked for, or the one that the guest's id stands for."""
        if wanted is None:
            return addresses.free_address(self._subnet, taken, guest_id)
        if self._is_routed and ":" not in wanted:
            return self.check_further(wanted)
        return addresses.check_address(wanted, self._subnet)

    def mac(self, guest_id: str, card: int = 0) -> str:
        """Return the MAC of a guest's card with this number."""
        return addresses.mac_of(self._tag, guest_id, card)

    def choose_private(self, wanted: str | None, taken: Sequence[str]) -> str:
        """Return the subnet that is asked for, or one that nobody here has."""
        others = [self._subnet, *map(IPv4Network, taken)]
        if wanted is None:
            return str(addresses.choose_subnet(self._tag, others))
        return str(addresses.check_subnet(wanted, others))

    def check_further(self, text: str) -> str:
        """Return an address as it is written normally, if a guest may have it beside its first."""
        check = addresses.check_routed if self._is_routed else addresses.check_further
        return check(text, self._subnet, addresses.range_of(self._subnet))

    def nic(self, guest_id: str, card: Card, kind: NicKind, *, ipv6: bool = True) -> Nic:
        """Return the card of a guest as a value."""
        alias = kind is NicKind.ALIAS
        interface = self.bridge if alias else interface_name(self._tag, guest_id, card.number)
        subnet, range6 = self._subnet, addresses.range_of(self._subnet) if ipv6 else None
        return addresses.nic_of(
            card,
            kind,
            interface=interface,
            bridge=self.bridge,
            subnet=subnet,
            range6=range6,
            is_private=self._private,
            is_routed=self._is_routed,
        )

    def attach(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Make the card's file; for veth it says that the card, which the engine would make, is let through."""
        self._count("attach")
        if not os.path.exists(self._path(self.bridge)):
            raise Failed(f"there is no bridge {self.bridge}")
        files.write(self._card(nic), " ".join(nic.addresses))

    def readdress(self, before: Nic, after: Nic) -> None:
        """Write what it has now into the card's file."""
        self._count("readdress")
        files.write(self._card(before), " ".join(after.addresses))

    @contextmanager
    def closing(self, nic: Nic) -> Iterator[None]:
        """Stop letting the card through: of a veth no more than that was made here."""
        if nic.kind is NicKind.VETH:
            Path(self._card(nic)).unlink(missing_ok=True)
        yield

    def cut(self, nic: Nic, others: Callable[[], Iterable[Nic]]) -> None:
        """Write down that nothing comes in."""
        if not os.path.exists(self._card(nic)):
            raise Failed(f"there is no card {nic.interface}")
        files.write(f"{self._card(nic)}-cut", "")

    def silence(self, nic: Nic) -> None:
        """Have nothing to silence: nothing is sent."""

    def collect(self, nic: Nic) -> None:
        """Keep nothing: nothing is sent."""

    def join(self, nic: Nic) -> None:
        """Strike that."""
        Path(f"{self._card(nic)}-cut").unlink(missing_ok=True)

    def detach(self, nic: Nic) -> None:
        """Delete the card's file; no error if it is gone."""
        self._count("detach")
        Path(self._card(nic)).unlink(missing_ok=True)
        self.join(nic)

    def announce(self, nic: Nic) -> None:
        """Have nobody to tell."""
        self.calls.append("announce")

    def watch(self, nic: Nic) -> None:
        """See nothing."""

    def probe(self, nic: Nic) -> Presence:
        """Look for the card's file."""
        if not os.path.exists(self._card(nic)):
            return Presence.ABSENT
        return Presence.PARTIAL if nic.kind is NicKind.VETH else Presence.PRESENT

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _card(self, nic: Nic) -> str:
        own = nic.address if nic.kind is NicKind.ALIAS else nic.interface
        return self._path(f"{self.bridge}-{own}")

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


class FakeGateway:
    """Forwards that are files beside those of the network: one that says whether guests get out, one for each port.

    Args:
        directory: what plays the kernel.
        tag: the home's.
        subnet: where the guests' addresses are from.
        fail_at: number of the call (the first is 1) to ``open``, ``withdraw`` or ``close`` that fails.
        taken: ports that programs of the node listen on.
    """

    def __init__(
        self,
        directory: str,
        tag: str,
        subnet: IPv4Network,
        *,
        fail_at: int | None = None,
        taken: Sequence[int] = (),
    ) -> None:
        self._directory = Path(directory)
        self._bridge = bridge_name(tag)
        self._subnet = subnet
        self._fail_at = fail_at
        self._taken = taken
        self._calls = 0

    def look(self) -> Reach:
        """Return how things stand."""
        return Reach(
            bridge=self._bridge,
            subnet=str(self._subnet),
            range6=str(addresses.range_of(self._subnet)),
            is_up=(self._directory / self._bridge).exists(),
            switched=["eth0"] if self._all() else [],
        )

    def probe(self) -> Presence:
        """Look for the files."""
        return present_if(self._all())

    def open(
        self,
        forwards: Mapping[str, Sequence[Forward]],
        *,
        outbound: bool,
        proxied: Sequence[str] = (),
    ) -> None:
        """Write the files."""
        self._count("open")
        if not (self._directory / self._bridge).exists():
            return
        for old in self._directory.glob("gateway-*"):
            old.unlink()
        (self._directory / f"gateway-{'outbound' if outbound else 'closed'}").touch()
        for path in self._paths(forwards):
            path.touch()
        for one in proxied:
            (self._directory / f"gateway-proxied-{one}").touch()

    def withdraw(
        self,
        forwards: Mapping[str, Sequence[Forward]],
        *,
        outbound: bool,
        proxied: Sequence[str] = (),
    ) -> None:
        """Delete the files of these; the other too, if there is no reason for it."""
        self._count("withdraw")
        for path in self._paths(forwards):
            path.unlink(missing_ok=True)
        if not outbound and not proxied and not list(self._directory.glob("forward-*")):
            self._remove_all()

    def close(self, *, for_good: bool = False) -> None:
        """Delete the files."""
        self._count("close")
        self._remove_all()

    def check_free(self, forward: Forward) -> None:
        """Look among those that are said to be taken."""
        for port in self._taken:
            if forward.port <= port < forward.port + forward.count:
                raise Conflict(f"port {port} of this node is in use", hint="choose another")

    def _count(self, call: str) -> None:
        self._calls += 1
        if self._calls == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _all(self) -> list[Path]:
        return [*self._directory.glob("gateway-*"), *self._directory.glob("forward-*")]

    def _remove_all(self) -> None:
        for path in self._all():
            path.unlink()

    def _paths(self, forwards: Mapping[str, Sequence[Forward]]) -> list[Path]:
        return [
            self._directory / f"forward-{str(one).replace('/', '-')}-{guest}"
            for guest, its in forwards.items()
            for one in its
        ]


class FakeShaper:
    """Rates that are a file for each card.

    Args:
        directory: what plays the kernel.
        fail_at: number of the call (the first is 1) to ``shape`` or ``release`` that fails.
    """

    def __init__(self, directory: str, *, fail_at: int | None = None) -> None:
        self._directory = Path(directory)
        self._fail_at = fail_at
        self._calls = 0

    def probe_capability(self, nic: Nic) -> Capability:
        """Say yes to whoever has a card."""
        if nic.kind is NicKind.ALIAS:
            return no("rates", "it has no card of its own", "give it another approach")
        return yes("rates", "as fast as it is said")

    def shape(self, nic: Nic, rates: Rates) -> None:
        """Write the file, whose name says it all."""
        self._count("shape")
        self._remove(nic)
        if rates != Rates():
            (self._directory / f"rates-{nic.interface}-{rates.inward}-{rates.outward}").touch()

    def script(self, nic: Nic, rates: Rates) -> str:
        """Return a line that says it."""
        return f"{nic.interface} {rates.inward} {rates.outward}\n"

    def release(self, nic: Nic) -> None:
        """Delete the file."""
        self._count("release")
        self._remove(nic)

    def probe(self, nic: Nic) -> Presence:
        """Look for the file."""
        return present_if(self._files(nic))

    def _count(self, call: str) -> None:
        self._calls += 1
        if self._calls == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _files(self, nic: Nic) -> list[Path]:
        return list(self._directory.glob(f"rates-{nic.interface}-*"))

    def _remove(self, nic: Nic) -> None:
        for path in self._files(nic):
            path.unlink()
