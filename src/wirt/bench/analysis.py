"""What the figures of a run come to: the values that comparison makes, and that reports show."""

from enum import StrEnum

import msgspec

from wirt.bench.sample import Effort, Failure, Header


class Verdict(StrEnum):
    """Whether a subject differs from the host, by its interval and a practical threshold of 2 %."""

    DIFFERENT = "different"
    SAME = "not different"
    UNCLEAR = "cannot tell"
    BASELINE = "baseline"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: a test in a subject, against the host of the same blocks."""

    suite: str
    test: str
    subject: str
    copies: int
    value: float
    """Geometric mean over the ``n`` blocks, in ``unit``."""
    unit: str
    n: int
    """Blocks (starts of a guest) that count: those that the host has a figure of too, if there are any."""
    ratio: float | None
    """Guest / host, geometric mean over blocks; 1 for the host; None if the host has no figure."""
    ci_low: float | None
    ci_high: float | None
    """95 % interval of ``ratio``; None with fewer than three blocks."""
    index: float | None
    """10 * ratio."""
    verdict: Verdict
    spread: float | None
    """Standard deviation of the log values over the blocks: the noise of this cell."""
    capped: bool
    """The cap was reached before the interval was as small as the profile asks."""
    host_value: float | None = None
    """The host's geometric mean over the same blocks, so that ``value / host_value`` is ``ratio``."""
    median: float | None = None
    """Median over the same blocks, in ``unit``: far from ``value`` where single blocks are."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """A geometric mean over several tests, by a named rule."""

    rule: str
    """"host=10", "unixbench-4.1", "unixbench-4.1 (10 items)", "unixbench-5"."""
    label: str
    """What a reader needs to know of the rule, in one line."""
    group: str
    """"all", "cpu", "ipc" or "fs"."""
    subject: str
    copies: int
    value: float
    ci_low: float | None
    ci_high: float | None
    members: list[str]
    n: int
    """Blocks that the member with the fewest rests on."""
    missing: list[str]
    """Tests the rule wants and the run has not; not empty means the index is partial."""


class NetworkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the source's table 3.1: one subject with N servers in parallel.

    Its figures are geometric means over the blocks, as those of ``Result`` are; arithmetic where a block's is 0.
    """

    subject: str
    servers: int
    transactions: float
    data_mb: float
    response_seconds: float
    """Sum over the servers of their mean response times, as the source sums."""
    rate: float
    """Transactions per second, summed."""
    throughput_mb: float
    """MB per second, summed."""
    concurrency: float
    """Summed."""
    availability: float
    """Percent, mean over the servers."""
    elapsed_seconds: float
    """The longest of the servers' times; transactions are sent in numbers that take about as long everywhere."""
    successful: float
    failed: float
    longest_seconds: float
    shortest_seconds: float
    n: int


class LifecycleRow(msgspec.Struct, frozen=True, kw_only=True):
    """How long a verb takes on a guest of an approach (see ``lifecycle``)."""

    verb: str
    subject: str
    seconds: float
    """Geometric mean over ``n`` blocks."""
    ci_low: float | None
    """95 % interval of ``seconds``; None with fewer than three blocks."""
    ci_high: float | None
    n: int


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The guest's clock against the host's, over stretches of one pass or some (see ``ClockCheck``)."""

    subject: str
    worst: float
    """The largest relative difference over a stretch."""
    stretches: int
    passes: int
    """All passes, each of which is part of a stretch but for those after the last one."""


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report shows, made from a run's file alone."""

    header: Header
    results: list[Result]
    indices: list[Index]
    network: list[NetworkRow]
    noise_floor: list[Result]
    """The host-again cells: what this machine shows where there is nothing to see."""
    clocks: list[Clock]
    efforts: list[Effort]
    failures: list[Failure]
    warnings: list[str]
    complete: bool
    harness: dict[str, float]
    """Seconds by what they were spent on, over all commands that measured the run (see ``BlockEnd``)."""
    commands: int = 1
    """How many there were: 0 if nobody counted them."""
    lifecycle: list[LifecycleRow] = []
