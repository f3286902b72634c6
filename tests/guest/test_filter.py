"""What a container tries on its neighbours and the node with frames of its own making, and what it can overhear."""

import base64
import json
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest

from wirt.model.card import Card
from wirt.model.guest import Guest

ALL = "ff:ff:ff:ff:ff:ff"
GROUPS = [f"01:80:c2:00:00:{last:02x}" for last in range(16)]
"""What bridges are spoken to by, and do not pass on."""
NOBODY = "02:00:5e:00:53:01"
IPV4, ARP, RARP, IPV6, VLAN, SERVICE_VLAN = 0x0800, 0x0806, 0x8035, 0x86DD, 0x8100, 0x88A8
EVERYTHING = 0x0003
ICMPV6, HOP_BY_HOP = 58, 0
ROUTER, ASKS, ADVERTISES, REDIRECTS = 134, 135, 136, 137
SOURCE, TARGET = 1, 2
"""Whose MAC an option holds."""
END = "the-last-frame"
SECONDS = 20.0


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def frame(to: str, source: str, kind: int, payload: bytes, mark: str) -> bytes:
    """Return a frame with a mark behind what it says, by which it is known again."""
    return mac(to) + mac(source) + struct.pack(">H", kind) + payload + mark.encode().ljust(64, b".")


def ipv4(source: str, target: str) -> bytes:
    """Return the header of a datagram of protocol 253 (for experiments, RFC 3692) with 64 bytes in it."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 84, 0, 0, 64, 253, 0)
    head += IPv4Address(source).packed + IPv4Address(target).packed
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]


def ipv6(source: str, body: bytes = b"", protocol: int = 253, target: str = "ff02::1") -> bytes:
    """Return a packet; without a body, the header of one with 64 bytes in it."""
    head = struct.pack(">IHBB", 6 << 28, len(body) or 64, protocol, 255)
    return head + IPv6Address(source).packed + IPv6Address(target).packed + body


def icmpv6(source: str, kind: int, body: bytes, target: str = "ff02::1") -> bytes:
    """Return an ICMPv6 packet with its checksum (RFC 4443)."""
    pseudo = IPv6Address(source).packed + IPv6Address(target).packed
    pseudo += struct.pack(">II", 4 + len(body), ICMPV6)
    said = pseudo + struct.pack(">BBH", kind, 0, 0) + body
    total = sum(struct.unpack(f">{len(said) // 2}H", said))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return ipv6(source, struct.pack(">BBH", kind, 0, checksum) + body, ICMPV6, target)


def discovery(about: str, *links: str, kind: int = 2) -> bytes:
    """Return the body of a question for a neighbour, or of an advertisement of one (RFC 4861), with MACs as options."""
    flags = 0xE0000000 if kind == TARGET else 0
    options = b"".join(struct.pack(">BB", kind, 1) + mac(link) for link in links)
    return struct.pack(">I", flags) + IPv6Address(about).packed + options


def arp(sender_mac: str, sender: str, target: str, *, reply: bool = False) -> bytes:
    head = struct.pack(">HHBBH", 1, IPV4, 6, 4, 2 if reply else 1)
    asked = IPv4Address(target).packed
    return head + mac(sender_mac) + IPv4Address(sender).packed + mac(ALL) + asked


class Lan:
    """The home's guests and bridge."""

    def __init__(self, home: HomeUnderTest, frames: Path) -> None:
        self.home = home
        for name in ("evil", "victim", "third"):
            home.wirt("create", "-t", TINY, name, status=0)
            home.wirt("start", name, status=0)
            put = "base64 -d > /root/frames && chmod 755 /root/frames"
            program = base64.encodebytes(frames.read_bytes()).decode()
            home.wirt("exec", name, "sh", "-c", put, stdin=program, status=0)
        self.evil, self.victim, self.third = (
            next(guest for guest in home.guests() if guest.name == name)
            for name in ("evil", "victim", "third")
        )
        self.bridge = f"wirt-{home.home.tag}"
        self.node_mac = Path(f"/sys/class/net/{self.bridge}/address").read_text().strip()
        routes = home.wirt("exec", "evil", "ip", "route", status=0).stdout
        self.gateway = routes.partition("default via ")[2].split()[0]
        routes = home.wirt("exec", "evil", "ip", "-6", "route", status=0).stdout
        self.gateway6 = routes.partition("default via ")[2].split()[0]

    def address6(self, guest: Guest) -> str:
        shown = json.loads(self.home.wirt("show", guest.name, "--json", status=0).stdout)
        return str(shown["all_addresses"][1].partition("/")[0])

    def port(self, guest: Guest) -> str:
        return f"w{self.home.home.tag}{guest.id}"

    def send(self, guest: Guest, *frames: bytes, card: str = "eth0") -> None:
        lines = "".join(f"{one.hex()}\n" for one in frames)
        self.home.wirt("exec", guest.name, "/root/frames", card, "send", stdin=lines, status=0)

    def honest(self, guest: Guest, to: str = ALL, mark: str = END) -> bytes:
        return frame(to, guest.mac, IPV4, ipv4(guest.address, self.victim.address), mark)

    def hear(self, guest: Guest, card: str = "eth0") -> "subprocess.Popen[str]":
        """Begin to listen on a guest's card."""
        listener = self.home.spawn("exec", guest.name, "/root/frames", card, "hear", END)
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        return listener

    def where(self, address: str) -> list[str]:
        """Return the ports behind which the bridge believes a MAC to be."""
        said = subprocess.run(
            ["bridge", "fdb", "show", "br", self.bridge], capture_output=True, text=True, check=True
        )
        fields = [line.split() for line in said.stdout.splitlines()]
        return [line[2] for line in fields if line[0] == address and "permanent" not in line]


