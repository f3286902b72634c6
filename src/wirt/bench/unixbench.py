"""UnixBench's own rules: how 4.1.0 and 5.x turn passes into a figure, and figures into an index.

Each variant is named and labelled, because their numbers are not comparable with each other. The
facts are those of the published reports and of the ``index.base`` file that every version shares;
no code is taken over.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from wirt.bench.workloads import INDEX_4_1, INDEX_5, WORKLOADS

BASELINE_INDEX = 10.0
"""The index of the baseline machine "George", a SPARCstation 20-61 of 1995, in every test."""


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of a test: its rate in the test's unit, and the raw count that 5.x sorts by."""

    rate: float
    count: float


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One way to an index."""

    name: str
    label: str
    version: str
    """How the versions of UnixBench that have it begin."""
    members: tuple[str, ...]
    """Test ids, all of them wanted; with one missing the index is partial."""
    score: Callable[[Sequence[Pass]], float]


class RuleIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index by a rule, with what went into it."""

    value: float
    members: list[str]
    missing: list[str]


def score_41(passes: Sequence[Pass]) -> float:
    """Return the figure that 4.1.0's index uses: the geometric mean of all passes."""
    return math.exp(math.fsum(math.log(one.rate) for one in passes) / len(passes))


def score_5(passes: Sequence[Pass]) -> float:
    """Return the figure of 5.1 and later.

    The worst third of the passes by raw count is discarded; the rest is averaged geometrically.

    The trim is one-sided, so the figure lies above the mean of the passes; it is good for
    comparing with other UnixBench 5 results and for nothing else.
    """
    best = sorted(passes, key=lambda one: one.count)[len(passes) // 3 :]
    return score_41(best)


RULES = (
    Rule(
        name="unixbench-4.1",
        version="4.",
        label="UnixBench 4.1.0 with all 11 items: every pass counts, George = 10",
        members=INDEX_4_1,
        score=score_41,
    ),
    Rule(
        name="unixbench-4.1 (10 items)",
        version="4.",
        label=(
            "UnixBench 4.1.0 as in most published reports: without context1, every pass counts, "
            "George = 10"
        ),
        members=tuple(test for test in INDEX_4_1 if test != "context1"),
        score=score_41,
    ),
    Rule(
        name="unixbench-5",
        version="5.",
        label="UnixBench 5.1 and later, 12 items: the worst third of passes discarded, George = 10",
        members=INDEX_5,
        score=score_5,
    ),
)


def rules_for(source: str | None) -> tuple[Rule, ...]:
    """Return the rules that figures from a source can be put through.

    Args:
        source: the program that took them, such as "UnixBench 5.1.3", whose report has figures to which its own rule
            has been applied already; None for passes of Wirt's own, which suit every rule.
    """
    if source is None:
        return RULES
    version = source.rpartition(" ")[2]
    return tuple(rule for rule in RULES if version.startswith(rule.version))


def index_of(test: str, figure: float) -> float:
    """Return the index of one test: 10 * figure / George's figure.

    Raises:
        ValueError: the test never had a baseline.
    """
    baseline = WORKLOADS[test].baseline
    if baseline is None:
        raise ValueError(f"{test} has no baseline")
    return BASELINE_INDEX * figure / baseline


def rule_index(rule: Rule, passes: Mapping[str, Sequence[Pass]]) -> RuleIndex | None:
    """Return the geometric mean of the indices of the rule's members that were measured.

    Args:
        rule: the variant.
        passes: the passes of one subject by test id.

    Returns:
        None if no member was measured.
    """
    members = [test for test in rule.members if passes.get(test)]
    if not members:
        return None
    logs = [math.log(index_of(test, rule.score(passes[test]))) for test in members]
    return RuleIndex(
        value=math.exp(math.fsum(logs) / len(logs)),
        members=members,
        missing=[test for test in rule.members if test not in members],
    )
