"""Questions to the kernel that are answered with lists, by netlink, in the network of any process."""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import Failed

ROUTE = 0
SOCK_DIAG = 4
NETFILTER = 12

_CLONE_NEWNET = 0x40000000
_REQUEST_DUMP = 0x1 | 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_BUFFER = 1 << 16
_SECONDS = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def opened_in(pid: int, protocol: int) -> Iterator[socket.socket]:
    """Give a netlink socket in the network namespace of a process.

    The socket stays in it; this process is out again before the block begins.

    Raises:
        Failed: the process is gone, or the kernel has no such protocol.
    """
    try:
        with open("/proc/self/ns/net") as home, open(f"/proc/{pid}/ns/net") as there:
            _enter(there.fileno())
            try:
                found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
            finally:
                _enter(home.fileno())
    except OSError as error:
        raise Failed(f"cannot ask the network of process {pid}: {error.strerror}") from error
    with found:
        found.settimeout(_SECONDS)
        yield found


def dump(asked: socket.socket, kind: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Ask for a whole list and yield the type and the content of each answer.

    Raises:
        Failed: the kernel does not know the question.
    """
    try:
        asked.send(_HEADER.pack(_HEADER.size + len(payload), kind, _REQUEST_DUMP, 1, 0) + payload)
        while True:
            answer = asked.recv(_BUFFER)
            while answer:
                length, type_, _, _, _ = _HEADER.unpack_from(answer)
                content, answer = answer[_HEADER.size : length], answer[_aligned(length) :]
                if type_ == _DONE:
                    return
                if type_ == _ERROR:
                    number = -struct.unpack_from("=i", content)[0]
                    raise Failed(f"the kernel does not answer: {os.strerror(number)}")
                yield type_, content
    except OSError as error:
        raise Failed(f"the kernel does not answer: {error.strerror or error}") from error


def attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and value of the attributes that follow an answer's head."""
    while len(content) >= 4:
        length, number = struct.unpack_from("=HH", content)
        if length < 4:
            return
        yield number, content[4:length]
        content = content[_aligned(length) :]


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
