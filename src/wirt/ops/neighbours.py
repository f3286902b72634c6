"""Whether somebody on the node's networks has an address that a guest is to have."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address

from wirt.host import arp, links
from wirt.model.names import BRIDGES

_SECONDS = 0.3


def find_holders(addresses: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each IPv4 address that somebody has, its MAC there, and the interface of the node that it is beyond.

    Only where the node takes an address for a neighbour's is anybody asked.
    """
    for one in addresses:
        for name, network in links.find_routes() if ":" not in one else []:
            if name.startswith(BRIDGES) or IPv4Address(one) not in network:
                continue
            # What knows no ARP, such as a tunnel, has nobody to be asked.
            with suppress(OSError):
                holder = arp.find_holder(name, one, _SECONDS)
                if holder is not None:
                    yield one, holder, name
