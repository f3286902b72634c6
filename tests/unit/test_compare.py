import math

import msgspec
import pytest
from tests.unit.measured import header, run, sample, series, web

from wirt.bench import compare
from wirt.bench.analysis import Analysis, Index, Result, Verdict
from wirt.bench.compare import Cell
from wirt.bench.sample import HOST, HOST_AGAIN, Finish, Run, Subject
from wirt.bench.workloads import INDEX_5


def result_of(analysis: Analysis, test: str, subject: str, copies: int = 1) -> Result:
    [found] = [
        r for r in analysis.results if (r.test, r.subject, r.copies) == (test, subject, copies)
    ]
    return found


def index_of(analysis: Analysis, rule: str, group: str, subject: str, copies: int = 1) -> Index:
    [found] = [
        i
        for i in analysis.indices
        if (i.rule, i.group, i.subject, i.copies) == (rule, group, subject, copies)
    ]
    return found


def test_analyse_pairs_guest_and_host_by_block() -> None:
    # The machine slows down from block to block; the guest is always at 90 % of the host.
    measured = run(
        [*series(HOST, [1000, 800, 500, 250]), *series("lxc", [900, 720, 450, 225])],
    )

    lxc = result_of(compare.analyse(measured), "dhry2reg", "lxc")

    assert lxc.ratio == pytest.approx(0.9)
    assert lxc.ci_low == pytest.approx(0.9)
    assert lxc.ci_high == pytest.approx(0.9)
    assert lxc.index == pytest.approx(9)
    assert lxc.n == 4
    assert lxc.verdict is Verdict.DIFFERENT
    assert lxc.value == pytest.approx((900 * 720 * 450 * 225) ** 0.25)


def test_analyse_gives_the_host_ratio_1_and_index_10() -> None:
    measured = run([*series(HOST, [1000, 900, 800]), *series("lxc", [900, 800, 700])])

    host = result_of(compare.analyse(measured), "dhry2reg", HOST)

    assert (host.ratio, host.ci_low, host.ci_high, host.index) == (1, 1, 1, 10)
    assert host.verdict is Verdict.BASELINE
    assert host.n == 3


def test_analyse_of_several_passes_in_a_block_takes_their_geometric_mean_first() -> None:
    measured = run(
        [
            *series(HOST, [100, 100]),
            sample("lxc", 50, block=0),
            sample("lxc", 200, block=0),
            sample("lxc", 100, block=1),
        ]
    )

    lxc = result_of(compare.analyse(measured), "dhry2reg", "lxc")

    assert lxc.n == 2
    assert lxc.ratio == pytest.approx(1)
    assert lxc.spread == pytest.approx(0, abs=1e-9)


def test_analyse_leaves_warm_up_passes_out() -> None:
    measured = run(
        [
            *series(HOST, [100, 100]),
            *series("lxc", [1, 1], phase="warmup"),
            *series("lxc", [95, 95]),
        ]
    )

    assert result_of(compare.analyse(measured), "dhry2reg", "lxc").ratio == pytest.approx(0.95)


def test_analyse_with_a_block_missing_counts_the_others() -> None:
    measured = run([*series(HOST, [100, 100, 100]), *series("lxc", [90, 91])])

    assert result_of(compare.analyse(measured), "dhry2reg", "lxc").n == 2


def test_analyse_with_blocks_missing_shows_the_figures_that_were_divided() -> None:
    measured = run(
        [
            *web(HOST, 1, [4744, 4200, 4300]),
            *web("lxc", 3, [3755]),
            *series(HOST, [100, 200]),
            *series("lxc", [90, 120, 50]),
        ]
    )
    analysis = compare.analyse(measured)
    cpu, servers = (result for result in analysis.results if result.subject == "lxc")

    assert [servers.value, servers.host_value] == [3755, 4744]
    assert cpu.value == pytest.approx(math.sqrt(90 * 120))
    assert cpu.host_value == pytest.approx(math.sqrt(100 * 200))
    for result in analysis.results:
        assert result.ratio == pytest.approx(result.value / (result.host_value or 0))


