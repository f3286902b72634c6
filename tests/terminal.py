"""A terminal with a command line on it, for tests of what a person sees there."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.homes import WIRT, HomeUnderTest
from wirt.host import process

SECONDS = 30.0


class Terminal:
    """The person's side of a terminal on which one command runs."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid = pid
        self._master = master
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as a window that is pulled."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._master, text.encode())

    def expect(self, text: str, *, seconds: float = SECONDS) -> None:
        """Read until ``text`` has been shown, and forget everything up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            more = self._read(deadline)
            assert more, f"the terminal ended without {text!r}: {self.seen!r}"
            self.seen += more
        self.seen = self.seen.partition(text)[2]

    def end(self) -> int:
        """Read to the end and return the exit status of the command."""
        deadline = time.monotonic() + SECONDS
        while more := self._read(deadline):
            self.seen += more
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status

    def _read(self, deadline: float) -> str:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"the terminal is silent: {self.seen!r}"
        with suppress(OSError):  # the other side is closed
            return os.read(self._master, 4096).decode(errors="replace")
        return ""


@contextmanager
def open_terminal(home: HomeUnderTest, *arguments: str, program: str = WIRT) -> Iterator[Terminal]:
    """Run the command line, or another program of ours, on a terminal of 30 rows and 90 columns."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            # Not before the terminal has its size.
            os.read(0, 1)
            os.execve(program, [program, *arguments], {**home.environment, "TERM": "dumb"})
        finally:
            os._exit(70)
    terminal = Terminal(pid, master)
    try:
        terminal.resize(30, 90)
        terminal.type("\n")
        yield terminal
    finally:
        if terminal.pid:
            process.end(terminal.pid)
            os.waitpid(terminal.pid, 0)
        os.close(master)
