"""Memory in the buffers of the sockets of a network namespace, as the kernel accounts it, by sock_diag.

Sources: sock_diag(7); the kernel's uapi headers linux/inet_diag.h, linux/unix_diag.h and linux/sock_diag.h.
"""

import socket
import struct

import msgspec

from wirt.host import netlink

_BY_FAMILY = 20
"""SOCK_DIAG_BY_FAMILY."""
_INET_HEAD, _INET_MEMORY = 72, 7
_UNIX_HEAD, _UNIX_MEMORY = 16, 5
_SHOW_UNIX_MEMORY = 0x20
_ALL_STATES = 0xFFFFFFFF
_SYN_RECEIVED, _TIME_WAIT, _NEW_SYN_RECEIVED = 3, 6, 12
"""States in which TCP keeps no socket yet, or none any more."""


class _Memory(msgspec.Struct, frozen=True):
    """Bytes in the buffers of one socket, with what the kernel needs to keep them."""

    received: int
    sent: int
    """On the way to the other end: queued at a peer, or with a card."""
    waiting: int
    """In the queue for sending, acknowledged data left out: what TCP holds."""


class SocketUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in buffers; and how many TCP sockets belong to no process: not yet accepted, or closed and not yet done."""

    tcp_send: int
    tcp_receive: int
    datagram_receive: int
    """Of UDP and raw sockets."""
    other: int
    """Of UNIX sockets, and sent by UDP and raw ones."""
    ownerless_tcp: int


def measure(pid: int) -> SocketUsage:
    """Return what the sockets in the network namespace of a process hold.

    Raises:
        Failed: the process is gone, or the kernel does not tell (no inet_diag, udp_diag, unix_diag).
    """
    with netlink.opened_in(pid, netlink.SOCK_DIAG) as asked:
        tcp = [
            (ownerless, memory)
            for family in (socket.AF_INET, socket.AF_INET6)
            for ownerless, memory in _list_inet(asked, family, socket.IPPROTO_TCP)
        ]
        datagrams = [
            memory
            for family in (socket.AF_INET, socket.AF_INET6)
            for _, memory in _list_inet(asked, family, socket.IPPROTO_UDP)
        ]
        local = _list_unix(asked)
    return SocketUsage(
        tcp_send=sum(memory.waiting for _, memory in tcp),
        tcp_receive=sum(memory.received for _, memory in tcp),
        datagram_receive=sum(memory.received for memory in datagrams),
        other=sum(memory.sent for memory in [*datagrams, *local]),
        ownerless_tcp=sum(ownerless for ownerless, _ in tcp),
    )


def _list_inet(asked: socket.socket, family: int, protocol: int) -> list[tuple[bool, _Memory]]:
    """Return of each socket whether it belongs to no process, and its memory."""
    wanted = struct.pack("=BBBxI48x", family, protocol, 1 << (_INET_MEMORY - 1), _ALL_STATES)
    found = []
    for _, answer in netlink.dump(asked, _BY_FAMILY, wanted):
        state, (inode,) = answer[1], struct.unpack_from("=I", answer, _INET_HEAD - 4)
        if protocol == socket.IPPROTO_TCP and state in (
            _SYN_RECEIVED,
            _TIME_WAIT,
            _NEW_SYN_RECEIVED,
        ):
            continue
        found.append((inode == 0, _memory(answer[_INET_HEAD:], _INET_MEMORY)))
    return found


def _list_unix(asked: socket.socket) -> list[_Memory]:
    wanted = struct.pack("=BxxxIII8x", socket.AF_UNIX, _ALL_STATES, 0, _SHOW_UNIX_MEMORY)
    return [
        _memory(answer[_UNIX_HEAD:], _UNIX_MEMORY)
        for _, answer in netlink.dump(asked, _BY_FAMILY, wanted)
    ]


def _memory(content: bytes, number: int) -> _Memory:
    """Return what the attribute of this number says: an array that begins with the figures of ``SK_MEMINFO_*``."""
    for found, value in netlink.attributes(content):
        if found == number:
            received, _, sent, _, _, waiting = struct.unpack_from("=6I", value)
            return _Memory(received, sent, waiting)
    return _Memory(0, 0, 0)
