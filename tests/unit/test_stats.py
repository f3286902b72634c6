import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as reference

from wirt.bench import stats
from wirt.bench.analysis import Verdict
from wirt.bench.stats import Interval

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

NOISES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(0, 0.03, n),
    "heavy tails": lambda rng, n: 0.02 * rng.standard_t(4, n),
    "skewed": lambda rng, n: 0.03 * (rng.exponential(1, n) - 1),
}


def by_block(logs: NDArray[np.float64]) -> dict[int, float]:
    return {block: math.exp(log) for block, log in enumerate(logs)}


def coverage(draw: Draw, blocks: int, *, repeats: int) -> float:
    """Return the share of intervals that hold the true ratio, which is 1."""
    rng = np.random.default_rng(2006)
    hits = 0
    for seed in range(repeats):
        interval = stats.ratio_interval(by_block(draw(rng, blocks)), seed=seed)
        assert interval is not None
        hits += interval.low <= 1 <= interval.high
    return hits / repeats


def test_geometric_mean_of_a_ratio_and_its_inverse_is_one() -> None:
    assert stats.geometric_mean([4, 0.25]) == pytest.approx(1)


def test_geometric_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        stats.geometric_mean([])


def test_pair_ratios_with_a_block_on_one_side_only_leaves_it_out() -> None:
    ratios = stats.pair_ratios({0: 50, 1: 90, 3: 1}, {0: 100, 1: 100, 2: 100})

    assert ratios == {0: 0.5, 1: 0.9}


def test_ratio_interval_of_few_blocks_is_the_t_interval() -> None:
    logs = np.log([0.95, 0.97, 0.96, 0.99])
    low, high = reference.t.interval(0.95, 3, logs.mean(), reference.sem(logs))

    interval = stats.ratio_interval(by_block(logs), seed=0)

    assert interval is not None
    assert interval.low == pytest.approx(math.exp(low))
    assert interval.high == pytest.approx(math.exp(high))


@pytest.mark.parametrize("blocks", [1, 2])
def test_ratio_interval_of_one_or_two_blocks_is_unknown(blocks: int) -> None:
    assert stats.ratio_interval(dict.fromkeys(range(blocks), 0.9), seed=0) is None


def test_ratio_interval_of_many_blocks_is_the_same_for_the_same_seed() -> None:
    ratios = by_block(np.random.default_rng(1).normal(0, 0.02, 12))

    assert stats.ratio_interval(ratios, seed=5) == stats.ratio_interval(ratios, seed=5)
    assert stats.ratio_interval(ratios, seed=5) != stats.ratio_interval(ratios, seed=6)


@pytest.mark.parametrize(
    ("noise", "blocks", "least"),
    [
        ("normal", 3, 0.92),
        ("normal", 5, 0.92),
        ("normal", 10, 0.92),
        ("heavy tails", 5, 0.92),
        ("heavy tails", 12, 0.92),
        ("skewed", 3, 0.86),
        ("skewed", 12, 0.87),
    ],
)
def test_ratio_interval_under_known_noise_holds_the_truth_as_often_as_documented(
    noise: str, blocks: int, least: float
) -> None:
    share = coverage(NOISES[noise], blocks, repeats=1000)

    assert least <= share <= 0.975


@pytest.mark.parametrize("blocks", [4, 12])
def test_index_interval_with_noise_shared_by_the_tests_of_a_block_holds_the_truth(
    blocks: int,
) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(500):
        shared = rng.normal(0, 0.02, blocks)
        cells = [by_block(shared + rng.normal(0, 0.01, blocks)) for _ in range(6)]
        interval = stats.index_interval(cells, seed=seed)
        assert interval is not None
        hits += interval.low <= 1 <= interval.high

    assert 0.92 <= hits / 500 <= 0.98


