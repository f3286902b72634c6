"""A card on a real bridge, in a network of its own, whose guest stands still for its checkpoint or its move."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Network

import pytest
from tests import netns

from wirt.host import arp
from wirt.model.card import Card
from wirt.model.resources import Nic, NicKind
from wirt.network.bridge import BridgeNetwork

ADDRESS, OTHER = "10.127.240.9", "10.127.240.10"
INSIDE, NEIGHBOUR = "inside", "neighbour"
ARP = 0x0806


@pytest.fixture
def network(root_user: None) -> Iterator[BridgeNetwork]:
    with netns.own_network():
        made = BridgeNetwork("qxzq", IPv4Network("10.127.240.0/20"))
        made.ensure_up()
        yield made


@pytest.fixture
def nic(network: BridgeNetwork) -> Nic:
    """Return a guest's card, at whose other end is ``inside``; ``neighbour`` is at another port."""
    made = network.nic(
        "0000aa", Card(mac=network.mac("0000aa"), addresses=(ADDRESS,)), NicKind.VETH
    )
    network.attach(made, list)
    for port, end in ((made.interface, INSIDE), ("port", NEIGHBOUR)):
        for command in (
            f"ip link add {port} type veth peer {end}",
            f"ip link set {port} master {made.bridge} up",
            f"ip link set {end} up",
        ):
            subprocess.run(command.split(), check=True)
    return made


def is_heard(on: str, by: str, nic: Nic) -> bool:
    """Return whether what is said at one end is heard at the other."""
    with closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP))) as listening:
        listening.bind((by, ARP))
        listening.settimeout(0.2)
        mac, address = (nic.mac, ADDRESS) if on == INSIDE else ("02:00:00:00:00:09", OTHER)
        arp.announce([on], mac, [address])
        try:
            return mac.replace(":", "") in listening.recv(64).hex()
        except TimeoutError:
            return False


def test_guest_is_told_nothing_and_then_says_nothing_until_its_card_is_joined_again(
    network: BridgeNetwork, nic: Nic
) -> None:
    def ways() -> tuple[bool, bool]:
        return is_heard(NEIGHBOUR, INSIDE, nic), is_heard(INSIDE, NEIGHBOUR, nic)

    seen = [ways()]
    network.cut(nic, list)
    seen.append(ways())
    network.silence(nic)
    seen.append(ways())
    network.join(nic)
    seen.append(ways())

    assert seen == [(True, True), (False, True), (False, False), (True, True)]
