"""The QEMU guest agent's protocol: one JSON object a line, asked and answered in turn.

It knows two descriptors and nothing of who is at their other ends: a serial line of User-Mode Linux, a virtio port of
QEMU, or a test. Protocol: "QEMU Guest Agent Protocol Reference" of QEMU 7.2.
"""

import base64
import json
import os
import secrets
import select
import time
from typing import Any

import msgspec

from wirt.errors import Failed, TimedOut

ANSWER_SECONDS = 30.0
"""How long an answer may take once the agent listens: it does little, but an emulated guest may be busy."""

_FIRST_PATIENCE_SECONDS = 0.5
"""How long it is waited for an answer before the first request to synchronise is made again."""

_DELIMITER = 0xFF
"""A byte that no JSON holds: the agent drops what it had half read before it, and begins its answer with it."""

_READ_BYTES = 1 << 16


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What a command left behind in the guest."""

    status: int
    """Exit status; 128 + signal if it was killed."""
    stdout: bytes
    stderr: bytes
    truncated: bool
    """The agent keeps 16 MiB of each; there was more."""


class GuestGone(Failed):
    """The guest ended while it was talked to."""


class Agent:
    """A conversation with an agent; nobody else may talk to it meanwhile.

    Args:
        reader: descriptor that the agent's answers come from; it must not block.
        writer: descriptor that requests go to; it must not block.
        died: descriptor (of the engine's process) that becomes readable when no answer can come any more.
    """

    def __init__(self, reader: int, writer: int, *, died: int) -> None:
        self._reader = reader
        self._writer = writer
        self._died = died
        self._received = bytearray()

    def synchronise(self, timeout: float) -> None:
        """Wait until the agent answers this conversation, and drop what it still had to say to an earlier one.

        The request may be written long before there is an agent: it is read when there is one. But User-Mode Linux may
        miss that its serial line has something to read if it came just when the line was opened, until more comes. So
        the request is made again, each time after twice as long.

        Raises:
            TimedOut: there was no answer within ``timeout`` seconds.
            GuestGone: the guest ended meanwhile.
        """
        deadline = time.monotonic() + timeout
        patience = _FIRST_PATIENCE_SECONDS
        while not self._ask_to_synchronise(deadline, patience):
            patience *= 2

    def _ask_to_synchronise(self, deadline: float, patience: float) -> bool:
        """Return whether the agent answered this very request in time; earlier ones have then been answered too."""
        token = secrets.randbits(31)
        expected = {"return": token}
        self._write(bytes([_DELIMITER]) + _request("guest-sync-delimited", {"id": token}), deadline)
        enough = time.monotonic() + patience
        while True:
            try:
                line = self._read_line(min(enough, deadline))
            except TimedOut:
                if enough < deadline:
                    return False
                raise
            # Anything else is an answer to someone who has gone, or a complaint about our delimiter.
            if line.startswith(bytes([_DELIMITER])) and _parse(line[1:]) == expected:
                return True

    def call(
        self, command: str, arguments: dict[str, Any] | None = None, *, timeout: float = 0.0
    ) -> Any:
        """Return the agent's answer to a command.

        Raises:
            TimedOut: there was none within ``timeout`` seconds (default: ``ANSWER_SECONDS``).
            GuestGone: the guest ended meanwhile.
            Failed: the agent refused, or said what is no answer.
        """
        deadline = time.monotonic() + (timeout or ANSWER_SECONDS)
        self._write(_request(command, arguments or {}), deadline)
        line = self._read_line(deadline)
        answer = _parse(line)
        if isinstance(answer, dict) and "return" in answer:
            return answer["return"]
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            raise Failed(f"the guest's agent refused {command}: {answer['error'].get('desc')}")
        raise Failed(
            f"the guest's agent gave no answer to {command}",
            detail=line[:200].decode(errors="replace"),
        )

    def start_command(
        self, argv: list[str], *, environment: dict[str, str], stdin: bytes = b""
    ) -> int:
        """Start a command in the guest and return its process id there; its output is kept by the agent.

        Args:
            argv: program (looked for in the agent's PATH) and arguments.
            environment: its whole environment.
            stdin: its input.
        """
        answer = self.call("guest-exec", command_arguments(argv, environment, stdin))
        return int(answer["pid"])

    def take_result(self, pid: int) -> Ended | None:
        """Return what a started command left behind, or None while it runs or something holds its output open."""
        answer = self.call("guest-exec-status", {"pid": pid})
        if not answer["exited"]:
            return None
        signal = answer.get("signal")
        return Ended(
            status=128 + int(signal) if signal else int(answer.get("exitcode", 0)),
            stdout=base64.b64decode(answer.get("out-data", "")),
            stderr=base64.b64decode(answer.get("err-data", "")),
            truncated=bool(answer.get("out-truncated") or answer.get("err-truncated")),
        )

    def write_file(self, path: str, content: bytes, *, chunk: int) -> None:
        """Write a file in the guest, at most ``chunk`` bytes in a request; what is there is replaced."""
        handle = self.call("guest-file-open", {"path": path, "mode": "w"})
        try:
            for start in range(0, len(content), chunk):
                piece = base64.b64encode(content[start : start + chunk]).decode()
                self.call("guest-file-write", {"handle": handle, "buf-b64": piece})
        finally:
            self.call("guest-file-close", {"handle": handle})

    def shut_down(self) -> None:
        """Ask the guest to power down; there is no answer to wait for."""
        request = _request("guest-shutdown", {"mode": "powerdown"})
        self._write(request, time.monotonic() + ANSWER_SECONDS)

    def _write(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            self._wait([self._died], [self._writer], deadline)
            try:
                rest = rest[os.write(self._writer, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise GuestGone("the guest ended") from None

    def _read_line(self, deadline: float) -> bytes:
        searched = 0
        while True:
            end = self._received.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                return line
            searched = len(self._received)
            self._wait([self._reader, self._died], [], deadline)
            try:
                data = os.read(self._reader, _READ_BYTES)
            except BlockingIOError:
                data = None
            if data == b"" or (data is None and _is_readable(self._died)):
                raise GuestGone("the guest ended")
            self._received += data or b""

    def _wait(self, readers: list[int], writers: list[int], deadline: float) -> None:
        left = max(0.0, deadline - time.monotonic())
        readable, writable, _ = select.select(readers, writers, [], left)
        if not readable and not writable:
            raise TimedOut("the guest's agent did not answer in time")
        if writers and not writable:
            raise GuestGone("the guest ended")


def command_arguments(argv: list[str], environment: dict[str, str], stdin: bytes) -> dict[str, Any]:
    """Return the arguments of ``guest-exec``."""
    arguments: dict[str, Any] = {
        "path": argv[0],
        "arg": argv[1:],
        "env": [f"{key}={value}" for key, value in environment.items()],
        "capture-output": True,
    }
    if stdin:
        arguments["input-data"] = base64.b64encode(stdin).decode()
    return arguments


def request_size(argv: list[str], environment: dict[str, str], stdin: bytes) -> int:
    """Return the bytes that a request to start this command has on the line."""
    return len(_request("guest-exec", command_arguments(argv, environment, stdin)))


def _request(command: str, arguments: dict[str, Any]) -> bytes:
    request: dict[str, Any] = {"execute": command}
    if arguments:
        request["arguments"] = arguments
    return json.dumps(request).encode() + b"\n"


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