@pytest.mark.parametrize("blocks", [6, 16])
def test_index_interval_with_cells_of_different_length_holds_the_truth(blocks: int) -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for seed in range(500):
        cells = [
            by_block(rng.normal(0, 0.02, n)) for n in (blocks, blocks, blocks - 2, blocks // 2)
        ]
        interval = stats.index_interval(cells, seed=seed)
        assert interval is not None
        hits += interval.low <= 1 <= interval.high

    assert 0.92 <= hits / 500 <= 0.99


def test_index_interval_with_a_test_of_two_blocks_is_unknown() -> None:
    three = {0: 1.0, 1: 1.1, 2: 1.0}

    assert stats.index_interval([three, three], seed=0) is not None
    assert stats.index_interval([three, {0: 1.0, 1: 1.1}], seed=0) is None
    assert stats.index_interval([], seed=0) is None


def test_welch_interval_agrees_with_the_reference() -> None:
    values, base = [98.0, 103.0, 101.0, 97.0], [110.0, 108.0, 113.0]
    expected = reference.ttest_ind(
        np.log(values), np.log(base), equal_var=False
    ).confidence_interval(0.95)

    interval = stats.welch_interval(values, base)

    assert interval is not None
    assert interval.low == pytest.approx(math.exp(expected.low))
    assert interval.high == pytest.approx(math.exp(expected.high))


def test_welch_interval_without_any_noise_has_no_width() -> None:
    assert stats.welch_interval([4.0] * 3, [2.0] * 3) == Interval(low=2.0, high=2.0)


def test_welch_interval_of_two_figures_is_unknown() -> None:
    assert stats.welch_interval([4.0] * 2, [2.0] * 3) is None


def test_half_width_is_the_upper_reach_of_the_t_interval() -> None:
    ratios = [0.95, 0.97, 0.96, 0.99]
    interval = stats.ratio_interval(dict(enumerate(ratios)), seed=0)
    width = stats.half_width(ratios)

    assert interval is not None
    assert width == pytest.approx(interval.high / stats.geometric_mean(ratios) - 1)
    assert stats.half_width([0.9]) is None


def test_needs_more_below_five_blocks_is_true_however_calm() -> None:
    assert stats.needs_more([1.0] * 4, 0.03)
    assert not stats.needs_more([1.0] * 5, 0.03)
    assert not stats.needs_more([1.0] * 3, 0.03, minimum=3)


def test_needs_more_is_decided_by_the_width_of_the_interval_not_by_the_noise() -> None:
    noisy = [0.98, 1.02]

    assert stats.needs_more(noisy * 4, stats.TARGET_CPU)
    assert not stats.needs_more(noisy * 4, stats.TARGET_OTHER)
    assert not stats.needs_more(noisy * 15, stats.TARGET_CPU)


def test_needs_more_stopping_early_costs_little_coverage() -> None:
    rng = np.random.default_rng(11)
    hits, repeats = 0, 1000
    for _ in range(repeats):
        ratios = [math.exp(log) for log in rng.normal(0, 0.02, stats.MIN_BLOCKS)]
        while stats.needs_more(ratios, stats.TARGET_CPU) and len(ratios) < 30:
            ratios.append(math.exp(rng.normal(0, 0.02)))
        width = stats.half_width(ratios)
        assert width is not None
        hits += abs(math.log(stats.geometric_mean(ratios))) <= math.log1p(width)

    assert hits / repeats >= 0.90


@pytest.mark.parametrize(
    ("ratio", "low", "high", "verdict"),
    [
        (0.90, 0.88, 0.92, Verdict.DIFFERENT),
        (1.05, 1.01, 1.09, Verdict.DIFFERENT),
        (0.99, 0.985, 0.995, Verdict.SAME),
        (1.00, 0.98, 1.02, Verdict.SAME),
        (0.985, 0.975, 0.995, Verdict.UNCLEAR),
        (0.97, 0.93, 1.01, Verdict.UNCLEAR),
        (1.00, 0.97, 1.03, Verdict.UNCLEAR),
    ],
)
def test_judge_by_interval_and_threshold(
    ratio: float, low: float, high: float, verdict: Verdict
) -> None:
    assert stats.judge(ratio, Interval(low=low, high=high)) is verdict


def test_judge_without_interval_or_ratio_cannot_tell() -> None:
    assert stats.judge(0.5, None) is Verdict.UNCLEAR
    assert stats.judge(None, None) is Verdict.UNCLEAR


def test_spread_of_small_noise_is_about_its_relative_size() -> None:
    values = 500 * np.exp(np.random.default_rng(0).normal(0, 0.02, 2000))

    assert stats.spread(values.tolist()) == pytest.approx(0.02, rel=0.05)
    assert stats.spread([1.0]) is None


def test_outliers_with_one_figure_far_off_flags_it_alone() -> None:
    assert stats.outliers([100, 101, 99, 100.5, 40, 99.5]) == [False] * 4 + [True, False]


def test_outliers_among_few_or_equal_figures_flags_nothing() -> None:
    assert stats.outliers([1, 1.1, 0.9, 1, 50]) == [False] * 5
    assert stats.outliers([5.0] * 6) == [False] * 6


def test_outliers_in_normal_noise_are_hardly_ever_flagged() -> None:
    rng = np.random.default_rng(5)
    flags = sum(sum(stats.outliers(rng.lognormal(0, 0.02, 8).tolist())) for _ in range(1000))

    assert flags < 16  # of 8000


def test_noise_floor_is_what_nineteen_of_twenty_differences_stay_within() -> None:
    ratios = np.exp(np.random.default_rng(8).normal(0, 0.01, 4000))
    floor = stats.noise_floor(ratios.tolist())

    assert floor is not None
    assert np.mean(np.abs(np.log(ratios)) < math.log1p(floor)) == pytest.approx(0.95, abs=0.01)
    assert stats.noise_floor([]) is None
