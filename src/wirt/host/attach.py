"""A terminal joined with a console: what is typed goes to the one, what the other's log gains is shown.

A console that is only ever written to a file has any number of viewers, and none of them is missed when it goes.
"""

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ESCAPE = b"\x1d"
"""Ctrl-], by which virsh, xl and telnet are left as well."""

_LOOK_SECONDS = 0.02
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