def test_analyse_shows_the_same_rate_in_the_network_table_as_in_the_results() -> None:
    analysis = compare.analyse(run([*web(HOST, 1, [100, 300]), *web("lxc", 1, [90, 20])]))

    for row in analysis.network:
        assert row.rate == result_of(analysis, "apache", row.subject).value


def test_analyse_of_failed_transactions_in_one_block_does_not_lose_them() -> None:
    [first] = web("lxc", 1, [100], failed_transactions=30.0)
    [second] = web("lxc", 1, [100], failed_transactions=0.0)
    second = msgspec.structs.replace(second, block=1)

    [row] = compare.analyse(run([first, second])).network

    assert row.failed == 15


def test_analyse_without_a_host_shows_figures_and_no_ratio() -> None:
    lxc = result_of(compare.analyse(run(series("lxc", [90, 91]))), "dhry2reg", "lxc")

    assert lxc.ratio is lxc.ci_low is lxc.ci_high is lxc.index is None
    assert lxc.verdict is Verdict.UNCLEAR
    assert lxc.n == 2


def test_analyse_of_one_block_has_a_ratio_without_interval() -> None:
    lxc = result_of(compare.analyse(run([sample(HOST, 100), sample("lxc", 50)])), "dhry2reg", "lxc")

    assert lxc.ratio == 0.5
    assert lxc.ci_low is None
    assert lxc.verdict is Verdict.UNCLEAR


def test_analyse_compares_copies_with_the_hosts_same_copies() -> None:
    measured = run(
        [
            *series(HOST, [100, 100]),
            *series(HOST, [200, 200], copies=2),
            *series("lxc", [100, 100]),
            *series("lxc", [150, 150], copies=2),
        ]
    )

    assert result_of(compare.analyse(measured), "dhry2reg", "lxc", 2).ratio == pytest.approx(0.75)


def test_analyse_compares_parallel_web_guests_with_the_one_server_of_the_host() -> None:
    measured = run(
        [*web(HOST, 1, [100, 110]), *web("lxc", 1, [90, 99]), *web("lxc", 3, [200, 220])]
    )
    analysis = compare.analyse(measured)

    assert result_of(analysis, "apache", "lxc", 1).ratio == pytest.approx(0.9)
    assert result_of(analysis, "apache", "lxc", 3).ratio == pytest.approx(2)


def test_analyse_keeps_the_second_host_series_out_of_the_results() -> None:
    measured = run([*series(HOST, [100, 102]), *series(HOST_AGAIN, [101, 101])])
    analysis = compare.analyse(measured)

    assert [r.subject for r in analysis.results] == [HOST]
    assert [r.subject for r in analysis.noise_floor] == [HOST_AGAIN]
    assert analysis.noise_floor[0].ratio == pytest.approx(math.sqrt(101 / 100 * 101 / 102))
    assert {i.subject for i in analysis.indices} == {HOST}


def test_analyse_orders_by_suite_test_copies_and_subject() -> None:
    measured = run(
        [
            *web("lxc", 1, [5]),
            *web(HOST, 1, [5]),
            sample("qemu", 1, test="syscall"),
            sample("lxc", 1, test="hanoi"),
            sample("lxc", 1, copies=2),
            sample("lxc", 1),
            sample(HOST, 1),
        ]
    )

    assert [(r.test, r.copies, r.subject) for r in compare.analyse(measured).results] == [
        ("dhry2reg", 1, HOST),
        ("dhry2reg", 1, "lxc"),
        ("dhry2reg", 2, "lxc"),
        ("syscall", 1, "qemu"),
        ("hanoi", 1, "lxc"),
        ("apache", 1, HOST),
        ("apache", 1, "lxc"),
    ]


def test_analyse_marks_the_cells_that_hit_the_cap() -> None:
    measured = run(
        [*series(HOST, [100, 100]), *series("lxc", [90, 110])],
        capped=["unix/dhry2reg/lxc/1"],
    )
    analysis = compare.analyse(measured)

    assert result_of(analysis, "dhry2reg", "lxc").capped
    assert not result_of(analysis, "dhry2reg", HOST).capped


def test_analyse_of_an_unfinished_run_is_not_complete() -> None:
    assert not compare.analyse(run([sample(HOST, 1)], finished=False)).complete
    assert compare.analyse(run([sample(HOST, 1)])).complete


