"""Signals that end a command, kept waiting while it is in the middle of something.

A command lets them in only where it may be broken off: while a step runs, while it waits. Everywhere else they wait
until what was begun is written down or tidied up, so that Ctrl-C never leaves more than a death would.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held = False
_waiting = False


def install() -> None:
    """Let each of the signals that end a command come as KeyboardInterrupt, at once or when it is let in.

    A command begun with nohup(1) goes on when its terminal is closed: that signal is not waited for.
    """
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _arrived)


@contextmanager
def held_back() -> Iterator[None]:
    """Keep the signals waiting for as long as the block runs; the last thing it does is to let them in."""
    with _set(held=True):
        yield


@contextmanager
def allowed() -> Iterator[None]:
    """Let the signals in for as long as the block runs, within one that keeps them waiting."""
    with _set(held=False):
        _let_in()
        yield


@contextmanager
def _set(*, held: bool) -> Iterator[None]:
    global _held
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread alone: no other can be broken off.
        yield
        return
    before = _held
    _held = held
    try:
        yield
    finally:
        _held = before
        _let_in()


def _let_in() -> None:
    global _waiting
    if _waiting and not _held:
        _waiting = False
        raise KeyboardInterrupt


def _arrived(number: int, frame: FrameType | None) -> None:
    global _waiting
    _waiting = True
    _let_in()
