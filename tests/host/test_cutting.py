"""A card that is cut off while its guest stands still, on a real bridge, and what was sent to it meanwhile."""

import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest
from tests.leaks import snapshot_world
from tests.netns import enter_network, other_network

from wirt.errors import Failed
from wirt.model.card import Card
from wirt.model.resources import Nic, NicKind
from wirt.network.bridge import BridgeNetwork

SUBNET = IPv4Network("10.127.240.0/20")
PORT = 7777
SILENCE = 0.2
"""Seconds after which nothing comes any more from this machine."""


class Line:
    """Somebody with a card on a bridge, and the node."""

    def __init__(self, network: BridgeNetwork, nic: Nic, guest: str) -> None:
        self.network = network
        self.nic = nic
        self.guest = opened_in(guest, nic.address)
        self.node = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.node.bind((str(nic.gateway), 0))
        for one in (self.guest, self.node):
            one.settimeout(SILENCE)

    def send(self, said: bytes) -> None:
        self.node.sendto(said, (self.nic.address, PORT))

    def heard(self) -> bytes | None:
        """Return what the guest hears next."""
        try:
            return self.guest.recv(1 << 16)
        except TimeoutError:
            return None

    def answered(self, said: bytes) -> bytes:
        """Return what the node hears when the guest says something."""
        self.guest.sendto(said, self.node.getsockname())
        return self.node.recv(1 << 16)


def opened_in(network: str, address: str) -> socket.socket:
    """Return a socket of another network."""
    found: list[socket.socket] = []

    def make() -> None:
        enter_network(network)
        found.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        found[0].bind((address, PORT))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def line(root_user: None) -> Iterator[Line]:
    tag = "".join(secrets.choice("qxz") for _ in range(4))
    before = snapshot_world(tag)
    network = BridgeNetwork(tag, SUBNET)
    card = Card(mac=network.mac("0000aa"), addresses=("10.127.240.9",))
    nic = network.nic("0000aa", card, NicKind.VETH)
    with other_network() as guest:
        enter = ["nsenter", f"--net={guest}", "ip"]
        network.ensure_up()
        network.attach(nic, list)
        for command in (
            f"ip link add {nic.interface} type veth peer name eth0 netns {guest.split('/')[2]}".split(),
            ["ip", "link", "set", nic.interface, "master", network.bridge, "up"],
            [*enter, "link", "set", "eth0", "address", nic.mac, "up"],
            [*enter, "address", "add", f"{nic.address}/{nic.prefix}", "dev", "eth0"],
        ):
            subprocess.run(command, check=True)
        made = Line(network, nic, guest)
        try:
            yield made
        finally:
            made.guest.close()
            made.node.close()
            network.detach(nic)
            network.remove()
    assert snapshot_world(tag).difference(before) == []


def test_card_that_is_cut_off_hears_nothing_and_is_heard(line: Line) -> None:
    line.send(b"before")
    heard = line.heard()
    line.network.cut(line.nic, list)
    line.send(b"meanwhile")

    assert heard == b"before"
    assert line.heard() is None
    assert line.answered(b"still here") == b"still here"


def test_card_is_cut_off_where_the_filter_has_no_place_for_it(line: Line) -> None:
    table = line.network.bridge
    old = f"delete table bridge {table}; table bridge {table} {{ set ports {{ type ifname . ether_addr; }}; }}"
    line.send(b"before")
    first = line.heard()
    subprocess.run(["nft", old], check=True)
    line.network.cut(line.nic, list)
    line.send(b"meanwhile")
    heard = line.heard()
    line.network.join(line.nic)
    line.send(b"after")

    assert (first, heard) == (b"before", None)
    assert line.answered(b"still here") == b"still here"
    assert line.heard() == b"after"


def test_what_was_sent_meanwhile_is_delivered_once_and_in_its_order(line: Line) -> None:
    line.send(b"before")
    heard = [line.heard()]
    arrivals = line.network.collect(line.nic)
    assert arrivals is not None
    line.send(b"too early")
    heard.append(line.heard())
    line.network.cut(line.nic, list)
    arrivals.forget()
    # The second is larger than a packet.
    sent = [b"one", b"2" * 4000, b"three"]
    for one in sent:
        line.send(one)
    line.network.join(line.nic)

    assert arrivals.deliver() == 5  # the large one in three
    assert heard == [b"before", b"too early"]
    assert [line.heard() for _ in sent] == sent
    assert line.heard() is None
    line.send(b"after")
    assert line.heard() == b"after"


def test_nobody_collects_for_a_bridge_that_is_not_there(line: Line) -> None:
    gone = BridgeNetwork("wxyz", SUBNET)

    with pytest.raises(Failed, match=f"cannot keep what comes for {line.nic.address} on wirt-wxyz"):
        gone.collect(line.nic)
