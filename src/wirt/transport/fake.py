"""A way to a node of fakes, for tests: a child of ours answers, and dies by itself, as another machine does."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from wirt.transport.base import LinkLost, Session
from wirt.transport.program import rsync
from wirt.transport.wire import talking

Serve = Callable[[IO[bytes], IO[bytes]], None]


class FakeLink:
    """A way that can be cut.

    Args:
        name: the node's.
        serve: answers as the other node would, in a process of its own.
        fail_at: number of the call to ``open``, ``reach`` or ``send`` (the first is 1) at which the link is cut.
    """

    def __init__(self, name: str, serve: Serve, *, fail_at: int | None = None) -> None:
        self.name = name
        self._serve = serve
        self._fail_at = fail_at
        self.calls: list[str] = []
        """The names of the calls so far."""

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Fork who answers."""
        self._count("open")
        (there_reads, we_write), (we_read, there_writes) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(we_write)
                os.close(we_read)
                with open(there_reads, "rb") as reader, open(there_writes, "wb") as writer:
                    self._serve(reader, writer)
                status = 0
            finally:
                os._exit(status)
        os.close(there_reads)
        os.close(there_writes)
        with open(we_read, "rb") as reader, open(we_write, "wb") as writer:
            try:
                with talking(self.name, reader, writer, lambda: "its process has ended") as session:
                    yield session
            finally:
                with suppress(OSError):
                    writer.close()
                os.waitpid(child, 0)

    @contextmanager
    def reach(self, socket: str) -> Iterator[str]:
        """Give the very path: the other node is a directory of this machine."""
        self._count("reach")
        yield socket

    def send(self, source: str, target: str, *, moving: bool = False) -> int:
        """Send by rsync, as real ones do."""
        self._count("send")
        return rsync(source, target, node=self.name, moving=moving)

    def give(self, source: str, target: str) -> int:
        """Send them."""
        return self.send(source, target)

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self._fail_at:
            raise LinkLost(f"node {self.name} does not answer: the link was cut")
