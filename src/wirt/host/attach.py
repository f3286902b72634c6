"""A terminal joined with a console: what is typed goes to the one, what the other's log gains is shown.

A console that is only ever written to a file has any number of viewers, and none of them is missed when it goes.
"""

import os
import pty
import select
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Error

ESCAPE = b"\x1d"
"""Ctrl-], by which virsh, xl and telnet are left as well."""
VZ_ESCAPE = b"\x1b."
"""Esc and a dot, by which vzctl's consoles are left."""

_LOOK_SECONDS = 0.02
_SIZE_SECONDS = 0.2
_PIECE = 256
"""Bytes typed at a time: User-Mode Linux 6.1 never reads a line again whose 4 KiB were full once."""
_READ_BYTES = 65536


def find_last_lines(log: int, most: int) -> int:
    """Return where the last lines of a log begin, ``most`` bytes of it or fewer."""
    size = os.fstat(log).st_size
    begin = max(0, size - most)
    if begin == 0:
        return 0
    return begin + os.pread(log, most, begin).find(b"\n") + 1


def join(
    log: int, begin: int, died: int, *, console: int | None, keyboard: int, screen: int
) -> bool:
    """Show what a log holds and gains, until the person leaves or the machine that writes it is gone.

    Args:
        log: descriptor of the log.
        begin: the first byte of it that is shown.
        died: a descriptor that becomes readable when the machine has ended.
        console: a descriptor, not waiting, that takes what is typed; None: nothing is typed.
        keyboard: where that is read from, until ``ESCAPE`` or its end.
        screen: where the log is shown.

    Returns:
        True if the person left, False if the machine ended.
    """
    with _raw(keyboard if console is not None else None):
        shown = begin
        pending = b""
        while True:
            watched = [died] if console is None or pending else [died, keyboard]
            ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS)
            shown = _show(log, shown, screen)
            if died in ready:
                _show(log, shown, screen)
                return False
            if keyboard in ready:
                pending = os.read(keyboard, _READ_BYTES)
                if not pending:
                    return True
            if pending and console is not None:
                typed, escape, _ = pending[:_PIECE].partition(ESCAPE)
                # Nobody reads there: it is lost, as on a serial line.
                with suppress(BlockingIOError):
                    os.write(console, typed)
                if escape:
                    return True
                pending = pending[_PIECE:]


def run_on_terminal(
    program: Callable[[], int], *, keyboard: int, screen: int, escape: bytes = ESCAPE
) -> int | None:
    """Run something on a terminal of its own, joined with ours, and return its exit status; None: the person left it.

    It runs in a process of its own whose terminal goes when the person leaves, or when this process ends in any way: so it is told
    that nobody is there any more (SIGHUP), and ends.

    Args:
        program: what runs there; it is in a copy of this process.
        keyboard: our terminal, which is read until ``escape`` or its end.
        screen: where the other's output is shown.
        escape: by what the person leaves.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        # Whatever comes of it: what is above us belongs to the process that we are a copy of.
        status = 1
        try:
            status = program()
        except Error as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(status)
    try:
        with _raw(keyboard):
            is_left = _pass_on(terminal, keyboard, screen, escape)
    finally:
        os.close(terminal)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if is_left else status


def _pass_on(terminal: int, keyboard: int, screen: int, escape: bytes) -> bool:
    """Hand on what is typed and what is said; return whether the person left."""
    # The beginning of an escape is held back until it is known whether it is one.
    pending = b""
    while True:
        size = termios.tcgetwinsize(keyboard)
        if termios.tcgetwinsize(terminal) != size:
            termios.tcsetwinsize(terminal, size)
        ready, _, _ = select.select([terminal, keyboard], [], [], _SIZE_SECONDS)
        if terminal in ready:
            try:
                said = os.read(terminal, _READ_BYTES)
            except OSError:  # nobody has the other side open any more
                return False
            while said:
                said = said[os.write(screen, said) :]
        if keyboard in ready:
            typed = os.read(keyboard, _READ_BYTES)
            text, found, _ = (pending + typed).partition(escape)
            pending = b"" if found else _begun(text, escape)
            os.write(terminal, text[: len(text) - len(pending)])
            if found or not typed:
                return True


def _begun(text: bytes, escape: bytes) -> bytes:
    """Return the end of a text that may be the beginning of an escape."""
    return next(
        (escape[:n] for n in range(len(escape) - 1, 0, -1) if text.endswith(escape[:n])), b""
    )


def _show(log: int, shown: int, screen: int) -> int:
    """Show what the log has beyond ``shown`` and return how far that is."""
    # Somebody made room: what is there now is new.
    if os.fstat(log).st_size < shown:
        shown = 0
    while part := os.pread(log, _READ_BYTES, shown):
        shown += len(part)
        while part:
            part = part[os.write(screen, part) :]
    return shown


@contextmanager
def _raw(terminal: int | None) -> Iterator[None]:
    """Have a terminal hand on every key as it is for as long as the block runs; what is none stays as it is."""
    if terminal is None or not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
