"""A conversation with QEMU's monitor, in its protocol (QMP): commands, events, and descriptors that are handed to it.

One at a time: QEMU listens to whoever has connected first, and to the next when that has hung up.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from wirt.errors import Failed

QMP_SOCKET = "qmp.sock"
"""Its name in the private directory."""

_ANSWER_SECONDS = 10.0
_ONE_BYTE = b" "
"""A descriptor travels beside at least one byte; between two commands a blank is none."""


class Monitor:
    """An open conversation."""

    def __init__(self, connection: socket.socket) -> None:
        """Read QEMU's greeting and begin.

        Raises:
            Failed: it does not answer.
        """
        self._connection = connection
        self._rest = b""
        self._events: deque[dict[str, Any]] = deque()
        deadline = time.monotonic() + _ANSWER_SECONDS
        # What happens while one conversation ends and the next begins, QEMU may tell before it greets.
        while "QMP" not in self._read(deadline):
            pass
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Give a command and return its answer.

        Raises:
            Failed: QEMU refused it, in its own words, or does not answer.
        """
        question = {"execute": command, **({"arguments": arguments} if arguments else {})}
        deadline = time.monotonic() + _ANSWER_SECONDS
        try:
            self._connection.sendall(msgspec.json.encode(question) + b"\n")
            while True:
                said = self._read(deadline)
                if "event" in said:
                    self._events.append(said)
                elif "error" in said:
                    raise Failed(f"QEMU's monitor did not take {command}: {said['error']['desc']}")
                else:
                    return said["return"]
        except OSError as error:
            raise Failed(f"QEMU's monitor did not take {command}: {error}") from error

    def hand_over(self, descriptor: int, name: str) -> None:
        """Give QEMU a descriptor, which it knows by a name from then on, until a command takes it.

        Raises:
            Failed: it did not take it.
        """
        self._pass(descriptor)
        self.execute("getfd", {"fdname": name})

    def lend(self, descriptor: int, number: int) -> str:
        """Give QEMU a descriptor to open again and again, and return the path by which it does.

        Raises:
            Failed: it did not take it.
        """
        self._pass(descriptor)
        self.execute("add-fd", {"fdset-id": number})
        return f"/dev/fdset/{number}"

    def take_back(self, number: int) -> None:
        """Have QEMU close what was lent under a number; no error if nothing was.

        Raises:
            Failed: it does not answer.
        """
        if any(one["fdset-id"] == number for one in self.execute("query-fdsets")):
            self.execute("remove-fd", {"fdset-id": number})

    def wait_for(self, *events: str, timeout: float) -> dict[str, Any] | None:
        """Return the next event of one of these names, those of others being forgotten; None: there was none in time.

        Raises:
            Failed: QEMU has ended.
        """
        deadline = time.monotonic() + timeout
        while True:
            while self._events:
                if (event := self._events.popleft())["event"] in events:
                    return event
            try:
                said = self._read(deadline)
            except TimeoutError:
                return None
            except OSError as error:
                raise Failed(f"QEMU's monitor does not answer: {error}") from error
            if "event" in said:
                self._events.append(said)

    def _pass(self, descriptor: int) -> None:
        """Send a descriptor, for the command that comes next."""
        try:
            socket.send_fds(self._connection, [_ONE_BYTE], [descriptor])
        except OSError as error:
            raise Failed(f"QEMU's monitor did not take a descriptor: {error}") from error

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("it did not answer in time")
            self._connection.settimeout(left)
            part = self._connection.recv(65536)
            if not part:
                raise ConnectionError("it has hung up")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = msgspec.json.decode(line)
        return said


@contextmanager
def talking(directory: str) -> Iterator[Monitor]:
    """Give a conversation with the QEMU of a guest's private directory for as long as the block runs.

    Raises:
        Failed: QEMU does not answer.
    """
    with connected(directory, QMP_SOCKET) as connection:
        try:
            monitor = Monitor(connection)
        except OSError as error:
            raise Failed(f"QEMU's monitor does not answer: {error}") from error
        yield monitor


@contextmanager
def connected(directory: str, name: str) -> Iterator[socket.socket]:
    """Open a connection to one of QEMU's sockets for as long as the block runs.

    Raises:
        Failed: nobody listens there.
    """
    with short_path(directory, name) as path, socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError as error:
            raise Failed(f"QEMU does not listen at {name}: {error.strerror}") from error
        yield connection


@contextmanager
def short_path(directory: str, name: str) -> Iterator[str]:
    """Return a path to a socket that fits into the kernel's 107 bytes, however long the directory's is.

    Raises:
        Failed: there is no such directory.
    """
    try:
        descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Failed(f"QEMU does not listen at {name}: {error.strerror}") from error
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
