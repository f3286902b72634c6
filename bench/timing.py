"""Times commands side by side: the one place of ``bench/`` that runs a program or takes a time.

A pair is one value of ours and, right after it, one of the peer's: A B A B. What the machine does meanwhile (heat,
neighbours) hits both, so that the ratio of a pair means something where the values alone do not.
"""

import os
import select
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from wirt.bench import stats

Measure = Callable[[], float]
"""Does the work once and returns what is measured of it."""

TIMEOUT = 300.0
"""Seconds that a single command may take."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a row sets side by side."""

    ours: Measure
    peer: Measure


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the pairs of a row say."""

    ours: float
    """Median."""
    peer: float
    """Median."""
    ratio: float
    """Of the medians."""
    low: float | None
    """Lower end of the 95 % interval of the ratio within a pair; None below two pairs."""
    high: float | None


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed and return its output.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    with _finished(argv, environment) as (out, _):
        return out.read()


def run_watched(
    argv: Sequence[str], environment: Mapping[str, str] | None = None, directory: str | None = None
) -> tuple[str, float]:
    """Run a command that must succeed, in ``directory``; return all that it said, and the seconds it took.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    started = time.monotonic()
    with _finished(argv, environment, directory) as (out, errors):
        took = time.monotonic() - started
        return out.read() + errors.read(), took


@contextmanager
def _finished(
    argv: Sequence[str], environment: Mapping[str, str] | None, directory: str | None = None
) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a command that must succeed and give what it said, ready to be read."""
    # Files, not pipes: a daemon that the command leaves behind would hold a pipe open.
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+") as err:
        # Not subprocess.run(timeout=...): it looks every 1, 2, 4 ... 50 ms whether the command has ended, so that all
        # times would be 16, 32, 64, 114 or 165 ms.
        with subprocess.Popen(
            argv,
            env=_environment(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        ) as done:
            _wait(done)
        out.seek(0)
        err.seek(0)
        if done.returncode != 0:
            said = (err.read().strip() or out.read().strip())[-500:]
            raise RuntimeError(f"{' '.join(argv)} ended with status {done.returncode}: {said}")
        yield out, err


def _wait(command: subprocess.Popen[bytes]) -> None:
    """Wait for a command's end at the kernel, which tells it at once.

    Raises:
        subprocess.TimeoutExpired: it was not over after ``TIMEOUT`` and was killed.
    """
    ended = os.pidfd_open(command.pid)
    try:
        if not select.select([ended], [], [], TIMEOUT)[0]:
            command.kill()
            raise subprocess.TimeoutExpired(command.args, TIMEOUT)
    finally:
        os.close(ended)
    command.wait()


def finish_orphans() -> None:
    """Wait for the processes that commands left running, whose parent we became."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def seconds_of(*commands: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Run commands one after the other and return the seconds from the first one's start to the last one's end."""
    started = time.monotonic()
    for command in commands:
        run(command, environment)
    return time.monotonic() - started


def seconds_until_line(argv: Sequence[str], text: str) -> float:
    """Start a machine in the foreground and return the seconds until its console shows ``text``; then end it.

    Raises:
        RuntimeError: it ended, or the time was over, without showing it.
    """
    started = time.monotonic()
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as machine:
        assert machine.stdout is not None
        try:
            last = ""
            for line in machine.stdout:
                last = line.strip() or last
                if text in line:
                    return time.monotonic() - started
                if time.monotonic() - started > TIMEOUT:
                    break
            raise RuntimeError(f"{argv[0]} never said {text!r}; its last line: {last}")
        finally:
            # Its own session: all of its processes (UML has one for each of its guest's) end with it.
            os.killpg(machine.pid, 9)


def seconds_until(
    argv: Sequence[str],
    happened: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> float:
    """Run a command and return the seconds from its start until, after its end, something has happened.

    Nobody looks before its end: an address that is asked for before it is there is asked for again only a second later
    (the kernel's ARP), which would be measured instead.

    Raises:
        RuntimeError: the command failed, or it had not happened when the time was over.
    """
    started = time.monotonic()
    run(argv, environment)
    while not happened():
        if time.monotonic() - started > TIMEOUT:
            raise RuntimeError(f"{' '.join(argv)} did not lead to what was waited for")
        time.sleep(0.002)
    return time.monotonic() - started


def take_pairs(pair: Pair, count: int, keep: Callable[[float, float], None]) -> None:
    """Take ``count`` pairs after one that warms up, and hand each to ``keep`` at once."""
    for number in range(count + 1):
        ours = pair.ours()
        peer = pair.peer()
        if number > 0:
            keep(ours, peer)


def summarise(samples: Sequence[tuple[float, float]]) -> Summary:
    """Return medians, their ratio and the interval of the paired ratio; a pure function of the samples."""
    ours = statistics.median(sample[0] for sample in samples)
    peer = statistics.median(sample[1] for sample in samples)
    paired = {number: a / b for number, (a, b) in enumerate(samples)}
    interval = stats.ratio_interval(paired, seed=1)
    return Summary(
        ours=ours,
        peer=peer,
        ratio=ours / peer,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    # PYTHONDONTWRITEBYTECODE and its kin would make every start of Wirt compile it again.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**own, **(more or {})}
