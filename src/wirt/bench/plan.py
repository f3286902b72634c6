"""What a run will do, as pure values: profiles, cells, and the order of a block."""

import random
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wirt.bench import lifecycle, stats
from wirt.bench.importers.siege import HTTP_TEST
from wirt.bench.sample import Planned
from wirt.bench.workloads import INDEX_4_1, INDEX_5, WORKLOADS, Group, find_workload
from wirt.errors import InvalidInput

SUITES = ("unix", "http", lifecycle.SUITE)
"""All that there are; what a profile takes of itself is the profile's."""


SHORTEST_PASS, LONGEST_PASS = 0.01, 3600.0
"""Seconds that the workloads take for the length of a pass; the shorter is also the tick of Siege's clock."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How thoroughly to measure."""

    name: str
    description: str
    tests: tuple[str, ...]
    all_cpus: bool
    """True to run the tests with one copy per CPU as well."""
    seconds: float | None
    """Length of a pass; None for UnixBench's own lengths and numbers of passes."""
    warmup_seconds: float
    blocks: int
    most_blocks: int
    http_seconds: float
    http_warmup_seconds: float
    http_blocks: int
    http_parallel_blocks: int
    """The same with several servers at once: their guests take long to start."""
    suites: tuple[str, ...] = ("unix", "http")
    """What is measured if nobody says."""


_INDEX_TESTS = tuple(test for test in WORKLOADS if test in INDEX_4_1 or test in INDEX_5)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="quick",
            description="the index tests and Apache, passes of about a second, 3 blocks",
            tests=_INDEX_TESTS,
            all_cpus=False,
            seconds=1.0,
            warmup_seconds=0.2,
            blocks=3,
            most_blocks=3,
            http_seconds=2,
            http_warmup_seconds=1,
            http_blocks=3,
            http_parallel_blocks=1,
        ),
        Profile(
            name="standard",
            description="all tests, with one copy and one per CPU, until the intervals are small",
            tests=tuple(WORKLOADS),
            all_cpus=True,
            seconds=3,
            warmup_seconds=1,
            blocks=5,
            most_blocks=20,
            http_seconds=10,
            http_warmup_seconds=2,
            http_blocks=5,
            http_parallel_blocks=5,
            suites=SUITES,
        ),
        Profile(
            name="thesis",
            description="UnixBench's own durations and passes, 30 minutes of Siege",
            tests=tuple(WORKLOADS),
            all_cpus=False,
            seconds=None,
            warmup_seconds=1,
            blocks=10,
            most_blocks=10,
            http_seconds=1800,
            http_warmup_seconds=10,
            http_blocks=1,
            http_parallel_blocks=1,
        ),
    )
}


def build_cells(
    profile: Profile,
    *,
    suites: Sequence[str],
    tests: Sequence[str],
    cpus: int,
    guests: int,
    blocks: int | None,
    seconds: float | None,
) -> list[Planned]:
    """Return the cells of a run.

    Args:
        profile: how thoroughly.
        suites: of ``SUITES``.
        tests: tests of the unix suite; empty for the profile's own.
        cpus: processors of the node.
        guests: servers in parallel in the http suite.
        blocks: overrides the profile's number of blocks.
        seconds: overrides the length of a pass.

    Raises:
        InvalidInput: there is no such suite or test, tests are named and their suite is left out, or a pass would be
            no pass.
    """
    for suite in suites:
        if suite not in SUITES:
            raise InvalidInput(
                f"there is no suite {suite!r}", hint=f"choose one of {', '.join(SUITES)}"
            )
    for test in tests:
        find_workload(test)
    if tests and "unix" not in suites:
        raise InvalidInput(
            f"test {tests[0]} is of suite unix, which is not asked for",
            hint="leave --test or --suite out, or add --suite unix",
        )
    if seconds is not None and not SHORTEST_PASS <= seconds <= LONGEST_PASS:
        raise InvalidInput(
            f"a pass cannot take {seconds:g} s",
            hint="ask for 10ms to 1h; 100ms or more say something",
        )
    cells: list[Planned] = []
    if "unix" in suites:
        numbers = (1, cpus) if profile.all_cpus and cpus > 1 else (1,)
        cells += [
            _unix_cell(profile, test, copies, blocks, seconds)
            for copies in numbers
            for test in dict.fromkeys(tests or profile.tests)
        ]
    if "http" in suites:
        cells += [_web_cell(profile, servers, blocks, seconds) for servers in sorted({1, guests})]
    if lifecycle.SUITE in suites:
        cells.append(_life_cell(profile, blocks))
    return cells


