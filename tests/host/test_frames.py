"""Frames that are kept for somebody and sent on, on a real bridge in a network of its own."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests import netns

from wirt.host.frames import Frames

BRIDGE, FAR = "wirt-frames", "wirt-far"
RECEIVER, SENDER = "02:00:00:00:00:01", "02:00:00:00:00:02"
KIND = 0x88B5
"""For experiments (IEEE 802)."""


def frame(to: str, source: str, mark: bytes) -> bytes:
    macs = bytes.fromhex((to + source).replace(":", ""))
    return macs + KIND.to_bytes(2, "big") + mark.ljust(46, b".")


def opened(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(KIND))
    made.bind((interface, KIND))
    made.settimeout(5)
    return made


@pytest.fixture(scope="module", autouse=True)
def bridges(root_user: None) -> Iterator[None]:
    """Give two bridges that are joined by a cable; at the ports of the second are ``one`` and ``two``."""
    cables = {"near": "far", "port-one": "one", "port-two": "two"}
    ports = {"near": BRIDGE, "far": FAR, "port-one": FAR, "port-two": FAR}
    with netns.own_network():
        for command in (
            *(f"ip link add {name} type bridge" for name in (BRIDGE, FAR)),
            *(f"ip link add {port} type veth peer {end}" for port, end in cables.items()),
            *(f"ip link set {port} master {name} up" for port, name in ports.items()),
            *(f"ip link set {name} up" for name in ("one", "two", BRIDGE, FAR)),
        ):
            subprocess.run(command.split(), check=True)
        yield


def hear(listening: socket.socket, mark: bytes) -> bytes:
    """Return the next frame with a mark."""
    while mark not in (said := listening.recv(100)):
        pass
    return said


def test_what_was_kept_is_sent_on_in_its_order_and_whoever_sent_it_is_answered() -> None:
    with closing(opened("one")) as one, closing(opened("two")) as two:
        frames = Frames(BRIDGE, RECEIVER)
        for mark in (b"before", b"first", b"second"):
            one.send(frame(RECEIVER, SENDER, mark))
            hear(two, mark)
            if mark == b"before":
                frames.forget()
        sent = frames.deliver()
        delivered = [two.recv(100)[14:].rstrip(b".") for _ in range(2)]

        # A switch that has carried it must not take us for who has sent it.
        two.send(frame(SENDER, RECEIVER, b"answer"))
        hear(one, b"answer")

    assert sent == 2
    assert delivered == [b"first", b"second"]


def test_what_is_for_others_is_not_kept() -> None:
    with closing(opened("one")) as one:
        frames = Frames(BRIDGE, RECEIVER)
        one.send(frame("02:00:00:00:00:03", SENDER, b"for another"))
        one.send(frame("ff:ff:ff:ff:ff:ff", SENDER, b"for all"))

        assert frames.deliver() == 0


def test_no_bridge_keeps_nothing() -> None:
    with pytest.raises(OSError, match="no interface with this name"):
        Frames("wirt-nowhere", RECEIVER)
