"""Does several things at once, each of which waits for a program."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from wirt.host import interrupts, process

Result = TypeVar("Result")

_WAKE_SECONDS = 1.0
_END_SECONDS = 1.0
_LOOK_SECONDS = 0.02


def side_by_side(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Make the calls at the same time and return their results in order, once all have ended.

    An interrupt reaches the main thread alone, so what the others wait for is ended for them: the programs that they
    run on the node here, what they run in guests by the caller, who takes the guests away.

    Raises:
        Error: what the first call that failed did.
    """
    threads = ThreadPoolExecutor(max(1, len(calls)))
    futures: list[Future[Result]] = []
    try:
        with interrupts.held_back():  # so that each that is begun is known
            futures += [threads.submit(call) for call in calls]
        return [_result_of(future) for future in futures]
    except KeyboardInterrupt:
        with interrupts.held_back():  # a second one waits until the first has been seen to
            threads.shutdown(wait=False, cancel_futures=True)
            _end(futures)
        raise
    except BaseException:
        # What still runs would disturb whatever is measured next.
        threads.shutdown(wait=True)
        raise
    finally:
        threads.shutdown(wait=False)


def _result_of(future: "Future[Result]") -> Result:
    """Wait for a call and return its result.

    A signal that comes just before a thread begins to wait does not wake it, and Python handles it when the thread wakes:
    without looking up now and then it would be when the call ends.
    """
    while wait([future], timeout=_WAKE_SECONDS).not_done:
        pass
    return future.result()


def _end(futures: Sequence["Future[Any]"]) -> None:
    """End the programs of the node that the threads wait for.

    Until nobody is seen twice running: one may just be starting, in a thread that the interrupt kept from being noted.
    """
    deadline = time.monotonic() + _END_SECONDS
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline:
        running = process.list_descendants(os.getpid())
        for pid in running:
            process.end(pid)
        waiting = wait(futures, timeout=_LOOK_SECONDS).not_done
        time.sleep(_LOOK_SECONDS)
        quiet = 0 if running or waiting else quiet + 1
