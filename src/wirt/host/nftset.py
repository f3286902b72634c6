"""The sets of the packet filter's bridge family: what they hold, asked and changed by the kernel's own messages.

What every start and end of a guest changes of the filter is a few elements. The program ``nft`` would read the whole filter
for that and take as long as all else that is done for the guest's network. Source: linux/netfilter/nf_tables.h.
"""

import errno
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from wirt.errors import Failed

if TYPE_CHECKING:
    import socket

Element = tuple[str, str]
"""The name of a set, and one of its elements as nft(8) writes it: ``"ports", '"wabcd12" . 02:00:00:00:00:01'``."""

_ANY_FAMILY = 0
_NETFILTER = 12
_BRIDGE = 7
_NFTABLES = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_ADD, _GET, _DELETE = 12, 13, 14
_REQUEST, _ACKNOWLEDGED, _CREATE = 0x1, 0x4, 0x400
_ERROR = 2
_TABLE, _SET, _ELEMENTS = 1, 2, 3
_ITEM = _KEY = _VALUE = 1
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_BUFFER = 1 << 16
_SECONDS = 5.0
_NAME_SIZE = 16
"""IFNAMSIZ."""


def add(table: str, elements: Sequence[Element]) -> None:
    """Put elements into sets of a table, all or none; again is no error.

    Raises:
        Failed: there is no such table or set, or the kernel has no nftables.
    """
    with _opened() as asked:
        for number in _change(asked, table, elements, _ADD):
            if number:
                raise Failed(f"cannot add to the packet filter {table}: {os.strerror(number)}")


@contextmanager
def deleting(table: str, elements: Sequence[Element]) -> Iterator[None]:
    """Take elements out of sets of a table before the block; no error if they, the sets or the table are gone.

    The kernel lets go of the socket only when no packet can be looking at them any more, which takes it longer than all
    else (16 ms): the block had better do something meanwhile.

    Raises:
        Failed: the kernel refused.
    """
    with _opened() as asked:
        left = list(elements)
        while left:
            answers = _change(asked, table, left, _DELETE)
            if not any(answers):
                break
            for number in answers:
                if number not in (0, errno.ENOENT):
                    raise Failed(
                        f"cannot take from the packet filter {table}: {os.strerror(number)}"
                    )
            # All or none: without those that are gone.
            left = [one for one, number in zip(left, answers, strict=True) if number == 0]
        yield


def holds(table: str, element: Element) -> bool:
    """Return whether a set of a table holds the element; False without table or set."""
    with _opened() as asked:
        asked.send(_message(_GET, _REQUEST, 0, _content(table, element)))
        kind: int = _HEADER.unpack_from(asked.recv(_BUFFER))[1]
        return kind != _ERROR


def encode(element: str) -> bytes:
    """Return an element as the kernel keeps it: its parts one after the other, each filled up to a multiple of four bytes.

    A part is an interface's name in quotes, a MAC, an address, or bytes as a hexadecimal number.
    """
    return b"".join(_filled_up(_encode(part)) for part in element.split(" . "))


def _encode(part: str) -> bytes:
    if part.startswith('"'):
        return part.strip('"').encode().ljust(_NAME_SIZE, b"\0")
    if part.startswith("0x"):
        return bytes.fromhex(part[2:])
    if part.count(":") == 5 and "::" not in part:
        return bytes.fromhex(part.replace(":", ""))
    return ip_address(part).packed


@contextmanager
def _opened() -> Iterator["socket.socket"]:
    # Loaded here: many commands change nothing of the filter.
    import socket

    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asked:
            asked.settimeout(_SECONDS)
            yield asked
    except OSError as error:
        raise Failed(f"the kernel's packet filter does not answer: {error.strerror}") from error


def _change(
    asked: "socket.socket", table: str, elements: Sequence[Element], kind: int
) -> list[int]:
    """Ask for a change of all elements as one, and return the kernel's error number of each, 0 for none."""
    flags = _REQUEST | _ACKNOWLEDGED | (_CREATE if kind == _ADD else 0)
    asked.send(
        _limit(_BATCH_BEGIN)
        + b"".join(
            _message(kind, flags, number, _content(table, element))
            for number, element in enumerate(elements)
        )
        + _limit(_BATCH_END)
    )
    answers: dict[int, int] = {}
    while len(answers) < len(elements):
        said = asked.recv(_BUFFER)
        while said:
            length, type_, _, number, _ = _HEADER.unpack_from(said)
            if type_ == _ERROR:
                answers[number] = -struct.unpack_from("=i", said, _HEADER.size)[0]
            said = said[length:]
    return [answers[number] for number in range(len(elements))]


def _content(table: str, element: Element) -> bytes:
    name, text = element
    key = _attribute(_KEY | _NESTED, _attribute(_VALUE, encode(text)))
    return (
        _attribute(_TABLE, table.encode() + b"\0")
        + _attribute(_SET, name.encode() + b"\0")
        + _attribute(_ELEMENTS | _NESTED, _attribute(_ITEM | _NESTED, key))
    )


def _attribute(kind: int, value: bytes) -> bytes:
    return _filled_up(struct.pack("=HH", 4 + len(value), kind) + value)


def _filled_up(value: bytes) -> bytes:
    return value + b"\0" * (-len(value) % 4)


def _limit(kind: int) -> bytes:
    """Return the message that begins or ends a batch."""
    head = struct.pack("!BBH", _ANY_FAMILY, 0, _NFTABLES)
    return _HEADER.pack(_HEADER.size + len(head), kind, _REQUEST, 0, 0) + head


def _message(kind: int, flags: int, number: int, content: bytes) -> bytes:
    body = struct.pack("!BBH", _BRIDGE, 0, 0) + content
    return _HEADER.pack(_HEADER.size + len(body), _NFTABLES << 8 | kind, flags, number, 0) + body
