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


class NftGateway:
    """Translation and forwarding by the node's kernel."""

    def __init__(self, tag: str, subnet: IPv4Network) -> None:
        """Describe what leads out of the bridge of the home ``tag``; nothing is made yet."""
        self._tag = tag
        self._bridge = bridge_name(tag)
        self._routed = routed_bridge_name(tag)
        self._subnet = subnet

    def look(self) -> Reach:
        """Return how things stand."""
        return Reach(
            bridge=self._bridge,
            subnet=str(self._subnet),
            range6=str(addresses.range_of(self._subnet)) if links.has_ipv6() else None,
            is_up=links.is_up(self._bridge),
            switched=uplinks.switched(self._tag),
        )

    def probe(self) -> Presence:
        """Ask the kernel whether anything leads out or in; partial if somebody flushed its rules."""
        if nft.has_table(nat.FAMILY, self._bridge):
            return Presence.PRESENT
        is_routed = links.is_up(self._routed)
        left = (links.is_forwarding(self._bridge) and not is_routed) or uplinks.switched(self._tag)
        return Presence.PARTIAL if left else Presence.ABSENT

    def open(self, forwards: nat.Forwards, *, outbound: bool, proxied: Sequence[str] = ()) -> None:
        """Lead ports to guests, and let all guests out or none; without a bridge there is nothing to do.

        The bridges forward last: a crash before leaves guests closed in.
        """
        if not links.is_up(self._bridge):
            return
        if outbound or proxied or any(forwards.values()):
            uplinks.switch_on(self._tag)
        self._write(forwards, outbound=outbound, proxied=proxied)

    def _write(
        self, forwards: nat.Forwards, *, outbound: bool = False, proxied: Sequence[str] = ()
    ) -> None:
        table = nat.build_table(
            self._bridge,
            self._subnet,
            outbound=outbound,
            switched=uplinks.switched(self._tag),
            proxied=proxied,
        )
        nft.apply(table + nat.build_opening(self._bridge, forwards))
        for bridge in (self._bridge, self._routed):
            links.set_forwarding(bridge, on=True)

    def withdraw(
        self, forwards: nat.Forwards, *, outbound: bool, proxied: Sequence[str] = ()
    ) -> None:
        """Lead these ports nowhere, and close altogether if nothing else is to be led in or out."""
        if not nft.has_table(nat.FAMILY, self._bridge):
            left = False
        else:
            if any(forwards.values()):
                nft.apply(nat.build_withdrawal(self._bridge, forwards))
            held = nft.find_elements(nat.FAMILY)
            left = any(held.get((self._bridge, name)) for name in (nat.OF_ALL, nat.OF_ONE))
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
        if nft.has_table(nat.FAMILY, self._bridge):
            nft.apply(nat.build_removal(self._bridge))

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
        for (table, name), elements in nft.find_elements(nat.FAMILY).items():
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
