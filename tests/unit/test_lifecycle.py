"""The suite of a guest's verbs: measured in fakes, and what the figures come to."""

from pathlib import Path

import pytest
from tests.report_sample import make_analysis, replace
from tests.unit.measured import header, run, sample
from tests.unit.world import PLAN, Bench, of, planned

from wirt.approaches.registry import load_approach
from wirt.bench import lifecycle
from wirt.bench.analysis import LifecycleRow
from wirt.bench.compare import analyse
from wirt.bench.plan import PROFILES, SUITES, build_cells
from wirt.bench.properties import describe_approaches
from wirt.bench.report import tables
from wirt.bench.report.html import render_html
from wirt.bench.report.text import answer
from wirt.bench.sample import HOST
from wirt.bench.subject import reaches_second_home
from wirt.errors import Failed

LIFE = planned(lifecycle.WHOLE, suite=lifecycle.SUITE, warmup_seconds=0.0, blocks=3, most_blocks=3)


def test_every_verb_of_a_life_is_a_sample_for_guests_and_not_for_the_host(tmp_path: Path) -> None:
    found = of(Bench(tmp_path, [LIFE]).go())

    assert {one.subject for one in found} == {"lxc", "uml"}
    assert [one.test for one in found][:4] == ["create", "start", "stop", "life"]
    assert {one.test: one.seconds for one in found} == {
        "create": 0.5,
        "start": 1.0,
        "stop": 2.0,
        "life": 3.5,
    }
    assert {one.unit for one in found} == {"1/s"}
    assert all(one.value == pytest.approx(1 / one.seconds) for one in found)


def test_lives_alone_start_no_other_guests(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [LIFE])
    bench.go()

    assert bench.world.made == []
    assert sorted(bench.world.lives) == ["lxc"] * 3 + ["uml"] * 3


def test_lives_beside_tests_come_in_the_same_blocks(tmp_path: Path) -> None:
    run = Bench(tmp_path, [*PLAN, LIFE]).go()
    blocks = {one.block for one in of(run) if one.suite == lifecycle.SUITE}

    assert blocks == {0, 1, 2}
    assert run.finish is not None


def test_life_that_fails_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [LIFE])
    bench.world.failing["uml", "life"] = Failed("it does not stop")
    run = bench.go()

    assert {(one.subject, one.test, one.message) for one in run.failures} == {
        ("uml", "life", "it does not stop")
    }
    assert {one.subject for one in of(run)} == {"lxc"}


def test_interrupted_lives_are_gone_on_with(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [LIFE])
    bench.world.failing["uml", "life"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.go()
    bench.world.failing.clear()
    run = bench.go()

    lives = [(one.subject, one.block) for one in of(run) if one.test == lifecycle.WHOLE]
    assert sum(subject == "uml" for subject, _ in lives) == 3
    assert run.finish is not None


def test_seconds_are_geometric_means_with_their_intervals() -> None:
    seconds = (1.0, 2.0, 4.0)
    samples = [
        sample("lxc", 1 / took, suite=lifecycle.SUITE, test="stop", unit="1/s", block=block)
        for block, took in enumerate(seconds)
    ]
    (row,) = lifecycle.rows_of(header(), samples)
    (short,) = lifecycle.rows_of(header(), samples[:2])

    assert (row.verb, row.subject, row.n) == ("stop", "lxc", 3)
    assert row.seconds == pytest.approx(2.0)
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert row.ci_low * row.ci_high == pytest.approx(4.0)
    assert (short.ci_low, short.ci_high) == (None, None)


def test_lives_are_set_against_no_host() -> None:
    samples = [
        sample(name, 2.0, suite=lifecycle.SUITE, test="stop", unit="1/s") for name in (HOST, "lxc")
    ]
    results = {one.subject: one for one in analyse(run(samples)).results}

    assert results["lxc"].ratio is None
    assert results["lxc"].value == pytest.approx(2.0)


def test_profiles_take_lives_if_they_are_thorough_or_asked() -> None:
    def suites(name: str) -> set[str]:
        profile = PROFILES[name]
        cells = build_cells(
            profile, suites=profile.suites, tests=(), cpus=2, guests=3, blocks=None, seconds=None
        )
        return {cell.suite for cell in cells}

    assert suites("quick") == suites("thesis") == {"unix", "http"}
    assert suites("standard") == set(SUITES)


def test_guests_beside_the_nodes_own_system_are_in_no_network_of_another_home() -> None:
    names = ("lxc", "qemu", "kvm", "xen", "xen-pvh")

    assert [name for name in names if reaches_second_home(load_approach(name, "/run/nowhere"))] == [
        "lxc",
        "qemu",
        "kvm",
    ]


def test_table_shows_a_column_an_approach_and_a_dash_for_verbs_it_lacks() -> None:
    rows = [
        LifecycleRow(verb="create", subject="lxc", seconds=0.05, ci_low=0.04, ci_high=0.06, n=3),
        LifecycleRow(verb="clone", subject="lxc", seconds=0.2, ci_low=None, ci_high=None, n=2),
        LifecycleRow(verb="create", subject="qemu", seconds=0.1, ci_low=None, ci_high=None, n=2),
    ]
    table = tables.build_lifecycle(replace(make_analysis(), lifecycle=rows))

    assert table is not None
    assert [column.title for column in table.columns] == ["Verb", "lxc", "qemu"]
    assert table.rows == [
        ["Make it", "50 ms (40 ms - 60 ms)", "100 ms"],
        ["Clone it", "200 ms", "-"],
    ]
    assert table.note == (
        "Geometric means over 3 blocks, in brackets the 95 % interval. A dash: the approach has no such verb."
    )
    assert tables.build_lifecycle(make_analysis()) is None


def test_table_of_one_block_speaks_of_no_interval() -> None:
    row = LifecycleRow(verb="life", subject="lxc", seconds=1.0, ci_low=None, ci_high=None, n=1)
    table = tables.build_lifecycle(replace(make_analysis(), lifecycle=[row]))

    assert table is not None
    assert table.note == "One block. A dash: the approach has no such verb."


def test_page_leads_to_lives_if_there_are_any() -> None:
    row = LifecycleRow(verb="life", subject="lxc", seconds=1.0, ci_low=None, ci_high=None, n=1)
    lived = replace(make_analysis(), lifecycle=[row])
    described = describe_approaches(lived.header)

    assert 'href="#life"' in render_html(lived, described)
    assert 'href="#life"' not in render_html(make_analysis(), described)


def test_answer_of_a_run_without_web_servers_tells_of_lives_in_their_place() -> None:
    rows = [
        LifecycleRow(verb="life", subject="lxc", seconds=1.38, ci_low=None, ci_high=None, n=1),
        LifecycleRow(verb="life", subject="qemu", seconds=50.6, ci_low=None, ci_high=None, n=1),
    ]
    without = replace(make_analysis(), lifecycle=rows, results=[])

    assert answer(without)[2] == (
        "A guest's life, from making it to destroying it, takes 1.38 s under lxc and 50.6 s under qemu."
    )
    assert len(answer(without)) == 5
