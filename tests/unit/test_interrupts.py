import os
import signal
import threading
from collections.abc import Iterator

import pytest

from wirt.host import interrupts


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    interrupts.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_signal_outside_of_everything_comes_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_closed_terminal_ends_no_command_that_was_begun_with_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts.install()
    os.kill(os.getpid(), signal.SIGHUP)

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_signal_held_back_comes_when_the_block_is_done() -> None:
    done = []

    def work() -> None:
        with interrupts.held_back():
            interrupt()
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_signal_held_back_is_let_in_where_it_is_allowed() -> None:
    done = []

    def work() -> None:
        with interrupts.held_back():
            interrupt()
            with interrupts.allowed():
                done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == []


def test_signal_where_it_is_allowed_comes_at_once_and_only_once() -> None:
    done = []
    with interrupts.held_back():
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            interrupt()
        done.append("tidied up")

    assert done == ["tidied up"]


def test_signal_held_back_in_two_blocks_comes_after_the_outer() -> None:
    done = []

    def work() -> None:
        with interrupts.held_back():
            with interrupts.held_back():
                interrupt()
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["outer"]


def test_block_in_another_thread_holds_nothing_back_here() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with interrupts.held_back():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(10)
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    leave.set()
    thread.join()
