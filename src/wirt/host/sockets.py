"""Which ports programs of the node, or of a guest, listen on, as the kernel lists them."""

from contextlib import suppress
from ipaddress import IPv4Address

_LISTENING = {"tcp": "0A", "udp": "07"}
"""Protocol -> the state of a socket that takes what comes (include/net/tcp_states.h): TCP_LISTEN, and unconnected UDP."""
_MAPPED = "0000000000000000FFFF0000"
"""How the kernel writes ::ffff:0:0/96."""


def find_listening(protocol: str) -> list[tuple[str | None, int]]:
    """Return the IPv4 address, None for all, and port of each socket that takes what comes from outside.

    Those that only the node itself reaches are left out.
    """
    found = []
    for name in (protocol, f"{protocol}6"):
        try:
            with open(f"/proc/net/{name}") as file:
                lines = file.readlines()[1:]
        except FileNotFoundError:
            continue  # a kernel without IPv6
        found += parse_sockets(lines, _LISTENING[protocol])
    return found


def count_waiting(pid: int) -> int:
    """Return how many connections nobody has accepted yet, in the network that a process is in."""
    waiting = 0
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError), open(f"/proc/{pid}/net/{name}") as file:
            waiting += parse_waiting(file.readlines()[1:])
    return waiting


def parse_waiting(lines: list[str]) -> int:
    """Return how many connections wait at sockets that listen: the kernel tells it where others have what they have received."""
    fields = [line.split() for line in lines]
    return sum(int(one[4].rpartition(":")[2], 16) for one in fields if one[3] == _LISTENING["tcp"])


def parse_sockets(lines: list[str], state: str) -> list[tuple[str | None, int]]:
    """Return address and port of the sockets in a state; the addresses are little-endian hexadecimal words."""
    found: list[tuple[str | None, int]] = []
    for line in lines:
        fields = line.split()
        address, _, port = fields[1].partition(":")
        if fields[3] != state:
            continue
        if not int(address, 16):
            found.append((None, int(port, 16)))
        elif len(address) == 8 or address.startswith(_MAPPED):
            shown = IPv4Address(bytes.fromhex(address[-8:])[::-1])
            if not shown.is_loopback:
                found.append((str(shown), int(port, 16)))
    return found