def _index_run(**lost: str) -> Run:
    """Return a run of all index tests in which lxc is at 90 % in CPU tests and 40 % in others."""
    samples = []
    for test in INDEX_5:
        share = 0.9 if test in ("dhry2reg", "whetstone") else 0.4
        samples += series(HOST, [100, 120, 110], test=test)
        if lost.get("lxc") != test:
            samples += series("lxc", [100 * share, 121 * share, 109 * share], test=test)
    return run(samples)


def test_analyse_makes_the_index_of_a_group_from_its_tests() -> None:
    analysis = compare.analyse(_index_run())
    cpu = index_of(analysis, "host=10", "cpu", "lxc")
    fs = index_of(analysis, "host=10", "fs", "lxc")
    whole = index_of(analysis, "host=10", "all", "lxc")

    assert cpu.members == ["dhry2reg", "whetstone"]
    assert cpu.value == pytest.approx(9, rel=0.01)
    assert fs.members == ["fstime", "fsbuffer", "fsdisk"]
    assert fs.value == pytest.approx(4, rel=0.01)
    assert sorted(whole.members) == sorted(INDEX_5)
    assert whole.value == pytest.approx(10 * (0.9**2 * 0.4**10) ** (1 / 12), rel=0.01)
    assert whole.ci_low is not None
    assert whole.ci_high is not None
    assert whole.ci_low < whole.value < whole.ci_high


def test_analyse_gives_the_host_every_index_of_10_by_its_own_rule() -> None:
    host = index_of(compare.analyse(_index_run()), "host=10", "all", HOST)

    assert host.value == pytest.approx(10)
    assert (host.ci_low, host.ci_high) == (10, 10)


def test_analyse_with_a_test_lost_in_one_subject_names_it_as_missing() -> None:
    analysis = compare.analyse(_index_run(lxc="pipe"))

    assert index_of(analysis, "host=10", "ipc", "lxc").missing == ["pipe"]
    assert index_of(analysis, "host=10", "ipc", HOST).missing == []
    assert index_of(analysis, "unixbench-5", "all", "lxc").missing == ["pipe"]


def test_analyse_does_not_miss_tests_that_the_run_did_not_take() -> None:
    measured = run([*series(HOST, [100, 100]), *series("lxc", [90, 90])])
    analysis = compare.analyse(measured)

    assert index_of(analysis, "host=10", "all", "lxc").missing == []
    assert len(index_of(analysis, "unixbench-5", "all", "lxc").missing) == 11


def test_analyse_counts_arithmetic_tests_in_the_group_but_not_in_the_whole() -> None:
    measured = run(
        [
            *series(HOST, [100, 100]),
            *series("lxc", [50, 50]),
            *series(HOST, [100, 100], test="int"),
            *series("lxc", [100, 100], test="int"),
        ]
    )
    analysis = compare.analyse(measured)

    assert index_of(analysis, "host=10", "cpu", "lxc").members == ["dhry2reg", "int"]
    assert index_of(analysis, "host=10", "all", "lxc").members == ["dhry2reg"]


def test_analyse_drops_the_worst_third_by_unixbench_5_and_none_by_4_1() -> None:
    measured = run(
        [
            sample(HOST, value, block=block, detail={"counts": [value]})
            for block, value in enumerate([116700.0, 233400.0, 233400.0])
        ]
    )
    analysis = compare.analyse(measured)

    assert index_of(analysis, "unixbench-5", "all", HOST).value == pytest.approx(20)
    assert index_of(analysis, "unixbench-4.1", "all", HOST).value == pytest.approx(
        10 * 4 ** (1 / 3)
    )


def test_analyse_sorts_passes_by_the_sum_of_their_copies_counts() -> None:
    passes = [(116700.0, [90, 90]), (233400.0, [50, 50]), (466800.0, [80, 80])]
    measured = run(
        [
            sample(HOST, value, block=block, copies=2, detail={"counts": count})
            for block, (value, count) in enumerate(passes)
        ]
    )
    index = index_of(compare.analyse(measured), "unixbench-5", "all", HOST, 2)

    assert index.value == pytest.approx(10 * math.sqrt(1 * 4))


