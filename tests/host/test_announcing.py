"""What neighbours are told of a card's addresses, heard at another port of a real bridge and believed by a real kernel."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Network

import msgspec
import pytest
from tests import netns

from wirt.host import links
from wirt.model.card import Card
from wirt.model.resources import Nic, NicKind
from wirt.network.bridge import BridgeNetwork
from wirt.network.routed import RoutedNetwork

FIRST, SECOND, SIXTH = "10.127.240.9", "10.127.240.10", "fd12:3456::9"
ADDRESSES = (FIRST, SECOND, SIXTH)
NEIGHBOUR, INSIDE = "neighbour", "inside"
ALL_FRAMES = 0x0003


@pytest.fixture
def nic(root_user: None) -> Iterator[Nic]:
    """Give a guest's card with several addresses; ``neighbour`` is at another port of its bridge, and has met them elsewhere."""
    with netns.own_network():
        network = BridgeNetwork("qxzq", IPv4Network("10.127.240.0/20"))
        network.ensure_up()
        card = Card(mac=network.mac("0000aa"), addresses=(FIRST, SECOND))
        made = network.nic("0000aa", card, NicKind.VETH)
        for command in (
            f"ip link add port type veth peer {NEIGHBOUR}",
            f"ip link set port master {made.bridge} up",
            f"ip link set {NEIGHBOUR} up",
            f"ip link add {made.interface} type veth peer {INSIDE}",
            f"ip link set {made.interface} master {made.bridge} up",
            f"ip link set {INSIDE} up",
            f"ip address add 10.127.240.5/20 dev {NEIGHBOUR}",
            f"ip address add fd12:3456::5/64 dev {NEIGHBOUR} nodad",
            *(
                f"ip neighbour replace {one} lladdr 02:00:00:00:00:99 dev {NEIGHBOUR} nud stale"
                for one in ADDRESSES
            ),
        ):
            subprocess.run(command.split(), check=True)
        yield msgspec.structs.replace(made, further=(f"{SECOND}/20", f"{SIXTH}/64"))


def believed() -> dict[str, str]:
    """Return the MAC that the neighbour's kernel knows of each address."""
    said = subprocess.run(
        ["ip", "neighbour", "show", "dev", NEIGHBOUR], capture_output=True, text=True, check=True
    ).stdout
    words = [line.split() for line in said.splitlines()]
    return {one[0]: one[one.index("lladdr") + 1] for one in words if "lladdr" in one}


def opened(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES))
    made.bind((interface, ALL_FRAMES))
    made.settimeout(0.2)
    return made


def heard_of(nic: Nic, listening: socket.socket) -> list[bytes]:
    """Return all that has been heard of a card."""
    heard = []
    with suppress(TimeoutError):
        while True:
            heard.append(listening.recv(200))
    mac = bytes.fromhex(nic.mac.replace(":", ""))
    return [one for one in heard if one[6:12] == mac]


def test_every_address_of_a_card_is_told_and_believed(nic: Nic) -> None:
    network = BridgeNetwork("qxzq", IPv4Network("10.127.240.0/20"))
    with closing(opened(NEIGHBOUR)) as outside, closing(opened(INSIDE)) as inside:
        network.announce(nic)
        told, itself = heard_of(nic, outside), heard_of(nic, inside)
    deadline = time.monotonic() + 5
    while set(map(believed().get, ADDRESSES)) != {nic.mac} and time.monotonic() < deadline:
        time.sleep(0.01)

    assert itself == []
    assert {one: believed()[one] for one in ADDRESSES} == dict.fromkeys(ADDRESSES, nic.mac)
    for address in (FIRST, SECOND):
        carried = socket.inet_aton(address)
        gratuitous = [one for one in told if one[28:32] == one[38:42] == carried]
        assert {(one[:6], one[12:14]) for one in gratuitous} == {(b"\xff" * 6, b"\x08\x06")}
        assert len(gratuitous) == 3
    target = socket.inet_pton(socket.AF_INET6, SIXTH)
    unsolicited = [one for one in told if one[62:78] == target]
    # To all nodes (RFC 2464), hop limit 255, a neighbour advertisement that overrides, asked for by nobody.
    assert {(one[:6], one[12:14], one[21], one[54], one[58]) for one in unsolicited} == {
        (b"\x33\x33\x00\x00\x00\x01", b"\x86\xdd", 255, 136, 0x20)
    }
    assert len(unsolicited) == 3


def test_addresses_that_the_node_answers_for_are_told_outside_as_its_own(nic: Nic) -> None:
    home = BridgeNetwork("qxzq", IPv4Network("10.127.240.0/20"))
    routed = RoutedNetwork("qxzq", IPv4Network("10.127.240.0/20"), home)
    proxied = ("203.0.113.7", "fd12:9::7")
    with netns.outside() as outside:
        subprocess.run(["ip", "address", "add", "fd12:9::1/64", "dev", "eth0", "nodad"], check=True)
        subprocess.run(["ip", "route", "add", "default", "via", "fd12:9::2"], check=True)
        outside.run(*["ip", "address", "add", "fd12:9::2/64", "dev", "eth0", "nodad"])
        for one in proxied:
            stale = f"ip neighbour replace {one} lladdr 02:00:00:00:00:99 dev eth0 nud stale"
            outside.run(*stale.split())
        routed.announce(msgspec.structs.replace(nic, proxied=proxied))
        uplink = links.mac_of("eth0")
        deadline = time.monotonic() + 5
        met = ""
        while met.count(uplink) < 2 and time.monotonic() < deadline:
            met = outside.run("ip", "neighbour", "show", "dev", "eth0").stdout
            time.sleep(0.01)

    for one in proxied:
        assert f"{one} lladdr {uplink} " in met
