"""What a container tries on its neighbours and the node with frames of its own making, and what it can overhear."""

import base64
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest

from wirt.model.guest import Guest

ALL = "ff:ff:ff:ff:ff:ff"
GROUPS = [f"01:80:c2:00:00:{last:02x}" for last in range(16)]
"""What bridges are spoken to by, and do not pass on."""
NOBODY = "02:00:5e:00:53:01"
IPV4, ARP, RARP, IPV6, VLAN, SERVICE_VLAN = 0x0800, 0x0806, 0x8035, 0x86DD, 0x8100, 0x88A8
EVERYTHING = 0x0003
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


def ipv6(source: str) -> bytes:
    target = socket.inet_pton(socket.AF_INET6, "ff02::1")
    source_bytes = socket.inet_pton(socket.AF_INET6, source)
    return struct.pack(">IHBB", 6 << 28, 64, 253, 255) + source_bytes + target


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

    def port(self, guest: Guest) -> str:
        return f"w{self.home.home.tag}{guest.id}"

    def send(self, guest: Guest, *frames: bytes) -> None:
        lines = "".join(f"{one.hex()}\n" for one in frames)
        self.home.wirt("exec", guest.name, "/root/frames", "send", stdin=lines, status=0)

    def honest(self, guest: Guest, to: str = ALL, mark: str = END) -> bytes:
        return frame(to, guest.mac, IPV4, ipv4(guest.address, self.victim.address), mark)

    def hear(self, guest: Guest) -> "subprocess.Popen[str]":
        """Begin to listen on a guest's card."""
        listener = self.home.spawn("exec", guest.name, "/root/frames", "hear", END)
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


def forgeries(lan: Lan) -> dict[str, tuple[int, str, bytes]]:
    """Return what a guest may not say: its kind, its source MAC, and the rest."""
    evil, victim, third = lan.evil, lan.victim, lan.third
    own = ipv4(evil.address, victim.address)
    return {
        "mac-of-nobody": (IPV4, NOBODY, own),
        "mac-of-a-neighbour": (IPV4, third.mac, own),
        "mac-of-the-node": (IPV4, lan.node_mac, own),
        "neighbour-with-its-mac": (IPV4, third.mac, ipv4(third.address, victim.address)),
        "address-of-a-neighbour": (IPV4, evil.mac, ipv4(third.address, victim.address)),
        "address-of-the-node": (IPV4, evil.mac, ipv4(lan.gateway, victim.address)),
        "address-from-outside": (IPV4, evil.mac, ipv4("192.0.2.1", victim.address)),
        "no-address": (IPV4, evil.mac, ipv4("0.0.0.0", "255.255.255.255")),
        "ipv6": (IPV6, evil.mac, ipv6("fe80::53:1")),
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

    assert marks(on_victim, *tried, END) == [END]
    assert marks(on_node, *tried, END) == [END]
    assert lan.where(NOBODY) == []
    assert lan.where(lan.third.mac) == [lan.port(lan.third)]
    assert lan.where(lan.evil.mac) == [lan.port(lan.evil)]


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
    asked = [BUSYBOX, "ping", "-c", "1", "-W", "1", guest.address]
    return subprocess.run(asked, capture_output=True).returncode == 0


def init_of(guest: Guest) -> int:
    """Return the pid on the node of a container's init: the monitor's only child."""
    assert guest.handle is not None
    monitor = guest.handle.pid
    return int(Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0])
