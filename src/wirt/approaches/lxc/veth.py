"""What ``ip`` is told to give a container a card: a pair of veth, one end of it on the node's bridge."""

from wirt.approaches import addressing
from wirt.model.resources import Nic


def make(nic: Nic, init: str) -> list[str]:
    """Return what makes both ends, from the node; its own is on no bridge and not up yet.

    Args:
        nic: the card.
        init: a process in the container's network, or the shell's name for its id.
    """
    own = f" address {nic.node_mac}" if nic.node_mac else ""
    return [
        f"link add {nic.interface}{own} type veth peer name {nic.name} address {nic.mac} netns {init}",
        *addressing.set_mtu(nic.interface, nic),
    ]


def name_too(nic: Nic) -> list[str]:
    """Return what gives the node's end its other name, if it has one. Rules of the packet filter ask for its own."""
    named = f"link property add dev {nic.interface} altname {nic.node_name}"
    return [named] if nic.node_name else []


def identify(nic: Nic) -> list[str]:
    """Return what makes of a pair that somebody else has made what ``make`` makes of one."""
    own = f"link set {nic.interface} address {nic.node_mac}"
    return [*([own] if nic.node_mac else []), *name_too(nic)]


def join(nic: Nic) -> str:
    """Return what gives the node's end to the bridge."""
    return f"link set {nic.interface} master {nic.bridge}"


def routes(nic: Nic, act: str) -> list[str]:
    """Return what leads to elsewhere through a card, inside."""
    if nic.table is not None:
        # The gateway means the node on each routed card, so the main table cannot say which.
        ways = [f"route {act} default via {nic.gateway} dev {nic.name} onlink table {nic.table}"]
        if nic.gateway6:
            ways.append(f"route {act} default via {nic.gateway6} dev {nic.name} table {nic.table}")
        return ways
    if nic.is_routed and nic.gateway is not None:
        # It is on none of the card's networks. LXC leads there in the same way.
        return [
            f"route {act} {nic.gateway} dev {nic.name} scope link",
            f"route {act} default via {nic.gateway} dev {nic.name}",
            *([f"route {act} default via {nic.gateway6} dev {nic.name}"] if nic.gateway6 else []),
        ]
    gateways = [gateway for gateway in (nic.gateway, nic.gateway6) if gateway is not None]
    return [f"route {act} default via {gateway}" for gateway in gateways]


def static(nic: Nic, act: str) -> list[str]:
    """Return what leads to networks that others know the way to, inside."""
    return [f"route {act} {route.to} via {route.via} dev {nic.name}" for route in nic.routes]


def rules(act: str, nic: Nic, *, ipv6: bool) -> list[str]:
    """Return what has the card's addresses of a family sent from by its own table, or no longer, inside; neither can be done again.

    Only with ``-6`` does ``ip`` take those of IPv6.
    """
    if nic.table is None:
        return []
    bare = [one.partition("/")[0] for one in nic.addresses]
    return [f"rule {act} from {one} lookup {nic.table}" for one in bare if (":" in one) == ipv6]
