"""Where the home's bridge meets the node's other networks: address translation and forwarding, made when asked for.

Forwarding is switched on by interface: for the bridge, and for those that the node's routes lead to. The switch for all of
them at once would change more than that: other interfaces, and whether the node listens to redirects.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network

from wirt.errors import Conflict
from wirt.host import links, nft, sockets
from wirt.model.forward import Forward
from wirt.model.names import BRIDGES, bridge_name, routed_bridge_name
from wirt.model.presence import Presence
from wirt.network import addresses, nat, uplinks
from wirt.network.base import Reach
from wirt.network.filter import build_confinement


class NftGateway:
    """Translation and forwarding by the node's kernel."""

    def __init__(self, tag: str, subnet: IPv4Network) -> None:
        """Describe what leads out of the bridge of the home ``tag``; nothing is made yet."""
        self._tag = tag
        self._bridge = bridge_name(tag)
        self._routed = routed_bridge_name(tag)
        self._subnet = subnet
        self._range6 = addresses.range_of(subnet)

    def look(self) -> Reach:
        """Return how things stand."""
        return Reach(
            bridge=self._bridge,
            subnet=str(self._subnet),
            range6=str(self._range6) if links.has_ipv6() else None,
            is_up=links.is_up(self._bridge),
            switched=self._switched(),
        )

    def probe(self) -> Presence:
        """Ask the kernel whether anything leads out or in; partial if somebody flushed its rules."""
        if self._has_tables():
            return Presence.PRESENT
        is_routed = links.is_up(self._routed)
        left = (links.is_forwarding(self._bridge) and not is_routed) or self._switched()
        return Presence.PARTIAL if left else Presence.ABSENT

    def open(self, forwards: nat.Forwards, *, outbound: bool, proxied: Sequence[str] = ()) -> None:
        """Lead ports to guests, and let all guests out or none; without a bridge there is nothing to do.

        The bridges forward last: a crash before leaves guests closed in.
        """
        if not links.is_up(self._bridge):
            return
        if outbound or proxied or any(forwards.values()):
            uplinks.switch_on(self._tag, answering=any(":" in one for one in proxied))
        self._write(forwards, outbound=outbound, proxied=proxied)

    def _write(
        self, forwards: nat.Forwards, *, outbound: bool = False, proxied: Sequence[str] = ()
    ) -> None:
        """Make the tables, all at once, and have the bridges forward."""
        tables = [
            nat.build_table(
                family,
                self._bridge,
                self._range6 if family == "ip6" else self._subnet,
                outbound=outbound,
                switched=uplinks.switched(self._tag, ipv6=family == "ip6"),
                proxied=proxied,
            )
            for family in self._families()
        ]
        nft.apply("".join(tables) + nat.build_opening(self._bridge, self._known(forwards)))
        for bridge in (self._bridge, self._routed):
            links.set_forwarding(bridge, on=True)
            links.forward_ipv6(bridge)

    def withdraw(
        self, forwards: nat.Forwards, *, outbound: bool, proxied: Sequence[str] = ()
    ) -> None:
        """Lead these ports nowhere, and close altogether if nothing else is to be led in or out."""
        if not self._has_tables():
            left = False
        else:
            if any(forwards.values()):
                nft.apply(nat.build_withdrawal(self._bridge, self._known(forwards)))
            left = any(
                nft.find_elements(family).get((self._bridge, name))
                for family in self._families()
                for name in (nat.OF_ALL, nat.OF_ONE)
            )
        if not outbound and not left and not proxied:
            self.close()

    def close(self, *, for_good: bool = False) -> None:
        """Let nothing out or in and switch off the forwarding that was switched on; no error if it is closed."""
        if links.is_up(self._routed) and not for_good:
            uplinks.switch_off(self._tag)
            self._write({})
            return
        for bridge in (self._bridge, self._routed):
            links.set_forwarding(bridge, on=False)
        uplinks.switch_off(self._tag)
        if self._has_tables():
            closed = nat.build_removal(self._bridge)
            if "ip6" in self._families():
                # Without the old table, its chains would have the node track connections.
                closed += nat.build_removal(self._bridge, "ip6") + build_confinement(self._bridge)
            nft.apply(closed)

    def _families(self) -> Sequence[str]:
        return nat.FAMILIES if links.knows_ipv6() else ("ip",)

    def _known(self, forwards: nat.Forwards) -> nat.Forwards:
        """Return what leads to guests, without addresses of a kind that the node's kernel has not."""
        if links.knows_ipv6():
            return forwards
        return {guest: its for guest, its in forwards.items() if ":" not in guest}

    def _has_tables(self) -> bool:
        """Return whether anything leads out or in: that of IPv4 comes and goes together with that of IPv6."""
        return nft.has_table("ip", self._bridge)

    def _switched(self) -> list[str]:
        both = (uplinks.switched(self._tag, ipv6=ipv6) for ipv6 in (False, True))
        return sorted({name for names in both for name in names})

    def check_free(self, forward: Forward) -> None:
        """Check that nobody on the node has these ports: a program that listens, or a guest of another home.

        Raises:
            Conflict: somebody has; says which port.
        """
        for address, port in sockets.find_listening(forward.protocol):
            if _meets(forward, address, port):
                raise Conflict(
                    f"port {port} of this node is in use: a program listens there "
                    f"({forward.protocol})",
                    hint="choose another",
                )
        family = "ip6" if forward.address and ":" in forward.address else "ip"
        for (table, name), elements in nft.find_elements(family).items():
            if not table.startswith(BRIDGES) or table == self._bridge:
                continue
            for element in elements if name in (nat.OF_ALL, nat.OF_ONE) else []:
                *of, protocol, port = element[0]["concat"]
                if protocol == forward.protocol and _meets(forward, of[0] if of else None, port):
                    raise Conflict(
                        f"port {port} of this node is forwarded to a guest of another home",
                        hint="choose another",
                    )


def _meets(forward: Forward, address: str | None, port: int) -> bool:
    return forward.port <= port < forward.port + forward.count and (
        address is None or forward.address in (None, address)
    )
