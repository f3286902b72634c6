"""Asking who has an IPv4 address, again and again, and telling neighbours who has it now, or an IPv6 address.

What asks sends no address of its own (RFC 5227), so it changes nobody's neighbour table. The kernel of the guest answers, whatever
its programs do: what is seen is when its network was there.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from wirt.host.advertisements import advertisement

PERIOD = 0.002
"""Seconds between two questions."""

_ARP = 0x0806
_HEAD = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
_REPLY = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_NOBODY = b"\xff" * 6
_TIMES = 3
"""How often neighbours are told: nobody says that it has heard."""


def announce(interfaces: Iterable[str], mac: str, addresses: Iterable[str]) -> None:
    """Tell everybody beyond some interfaces, several times, that addresses are at ``mac`` now; switches learn the way by it.

    Args:
        interfaces: by which it is sent.
        mac: whose they are.
        addresses: of IPv4 and IPv6.

    Raises:
        OSError: one of the interfaces is not there.
    """
    sender = bytes.fromhex(mac.replace(":", ""))
    frames = [
        advertisement(sender, one) if ":" in one else _frame(sender, *[socket.inet_aton(one)] * 2)
        for one in addresses
    ]
    for interface in interfaces:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sending:
            sending.bind((interface, 0))
            for frame in _TIMES * frames:
                sending.send(frame)


def find_holder(interface: str, address: str, seconds: float) -> str | None:
    """Return the MAC of whoever says within ``seconds`` that it has an address; None: nobody does.

    Raises:
        OSError: there is no such interface.
    """
    wanted, ends = socket.inet_aton(address), time.monotonic() + seconds
    with _opened(interface) as asking:
        own: bytes = asking.getsockname()[4]
        asking.send(_frame(own, b"\0" * 4, wanted))
        while (left := ends - time.monotonic()) > 0:
            asking.settimeout(left)
            try:
                said = asking.recv(64)
            except TimeoutError:
                break
            if len(said) < _REPLY.size:
                continue
            fields = _REPLY.unpack_from(said)
            if fields[7] == 2 and fields[9] == wanted:
                holder: bytes = fields[8]
                return holder.hex(":")
    return None


class Watch:
    """Asks for an address every ``PERIOD`` seconds until it is closed, and keeps when it was answered."""

    def __init__(self, interface: str, address: str) -> None:
        self._socket = _opened(interface)
        self._socket.settimeout(PERIOD)
        self._address = socket.inet_aton(address)
        self._ends = threading.Event()
        self.first: float | None = None
        """When the first answer came, by the monotonic clock, seconds; None: there was none."""
        self.last: float | None = None
        """The same of the last."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more; what is on its way may be answered yet."""
        # Whoever closes it may have a guest stand still: a packet socket goes in 10 ms or more, in which the kernel waits
        # for all processors.
        self._ends.set()

    def _watch(self) -> None:
        own: bytes = self._socket.getsockname()[4]
        question = _frame(own, b"\0" * 4, self._address)
        asked = 0.0
        # An interface that goes away ends it: nothing is answered there any more.
        with self._socket, suppress(OSError):
            while not self._ends.is_set():
                now = time.monotonic()
                if now - asked >= PERIOD:
                    self._socket.send(question)
                    asked = now
                self._look()

    def _look(self) -> None:
        try:
            said = self._socket.recv(64)
        except TimeoutError:
            return
        if len(said) < _REPLY.size:
            return
        fields = _REPLY.unpack_from(said)
        if fields[7] == 2 and fields[9] == self._address:
            self.last = time.monotonic()
            self.first = self.first or self.last


def _frame(sender: bytes, sender_address: bytes, wanted: bytes) -> bytes:
    """Return a question to everybody: who has ``wanted``?"""
    head = _NOBODY + sender + struct.pack("!H", _ARP) + _HEAD
    return head + sender + sender_address + b"\0" * 6 + wanted


def _opened(interface: str) -> socket.socket:
    # One that took frames before it is bound would have to be taken out first, for which the kernel waits for all processors.
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        opened.bind((interface, _ARP))
    except OSError:
        opened.close()
        raise
    return opened
