"""A way to another node by programs: one that begins Wirt over there, and rsync."""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Protocol

import msgspec

from wirt.errors import Failed, OutOfSpace
from wirt.host import files, run
from wirt.transport.base import LinkLost, Session
from wirt.transport.wire import talking

_ENDING_SECONDS = 30.0
_OPEN = "wirt-open"
"""What the other machine says when the way to a socket is open."""
_CUT, _VANISHED = frozenset({10, 12, 30, 35, 255}), 24
"""Exit statuses of rsync: the connection broke; some files had gone before they were read."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the programs are called."""

    serve: tuple[str, ...]
    """Begins a session."""
    shell: tuple[str, ...] = ()
    """What rsync reaches the other machine by."""
    host: str | None = None
    """Who it is there; None: the other node is on this machine."""

    def path(self, there: str) -> str:
        """Return a path over there as rsync writes it."""
        return there if self.host is None else f"{self.host}:{there}"


class _Process(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...

    def terminate(self) -> None: ...


class _Begun:
    """A program that runs, and what is said to it and by it."""

    def __init__(
        self, process: _Process, reader: IO[bytes], writer: IO[bytes], said: IO[bytes]
    ) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self._said = said

    def why(self) -> str:
        """Return what it said of why it does not answer, once it has ended."""
        with suppress(Exception):
            self.process.wait(timeout=_ENDING_SECONDS)
        self._said.seek(0)
        return self._said.read().decode(errors="replace")


class ProgramLink:
    """The way to one other node."""

    def __init__(self, name: str, way: Way, environment: Mapping[str, str]) -> None:
        """Describe it; nothing is begun yet."""
        self.name = name
        self._way = way
        self._environment = {**run.ENVIRONMENT, **environment}

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Begin a process over there; at the end of the block it is told that nobody asks any more, and waited for."""
        with (
            self._begun(self._way.serve) as begun,
            talking(self.name, begun.reader, begun.writer, begun.why) as session,
        ):
            yield session

    @contextmanager
    def reach(self, socket: str) -> Iterator[str]:
        """Give the very path on this machine; else one at which ssh listens until its input ends: we have closed it, or died."""
        if self._way.host is None:
            yield socket
            return
        with tempfile.TemporaryDirectory(prefix="wirt-") as directory:
            here = f"{directory}/socket"
            forward = ["-oExitOnForwardFailure=yes", f"-L{here}:{socket}"]
            command = [*self._way.shell, *forward, "--", self._way.host, f"echo {_OPEN}; exec cat"]
            with self._begun(command) as begun:
                if begun.reader.readline() != f"{_OPEN}\n".encode():
                    said = begun.why().strip()
                    last = said.splitlines()[-1] if said else "it gave no reason"
                    raise LinkLost(f"node {self.name} does not answer: {last}", detail=said or None)
                yield here
                # It would wait for who still uses the way.
                begun.process.terminate()

    @contextmanager
    def _begun(self, command: Sequence[str]) -> Iterator["_Begun"]:
        """Begin a program; at the end of the block its input is closed, and it is waited for."""
        (there_reads, we_write), (we_read, there_writes) = os.pipe(), os.pipe()
        with (
            tempfile.TemporaryFile() as said,
            open(we_read, "rb") as reader,
            open(we_write, "wb") as writer,
        ):
            streams = run.Streams(stdin=there_reads, stdout=there_writes, stderr=said.fileno())
            try:
                process = run.spawn(
                    command,
                    streams=streams,
                    environment=self._environment,
                    # Ctrl-C on a terminal is for us: we still have to tell the other side.
                    new_session=True,
                )
            finally:
                os.close(there_reads)
                os.close(there_writes)
            try:
                yield _Begun(process, reader, writer, said)
            finally:
                with suppress(OSError):
                    writer.close()
                process.wait()

    def send(self, source: str, target: str, *, moving: bool = False) -> int:
        """Send by rsync."""
        return rsync(
            source,
            self._way.path(target),
            shell=self._way.shell,
            environment=self._environment,
            node=self.name,
            moving=moving,
        )

    def give(self, source: str, target: str) -> int:
        """Send them; what was sent before is the same."""
        return self.send(source, target)


def rsync(
    source: str,
    target: str,
    *,
    shell: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    node: str,
    moving: bool,
) -> int:
    """Make ``target`` what ``source`` is and return the bytes that went over.

    Raises:
        OutOfSpace: there is no room for it.
        LinkLost: the other machine went away.
        Failed: rsync said something else.
        Unsupported: it is not installed.
    """
    keep = [
        "--archive",
        "--protect-args",
        "--mkpath",
        "--hard-links",
        "--acls",
        "--xattrs",
        "--sparse",
        "--numeric-ids",
    ]
    # A file that is written twice within a second is not the same by its second.
    how = ["--delete", "--inplace", "--modify-window=-1", "--stats", "--no-human-readable"]
    by = ["--rsh", shlex.join(shell)] if shell else []
    done = run.run(["rsync", *keep, *how, *by, source, target], environment=environment)
    if done.status == 0 or (moving and done.status == _VANISHED):
        lines = [line for line in done.stdout.splitlines() if line.startswith("Total bytes sent")]
        return int(lines[0].rpartition(" ")[2]) if lines else 0
    said = done.stderr.strip().splitlines()
    reason = said[0] if said else f"rsync ended {done.status}"
    message = f"cannot send {source} to node {node}: {reason}"
    if done.status in _CUT and "No space left" not in done.stderr:
        raise LinkLost(message, detail=done.stderr)
    full = files.is_full(Failed(reason, detail=done.stderr))
    raise (OutOfSpace if full else Failed)(message, detail=done.stderr)
