"""A way to another node by programs: one that begins Wirt over there, and rsync."""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import msgspec

from wirt.errors import Failed, OutOfSpace
from wirt.host import files, run
from wirt.transport.base import LinkLost, Session
from wirt.transport.wire import talking

_ENDING_SECONDS = 30.0
_CUT, _VANISHED = frozenset({10, 12, 30, 35, 255}), 24
"""Exit statuses of rsync: the connection broke; some files had gone before they were read."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the programs are called."""

    serve: tuple[str, ...]
    """Begins a session."""
    shell: tuple[str, ...] = ()
    """What rsync reaches the other machine by."""
    before: str = ""
    """What rsync writes before a path over there: HOST: """


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
        (there_reads, we_write), (we_read, there_writes) = os.pipe(), os.pipe()
        with (
            tempfile.TemporaryFile() as said,
            open(we_read, "rb") as reader,
            open(we_write, "wb") as writer,
        ):
            streams = run.Streams(stdin=there_reads, stdout=there_writes, stderr=said.fileno())
            try:
                started = run.spawn(
                    self._way.serve,
                    streams=streams,
                    environment=self._environment,
                    # Ctrl-C on a terminal is for us: we still have to tell the other side.
                    new_session=True,
                )
            finally:
                os.close(there_reads)
                os.close(there_writes)

            def why() -> str:
                with suppress(Exception):
                    started.wait(timeout=_ENDING_SECONDS)
                said.seek(0)
                return said.read().decode(errors="replace")

            try:
                with talking(self.name, reader, writer, why) as session:
                    yield session
            finally:
                with suppress(OSError):
                    writer.close()
                started.wait()

    def send(self, source: str, target: str, *, moving: bool = False) -> int:
        """Send by rsync."""
        return rsync(
            source,
            f"{self._way.before}{target}",
            shell=self._way.shell,
            environment=self._environment,
            node=self.name,
            moving=moving,
        )

    def give(self, source: str, target: str) -> int:
        """Send them; there is nothing over there that could be the same."""
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