def heard(listener: "subprocess.Popen[str]") -> list[bytes]:
    """Return all that a listener heard until the last frame."""
    said, errors = listener.communicate(timeout=SECONDS + 10)
    assert listener.returncode == 0, errors
    return [bytes.fromhex(line) for line in said.splitlines()]


@contextmanager
def listening(interface: str, kind: int) -> Iterator[socket.socket]:
    """Listen on one of the node's own interfaces."""
    with closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)) as opened:
        opened.settimeout(SECONDS)
        opened.bind((interface, kind))
        yield opened


def heard_by_node(listener: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    while not found or END.encode() not in found[-1]:
        data, origin = listener.recvfrom(4096)
        if origin[2] != socket.PACKET_OUTGOING:
            found.append(data)
    return found


def marks(frames: list[bytes], *wanted: str) -> list[str]:
    return [mark for one in frames for mark in wanted if mark.encode() in one]


def packets_in(frames: list[bytes], packets: Mapping[str, bytes]) -> list[str]:
    """Return the names of the packets that were heard, in order: on its way a frame may lose what is behind its packet."""
    return [name for one in frames for name, packet in packets.items() if packet in one]


@pytest.fixture(scope="module")
def frames(shared_base: Path) -> Path:
    program = shared_base / "frames"
    source = Path(__file__).with_name("frames.c")
    subprocess.run(
        ["gcc", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-static", "-o", program, source],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def lan(module_home: HomeUnderTest, frames: Path) -> Lan:
    return Lan(module_home, frames)


def link_local(of: str) -> str:
    """Return the address that a card gives itself (RFC 4291)."""
    octets = mac(of)
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + interface))


def forgeries(lan: Lan) -> dict[str, tuple[int, str, bytes]]:
    """Return what a guest may not say: its kind, its source MAC, and the rest."""
    evil, victim, third = lan.evil, lan.victim, lan.third
    own = ipv4(evil.address, victim.address)
    own6, third6 = lan.address6(evil), lan.address6(third)
    local, third_local = link_local(evil.mac), link_local(third.mac)

    def claim(kind: int, *said: Any, source: str = own6, option: int = TARGET) -> bytes:
        return icmpv6(source, kind, discovery(*said, kind=option))

    hidden = struct.pack(">BBHI", ICMPV6, 0, 0x0104, 0)
    hidden += claim(ADVERTISES, own6, evil.mac)[40:]
    return {
        "ipv6-mac-of-a-neighbour": (IPV6, third.mac, ipv6(own6)),
        "ipv6-of-a-neighbour": (IPV6, evil.mac, ipv6(third6)),
        "ipv6-of-the-node": (IPV6, evil.mac, ipv6(lan.gateway6)),
        "ipv6-from-outside": (IPV6, evil.mac, ipv6("2001:db8::1")),
        "ipv6-of-nobody": (IPV6, evil.mac, ipv6("::")),
        "link-local-of-its-own-choice": (IPV6, evil.mac, ipv6("fe80::53:1")),
        "link-local-of-a-neighbour": (IPV6, evil.mac, ipv6(third_local)),
        "advertises-a-router": (IPV6, evil.mac, icmpv6(local, ROUTER, bytes(12))),
        "redirects": (IPV6, evil.mac, icmpv6(local, REDIRECTS, bytes(36))),
        "advertises-a-neighbour": (IPV6, evil.mac, claim(ADVERTISES, third6, evil.mac)),
        "advertises-the-node": (IPV6, evil.mac, claim(ADVERTISES, lan.gateway6, evil.mac)),
        "advertises-a-neighbour-without-mac": (IPV6, evil.mac, claim(ADVERTISES, third6)),
        "advertises-itself-elsewhere": (IPV6, evil.mac, claim(ADVERTISES, own6, third.mac)),
        "advertises-two": (IPV6, evil.mac, claim(ADVERTISES, own6, evil.mac, third.mac)),
        "advertises-behind-an-option": (IPV6, evil.mac, ipv6(own6, hidden, HOP_BY_HOP)),
        "asks-for-a-neighbour": (
            IPV6,
            evil.mac,
            claim(ASKS, third6, evil.mac, source=third6, option=SOURCE),
        ),
        "asks-from-elsewhere": (
            IPV6,
            evil.mac,
            claim(ASKS, third6, third.mac, option=SOURCE),
        ),
        "mac-of-nobody": (IPV4, NOBODY, own),
        "mac-of-a-neighbour": (IPV4, third.mac, own),
        "mac-of-the-node": (IPV4, lan.node_mac, own),
        "neighbour-with-its-mac": (IPV4, third.mac, ipv4(third.address, victim.address)),
        "address-of-a-neighbour": (IPV4, evil.mac, ipv4(third.address, victim.address)),
        "address-of-the-node": (IPV4, evil.mac, ipv4(lan.gateway, victim.address)),
        "address-from-outside": (IPV4, evil.mac, ipv4("192.0.2.1", victim.address)),
        "no-address": (IPV4, evil.mac, ipv4("0.0.0.0", "255.255.255.255")),
        "arp-for-a-neighbour": (ARP, evil.mac, arp(evil.mac, third.address, victim.address)),
        "arp-for-the-node": (
            ARP,
            evil.mac,
            arp(evil.mac, lan.gateway, victim.address, reply=True),
        ),
        "arp-with-a-neighbours-mac": (
            ARP,
            evil.mac,
            arp(third.mac, evil.address, victim.address, reply=True),
        ),
        "arp-by-a-neighbours-mac": (
            ARP,
            third.mac,
            arp(evil.mac, evil.address, victim.address),
        ),
        "reverse-arp": (RARP, evil.mac, arp(evil.mac, evil.address, victim.address)),
        "tagged": (VLAN, evil.mac, struct.pack(">HH", 5, IPV4) + own),
        "service-tagged": (SERVICE_VLAN, evil.mac, struct.pack(">HH", 5, IPV4) + own),
    }


def test_forged_frames_reach_neither_neighbour_nor_node(lan: Lan) -> None:
    tried = forgeries(lan)
    sent = [
        frame(to, source, kind, payload, name)
        for name, (kind, source, payload) in tried.items()
        for to in (ALL, lan.victim.mac, lan.node_mac, *GROUPS)
    ]
    lan.send(lan.third, lan.honest(lan.third, NOBODY))  # so that the bridge knows where it is
    # What the bridge does not take comes to the node by the port itself.
    with listening(lan.bridge, EVERYTHING) as node, listening(lan.port(lan.evil), IPV4) as port:
        victim = lan.hear(lan.victim)
        lan.send(lan.evil, *sent, lan.honest(lan.evil))
        on_node, on_victim = heard_by_node(node), heard(victim)
        port.setblocking(False)
        with pytest.raises(BlockingIOError):
            port.recv(4096)

    packets = {name: packet for name, (kind, _, packet) in tried.items() if kind == IPV6}
    assert marks(on_victim, *tried, END) == [END]
    assert marks(on_node, *tried, END) == [END]
    assert packets_in([*on_victim, *on_node], packets) == []
    assert lan.where(NOBODY) == []
    assert lan.where(lan.third.mac) == [lan.port(lan.third)]
    assert lan.where(lan.evil.mac) == [lan.port(lan.evil)]


def test_guest_says_over_ipv6_what_is_its_own(lan: Lan) -> None:
    evil, third = lan.evil, lan.third
    own, local = lan.address6(evil), link_local(evil.mac)
    said = {
        "from-its-address": ipv6(own),
        "from-its-link-local": ipv6(local),
        "asks": icmpv6(own, ASKS, discovery(lan.address6(third), evil.mac, kind=SOURCE)),
        "asks-without-mac": icmpv6(local, ASKS, discovery(lan.address6(third), kind=SOURCE)),
        "advertises": icmpv6(own, ADVERTISES, discovery(own, evil.mac)),
        "advertises-link-local": icmpv6(local, ADVERTISES, discovery(local, evil.mac)),
    }
    victim = lan.hear(lan.victim)
    sent = [frame(ALL, evil.mac, IPV6, packet, "") for packet in said.values()]
    lan.send(evil, *sent, lan.honest(evil))

    assert packets_in(heard(victim), said) == list(said)


def test_node_and_neighbour_keep_their_neighbours_when_a_guest_advertises_them(lan: Lan) -> None:
    third6, victim6 = lan.address6(lan.third), lan.address6(lan.victim)

    def known() -> tuple[str, str]:
        asked = ["ip", "-6", "neighbour", "show"]
        on_node = subprocess.run(
            [*asked, third6, "dev", lan.bridge], capture_output=True, text=True, check=True
        ).stdout
        inside = ["nsenter", f"--target={init_of(lan.victim)}", "--net", *asked, lan.gateway6]
        in_victim = subprocess.run(inside, capture_output=True, text=True, check=True).stdout
        return on_node.partition("lladdr ")[2].split()[0], in_victim.partition("lladdr ")[
            2
        ].split()[0]

    assert pings(third6)
    lan.home.wirt("exec", "victim", "ping", "-c", "1", "-W", "5", lan.gateway6, status=0)
    before = known()
    lies = [
        frame(
            to,
            lan.evil.mac,
            IPV6,
            icmpv6(source, ADVERTISES, discovery(whose, lan.evil.mac), target),
            "lie",
        )
        for to, whose, target in (
            (lan.node_mac, third6, lan.gateway6),
            (lan.victim.mac, lan.gateway6, victim6),
        )
        for source in (whose, lan.address6(lan.evil))
    ]
    victim = lan.hear(lan.victim)
    lan.send(lan.evil, *lies, lan.honest(lan.evil))
    heard(victim)

    assert before == (lan.third.mac, lan.node_mac)
    assert known() == before


def test_node_and_neighbour_keep_their_neighbours_when_a_guest_answers_for_them(lan: Lan) -> None:
    def known() -> tuple[str, str]:
        said = subprocess.run(
            ["ip", "neighbour", "show", lan.third.address, "dev", lan.bridge],
            capture_output=True,
            text=True,
            check=True,
        )
        table = lan.home.wirt("exec", "victim", "cat", "/proc/net/arp", status=0).stdout
        line = next(line for line in table.splitlines() if line.startswith(lan.gateway))
        return said.stdout.split()[2], line.split()[3]

    assert answers(lan.third)
    lan.home.wirt("exec", "victim", "ping", "-c", "1", "-W", "5", lan.gateway, status=0)
    before = known()
    lies = [
        frame(to, lan.evil.mac, ARP, arp(lan.evil.mac, whose, asked, reply=True), "lie")
        for to, whose, asked in (
            (lan.node_mac, lan.third.address, lan.gateway),
            (lan.victim.mac, lan.gateway, lan.victim.address),
        )
    ]
    victim = lan.hear(lan.victim)
    lan.send(lan.evil, *lies, lan.honest(lan.evil))
    heard(victim)

    assert before == (lan.third.mac, lan.node_mac)
    assert known() == before


def test_promiscuous_guest_hears_no_frame_for_another(lan: Lan) -> None:
    subprocess.run(
        ["bridge", "fdb", "del", lan.victim.mac, "dev", lan.port(lan.victim), "master"],
        capture_output=True,
    )
    known_before = lan.where(lan.victim.mac)
    evil, victim = lan.hear(lan.evil), lan.hear(lan.victim)
    # A bridge sends to every port what is for a card that it does not know.
    lan.send(
        lan.third,
        lan.honest(lan.third, NOBODY, "for-nobody"),
        lan.honest(lan.third, lan.victim.mac, "for-the-victim"),
        lan.honest(lan.third),
    )
    on_evil, on_victim = heard(evil), heard(victim)

    assert known_before == []
    assert marks(on_evil, "for-nobody", "for-the-victim", END) == [END]
    assert marks(on_victim, "for-nobody", "for-the-victim", END) == ["for-the-victim", END]


@pytest.fixture
def private(lan: Lan) -> Iterator[dict[str, Card]]:
    """Give the cards that the three have on a private network."""
    names = ("evil", "victim", "third")
    lan.home.wirt("network", "add", "back", status=0)
    for name in names:
        lan.home.wirt("card", "add", name, "--network", "back", status=0)
    yield {guest.name: guest.cards[0] for guest in lan.home.guests()}
    for name in names:
        lan.home.wirt("card", "remove", name, "eth1", status=0)
    lan.home.wirt("network", "remove", "back", status=0)


def test_private_network_carries_no_forged_frame_and_nothing_to_the_node(
    lan: Lan, private: dict[str, Card]
) -> None:
    bridge = f"{lan.bridge}.1"
    node_mac = Path(f"/sys/class/net/{bridge}/address").read_text().strip()
    evil, victim, third = (private[name] for name in ("evil", "victim", "third"))
    own = ipv4(evil.addresses[0], victim.addresses[0])
    tried = {
        "mac-of-a-neighbour": (IPV4, third.mac, own),
        "address-of-a-neighbour": (IPV4, evil.mac, ipv4(third.addresses[0], victim.addresses[0])),
        "address-of-its-other-card": (IPV4, evil.mac, ipv4(lan.evil.address, victim.addresses[0])),
        "mac-of-its-other-card": (IPV4, lan.evil.mac, own),
        "ipv6-of-its-other-card": (IPV6, evil.mac, ipv6(lan.address6(lan.evil))),
        "arp-for-a-neighbour": (
            ARP,
            evil.mac,
            arp(evil.mac, third.addresses[0], victim.addresses[0]),
        ),
    }
    sent = [
        frame(to, source, kind, payload, name)
        for name, (kind, source, payload) in tried.items()
        for to in (ALL, victim.mac, node_mac)
    ]
    to_node = [
        frame(node_mac, evil.mac, IPV4, ipv4(evil.addresses[0], lan.gateway), "to-the-node"),
        frame(node_mac, evil.mac, ARP, arp(evil.mac, evil.addresses[0], lan.gateway), "asks"),
    ]
    to_victim = [
        frame(NOBODY, evil.mac, IPV4, own, "for-nobody"),
        frame(victim.mac, evil.mac, IPV4, own, "for-the-victim"),
        frame(ALL, evil.mac, IPV4, own, END),
    ]
    with listening(bridge, EVERYTHING) as node:
        on_card, on_third = lan.hear(lan.victim, "eth1"), lan.hear(lan.third, "eth1")
        lan.send(lan.evil, *sent, *to_node, *to_victim, card="eth1")
        on_victim, by_third = heard(on_card), heard(on_third)
        node.setblocking(False)
        by_node = []
        with suppress(BlockingIOError):
            while True:
                data, origin = node.recvfrom(4096)
                by_node += [data] if origin[2] != socket.PACKET_OUTGOING else []

    assert marks(on_victim, *tried, "for-nobody", "for-the-victim", END) == ["for-the-victim", END]
    assert marks(by_third, *tried, "for-nobody", "for-the-victim", END) == [END]
    assert by_node == []


def test_guest_has_a_packet_filter_of_its_own(lan: Lan) -> None:
    def filter_in_victim(commands: str) -> None:
        inside = ["nsenter", f"--target={init_of(lan.victim)}", "--user", "--net"]
        subprocess.run([*inside, "nft", commands], check=True)

    before = answers(lan.victim)
    filter_in_victim(
        "table inet own { chain input { type filter hook input priority 0; icmp type echo-request drop; }; }"
    )
    closed, neighbour = answers(lan.victim), answers(lan.third)
    filter_in_victim("delete table inet own")

    assert (before, closed, neighbour) == (True, False, True)
    assert answers(lan.victim)


def answers(guest: Guest) -> bool:
    """Return whether the node can ping a guest."""
    return pings(guest.address)


def pings(address: str) -> bool:
    asked = [BUSYBOX, "ping", "-c", "1", "-W", "5", address]
    return subprocess.run(asked, capture_output=True).returncode == 0


def init_of(guest: Guest) -> int:
    """Return the pid on the node of a container's init: the monitor's only child."""
    assert guest.handle is not None
    monitor = guest.handle.pid
    return int(Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0])
