"""Several things at once, in order, and none of them left running."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from wirt.bench.parallel import side_by_side
from wirt.errors import Failed
from wirt.host import interrupts, run


def test_side_by_side_returns_results_in_order_and_runs_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def call(number: int) -> int:
        together.wait()
        return number

    assert side_by_side([lambda number=number: call(number) for number in range(3)]) == [0, 1, 2]  # type: ignore[misc]


def test_side_by_side_of_nothing_is_nothing() -> None:
    assert side_by_side([]) == []


def test_side_by_side_with_a_failure_waits_for_the_others_and_raises_it() -> None:
    ended = threading.Event()
    failing = threading.Event()

    def fail() -> None:
        failing.set()
        raise Failed("told to")

    def go_on() -> None:
        failing.wait(10)
        run.run(["sleep", "0.1"])
        ended.set()

    with pytest.raises(Failed, match="told to"):
        side_by_side([fail, go_on])

    assert ended.is_set()


@pytest.fixture
def handlers() -> Iterator[None]:
    """Have the command line's handlers of signals for one test."""
    before = {number: signal.getsignal(number) for number in interrupts.ENDING}
    interrupts.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_side_by_side_when_interrupted_ends_the_programs_that_it_waits_for(
    handlers: None,
) -> None:
    pids: list[int] = []
    together = threading.Barrier(2, timeout=10)

    def wait_long() -> None:
        child = subprocess.Popen(["sleep", "1000"])
        pids.append(child.pid)
        if together.wait() == 0:  # one of them
            os.kill(os.getpid(), signal.SIGINT)
        child.wait()

    with pytest.raises(KeyboardInterrupt):
        side_by_side([wait_long, wait_long])
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(10)

    assert len(pids) == 2
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
