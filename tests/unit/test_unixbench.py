import math

import pytest

from wirt.bench import unixbench
from wirt.bench.unixbench import RULES, Pass, Rule
from wirt.bench.workloads import INDEX_4_1, INDEX_5, WORKLOADS

BY_NAME = {rule.name: rule for rule in RULES}

# A published report of UnixBench 5 ("UnixBench Score: An Introduction", Alibaba Cloud, 2018):
# test, figure, index.
REPORT_5 = """
dhry2reg 30971628.9 2654.0
whetstone 3928.1 714.2
execl 3117.6 725.0
fstime 645027.2 1628.9
fsbuffer 229505.4 1386.7
fsdisk 1288742.6 2222.0
pipe 1635960.9 1315.1
context1 337333.8 843.3
spawn 8238.2 653.8
shell1 5817.0 1371.9
shell8 2183.9 3639.8
syscall 2465754.7 1643.8
"""
# The indices of an example in UnixBench 5's manual: test, one copy, two copies.
MANUAL_5 = """
dhry2reg 562.5 1110.3
whetstone 320.0 640.4
execl 450.4 880.3
fstime 759.4 595.9
fsbuffer 535.8 438.8
fsdisk 1261.8 1043.4
pipe 481.0 979.3
context1 326.8 1229.0
spawn 917.2 1714.1
shell1 1064.9 1566.3
shell8 1567.7 1709.9
syscall 944.2 1445.5
"""


def columns(table: str) -> dict[str, tuple[float, float]]:
    rows = (line.split() for line in table.split("\n") if line)
    return {test: (float(first), float(second)) for test, first, second in rows}


def once(figure: float) -> list[Pass]:
    return [Pass(rate=figure, count=figure)]


def score(rule: Rule, figures: dict[str, float]) -> float:
    index = unixbench.rule_index(rule, {test: once(value) for test, value in figures.items()})
    assert index is not None
    return index.value


@pytest.mark.parametrize(("test", "row"), columns(REPORT_5).items())
def test_index_of_each_published_figure_is_the_published_one(
    test: str, row: tuple[float, float]
) -> None:
    figure, index = row

    assert round(unixbench.index_of(test, figure), 1) == index


def test_index_of_a_test_without_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match="hanoi has no baseline"):
        unixbench.index_of("hanoi", 1.0)


def test_rule_5_of_a_published_report_is_the_published_index() -> None:
    figures = {test: figure for test, (figure, _) in columns(REPORT_5).items()}

    # Published as 1362.9; the published figures are rounded.
    assert score(BY_NAME["unixbench-5"], figures) == pytest.approx(1362.8, abs=0.05)


@pytest.mark.parametrize(("column", "published"), [(0, 678.1), (1, 1026.2)])
def test_rule_5_of_the_manuals_indices_is_the_manuals_total(column: int, published: float) -> None:
    figures = {
        test: row[column] * (WORKLOADS[test].baseline or math.nan) / 10
        for test, row in columns(MANUAL_5).items()
    }

    # The manual prints 678.2 for one copy, from figures that it does not round.
    assert score(BY_NAME["unixbench-5"], figures) == pytest.approx(published, abs=0.05)


def test_rules_want_what_their_versions_list() -> None:
    assert len(INDEX_5) == 12
    assert len(INDEX_4_1) == 11
    assert set(INDEX_5) - set(INDEX_4_1) == {"shell1"}
    assert BY_NAME["unixbench-5"].members == INDEX_5
    assert BY_NAME["unixbench-4.1"].members == INDEX_4_1
    assert set(INDEX_4_1) - set(BY_NAME["unixbench-4.1 (10 items)"].members) == {"context1"}


def test_score_41_averages_every_pass_geometrically() -> None:
    passes = [Pass(rate=rate, count=1) for rate in (100.0, 400.0, 200.0)]

    assert unixbench.score_41(passes) == pytest.approx(200)


@pytest.mark.parametrize(("passes", "kept"), [(10, 7), (3, 2), (2, 2), (1, 1), (5, 4)])
def test_score_5_discards_the_worst_third(passes: int, kept: int) -> None:
    rates = [float(2**n) for n in range(passes)]
    best = rates[-kept:]

    result = unixbench.score_5([Pass(rate=rate, count=rate) for rate in reversed(rates)])

    assert result == pytest.approx(math.prod(best) ** (1 / kept))


def test_score_5_sorts_by_raw_count_not_by_rate() -> None:
    slow_but_long = Pass(rate=10, count=300)
    fast_but_short = Pass(rate=30, count=100)
    middle = Pass(rate=20, count=200)

    assert unixbench.score_5([fast_but_short, slow_but_long, middle]) == pytest.approx(
        math.sqrt(10 * 20)
    )


def test_rule_index_with_a_test_missing_names_it() -> None:
    index = unixbench.rule_index(
        BY_NAME["unixbench-5"], {"dhry2reg": once(116700), "pipe": once(12440), "execl": []}
    )

    assert index is not None
    assert index.value == pytest.approx(10)
    assert index.members == ["dhry2reg", "pipe"]
    assert len(index.missing) == 10
    assert "execl" in index.missing


def test_rule_index_of_tests_outside_the_index_is_none() -> None:
    assert unixbench.rule_index(BY_NAME["unixbench-5"], {"hanoi": once(5)}) is None