def test_analyse_averages_the_network_table_over_blocks() -> None:
    measured = run(
        [
            *web(HOST, 1, [100, 120], transactions=1000.0),
            *web("lxc", 3, [250, 270], transactions=2600.0, availability=99.5, response_time=0.3),
            *web(HOST_AGAIN, 1, [90, 90]),
        ]
    )
    host, lxc = compare.analyse(measured).network

    assert (host.subject, host.servers, host.n) == (HOST, 1, 2)
    assert host.rate == pytest.approx(math.sqrt(100 * 120))
    assert (lxc.subject, lxc.servers) == ("lxc", 3)
    assert lxc.transactions == pytest.approx(2600)
    assert lxc.rate == pytest.approx(math.sqrt(250 * 270))
    assert lxc.response_seconds == pytest.approx(0.3)
    assert lxc.availability == 99.5


def test_analyse_reports_the_worst_clock_of_each_subject_over_all_phases() -> None:
    measured = run(
        [
            sample(HOST, 1, seconds=1.0, host_seconds=1.001),
            sample("uml", 1, seconds=0.9, host_seconds=1.0, phase="warmup"),
            sample("uml", 1, seconds=1.0, host_seconds=1.0),
            sample("uml", 1, seconds=1.0, host_seconds=None),
        ],
        about={"subjects": [Subject(name=HOST), Subject(name="uml", approach="uml")]},
    )
    host, uml = compare.analyse(measured).clocks

    assert host.worst == pytest.approx(0.000999, rel=0.01)
    assert uml.subject == "uml"
    assert uml.worst == pytest.approx(0.1)
    assert (uml.stretches, uml.passes) == (2, 3)


def test_analyse_of_a_run_without_samples_is_empty() -> None:
    analysis = compare.analyse(run([]))

    assert (analysis.results, analysis.indices, analysis.network) == ([], [], [])


def test_analyse_twice_gives_the_same() -> None:
    assert compare.analyse(_index_run()) == compare.analyse(_index_run())


def test_block_ratios_feed_the_stopping_rule() -> None:
    figures = compare.series_of([*series(HOST, [100, 100]), *series("lxc", [90, 95])])

    assert compare.block_ratios(figures, Cell("unix", "dhry2reg", "lxc", 1)) == {0: 0.9, 1: 0.95}
    assert compare.block_ratios(figures, Cell("unix", "pipe", "lxc", 1)) == {}


def test_compare_runs_divides_the_second_by_the_first() -> None:
    a = run([*series(HOST, [100, 100.2, 99.8]), *series("lxc", [90, 91, 89])])
    b = run(
        [*series(HOST, [100, 100.2, 99.8]), *series("lxc", [45, 45.5, 44.5])],
        about={"run": "20260102-1200"},
    )
    comparison = compare.compare_runs(a, b)
    host, lxc = comparison.results

    assert (comparison.run_a, comparison.run_b) == ("20260101-1200", "20260102-1200")
    assert host.ratio == pytest.approx(1, abs=0.001)
    assert host.verdict is Verdict.SAME
    assert lxc.ratio == pytest.approx(0.5, rel=0.001)
    assert lxc.verdict is Verdict.DIFFERENT
    assert lxc.value == pytest.approx(45, rel=0.001)
    assert lxc.n == 3


def test_compare_runs_lists_what_only_one_run_has() -> None:
    a = run([sample(HOST, 1), sample(HOST, 1, test="pipe")])
    b = run([sample(HOST, 1), sample("qemu", 1)])
    comparison = compare.compare_runs(a, b)

    assert comparison.only_a == ["unix/pipe/host/1"]
    assert comparison.only_b == ["unix/dhry2reg/qemu/1"]
    assert comparison.results[0].verdict is Verdict.UNCLEAR


def test_analyse_takes_harness_seconds_from_the_end_of_the_run() -> None:
    measured = Run(
        header=header(),
        samples=[sample(HOST, 1)],
        efforts=[],
        failures=[],
        finish=Finish(at=0.0, capped=[], harness={"total": 5.0}),
    )

    assert compare.analyse(measured).harness == {"total": 5.0}