def _life_cell(profile: Profile, blocks: int | None) -> Planned:
    least = blocks or max(profile.blocks, stats.MIN_INTERVAL)
    return Planned(
        suite=lifecycle.SUITE,
        test=lifecycle.WHOLE,
        copies=1,
        seconds=lifecycle.SECONDS,
        warmup_seconds=0.0,
        blocks=least,
        most_blocks=least,
    )


def _unix_cell(
    profile: Profile, test: str, copies: int, blocks: int | None, seconds: float | None
) -> Planned:
    workload = WORKLOADS[test]
    least = blocks or (workload.passes if profile.seconds is None else profile.blocks)
    target = stats.TARGET_CPU if workload.group is Group.CPU else stats.TARGET_OTHER
    adaptive = _is_adaptive(profile, blocks)
    return Planned(
        suite="unix",
        test=test,
        copies=copies,
        seconds=seconds or profile.seconds or workload.seconds,
        warmup_seconds=profile.warmup_seconds,
        blocks=least,
        most_blocks=profile.most_blocks if adaptive else least,
        target=target if adaptive else None,
    )


def _web_cell(profile: Profile, servers: int, blocks: int | None, seconds: float | None) -> Planned:
    least = blocks or (profile.http_parallel_blocks if servers > 1 else profile.http_blocks)
    adaptive = _is_adaptive(profile, blocks)
    return Planned(
        suite="http",
        test=HTTP_TEST,
        copies=servers,
        seconds=seconds or profile.http_seconds,
        warmup_seconds=profile.http_warmup_seconds,
        blocks=least,
        most_blocks=profile.most_blocks if adaptive else least,
        target=stats.TARGET_OTHER if adaptive else None,
    )


def _is_adaptive(profile: Profile, blocks: int | None) -> bool:
    """Say whether the intervals decide on the number of blocks."""
    return blocks is None and profile.most_blocks > profile.blocks


def is_wanted(cell: Planned, done: int, ratios: Sequence[float]) -> bool:
    """Say whether a subject is to run a cell once more.

    Args:
        cell: the cell.
        done: blocks in which it was run, or failed.
        ratios: guest/host of those in which it did not fail.
    """
    if done < cell.blocks:
        return True
    if done >= cell.most_blocks or cell.target is None or not ratios:
        return False
    return stats.needs_more(ratios, cell.target, minimum=cell.blocks)


def order_block(
    wanted: Mapping[str, Iterable[Planned]], *, seed: int, block: int
) -> list[tuple[str, Planned]]:
    """Return who runs what in a block, in an order that the seed decides: the cells at random, and of each its subjects.

    The subjects of a cell follow each other, because a guest's figure is divided by the host's: what is minutes apart
    was measured on another machine, as far as its neighbours go.
    """
    subjects: dict[Planned, list[str]] = {}
    for subject, cells in sorted(wanted.items()):
        for cell in cells:
            subjects.setdefault(cell, []).append(subject)
    chance = random.Random(f"{seed}/{block}")
    order = list(subjects)
    chance.shuffle(order)
    return [
        (subject, cell)
        for cell in order
        for subject in chance.sample(subjects[cell], len(subjects[cell]))
    ]
