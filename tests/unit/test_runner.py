"""The measuring run against a world of fakes."""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.unit.world import (
    CPU,
    PLAN,
    START,
    TESTS,
    WAY,
    WEB,
    Bench,
    counted,
    of,
    planned,
    read,
)

from wirt.bench.compare import analyse, block_ratios, series_of
from wirt.bench.export import render_json
from wirt.bench.plan import PROFILES, build_cells
from wirt.bench.report import render_report
from wirt.bench.sample import HOST, HOST_AGAIN, Planned
from wirt.bench.spending import commands_of, harness_of, steal_percent_of
from wirt.bench.stats import half_width
from wirt.errors import Failed

EVERYONE = (HOST, HOST_AGAIN, "lxc", "uml")


def test_every_subject_runs_every_test_once_a_block(tmp_path: Path) -> None:
    run = Bench(tmp_path, PLAN).go()

    assert counted(run) == {
        (name, test, block): 1 for name in EVERYONE for test in TESTS for block in (0, 1)
    }
    assert run.finish is not None
    assert run.failures == []


def test_warm_up_pass_precedes_every_measured_pass(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    run = bench.go()

    for warm, real in zip(run.samples[::2], run.samples[1::2], strict=True):
        assert (warm.phase, real.phase) == ("warmup", "measure")
        assert (warm.subject, warm.test, warm.block) == (real.subject, real.test, real.block)
        assert (warm.seconds, real.seconds) == (0.2, 1.0)


def test_sample_is_on_the_disk_before_the_next_pass_begins(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.go()

    assert bench.world.on_disk == list(range(len(bench.world.passes)))


def test_samples_are_numbered_in_the_order_in_which_they_were_taken(tmp_path: Path) -> None:
    run = Bench(tmp_path, [*PLAN, *WEB]).go()

    assert [sample.order for sample in run.samples] == list(range(len(run.samples)))


def test_guests_are_started_afresh_for_every_block_and_none_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.go()

    assert Counter(bench.world.made) == {f"{name}-1": 2 for name in EVERYONE}
    assert bench.world.alive == set()


def test_single_copies_are_bound_to_the_same_cpu_and_several_to_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [planned("pipe"), planned("pipe", copies=2)])
    run = bench.go()

    bound = Counter(cpus for _, _, seconds, cpus in bench.world.passes if seconds == 1)
    assert bound[frozenset({CPU})] == 2 * len(EVERYONE)
    assert bound[None] == 2 * 2 * len(EVERYONE)
    assert {s.value for s in of(run) if (s.subject, s.copies) == (HOST, 2)} == {200.0}
    assert {len(s.detail["counts"]) for s in of(run) if s.copies == 2} == {2}


def test_host_runs_what_any_other_needs_and_no_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [planned("pipe", blocks=1), planned("spawn", blocks=3)], ["lxc"])
    run = bench.go()

    assert {key for key in counted(run) if key[0] == HOST} == {
        (HOST, "pipe", 0),
        *((HOST, "spawn", block) for block in range(3)),
    }


def test_web_suite_loads_one_server_everywhere_and_several_guests_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WEB)
    run = bench.go()

    assert Counter((sample.subject, sample.copies) for sample in of(run)) == {
        **{(name, 1): 1 for name in EVERYONE},
        **{(name, 3): 1 for name in ("lxc", "uml")},
    }
    assert ("http://uml-1/", "http://uml-2/", "http://uml-3/") in {
        urls for urls, _ in bench.world.loads
    }
    assert {sample.value for sample in of(run) if sample.copies == 3} == {3000.0}
    assert {sample.seconds for sample in of(run)} == {2.0}
    assert bench.world.alive == set()


def test_further_servers_are_made_after_the_programs_have_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [*PLAN, *WEB], ["lxc"])
    alive: set[int] = set()
    bench.world.before_pass = lambda: alive.add(len(bench.world.alive))
    bench.go()

    assert alive == {3}


@pytest.mark.parametrize("point", ["launch", "settle"])
def test_guest_that_does_not_come_up_is_recorded_with_its_log_and_the_others_go_on(
    tmp_path: Path, point: str
) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.failing["uml", point] = Failed(
        "no kernel", hint="see a log that goes with the guest"
    )
    run = bench.go()

    assert [(f.subject, f.block, f.test, f.message, f.log) for f in run.failures] == [
        ("uml", block, None, "no kernel", "the log of uml-1") for block in (0, 1)
    ]
    assert {name for name, _, _ in counted(run)} == {HOST, HOST_AGAIN, "lxc"}
    assert [e.step for e in run.efforts if e.subject == "uml"] == ["create", "create"]
    assert bench.world.alive == set()
    assert run.finish is not None


def test_pass_that_fails_is_recorded_and_the_subjects_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.failing["lxc", "pipe"] = Failed("out of pipes")
    run = bench.go()

    assert [(f.subject, f.block, f.test) for f in run.failures] == [
        ("lxc", block, "pipe") for block in (0, 1)
    ]
    assert {key for key in counted(run) if key[0] == "lxc"} == {
        ("lxc", test, block) for test in ("dhry2reg", "spawn") for block in (0, 1)
    }


def test_failure_of_a_subject_without_a_log_keeps_what_was_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.failing[HOST, "pipe"] = Failed("broken", detail="line 1\nline 2")
    run = bench.go()

    assert {failure.log for failure in run.failures} == {"line 1\nline 2"}
    assert ("lxc", "pipe", 0) in counted(run)


def test_failure_with_nothing_else_to_show_keeps_its_hint(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.failing[HOST, "pipe"] = Failed("broken", hint="mend it")
    run = bench.go()

    assert {failure.message for failure in run.failures} == {"broken; mend it"}


def test_web_server_that_does_not_come_up_costs_only_what_needs_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WEB)
    bench.world.failing["uml-2", "settle"] = Failed("no memory")
    bench.world.failing["lxc-3", "serve"] = Failed("no page")
    run = bench.go()

    assert {(sample.subject, sample.copies) for sample in of(run)} == {(n, 1) for n in EVERYONE}
    assert {(f.subject, f.test, f.log) for f in run.failures} == {
        ("uml", None, "the log of uml-2"),
        ("lxc", "apache", "the log of lxc-3"),
    }


def test_guest_that_cannot_be_closed_is_recorded_and_the_run_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.failing["lxc", "close"] = Failed("in use")
    run = bench.go()

    assert [(f.subject, f.test, f.message) for f in run.failures] == [("lxc", None, "in use")] * 2
    assert sum(counted(run).values()) == 2 * len(EVERYONE) * len(TESTS)


@pytest.mark.parametrize("point", ["launch", "settle", "pipe", "uml-3"])
def test_interrupt_closes_every_subject_and_is_raised_on(tmp_path: Path, point: str) -> None:
    bench = Bench(tmp_path, [*PLAN, *WEB])
    key = ("uml-3", "settle") if point == "uml-3" else ("uml", point)
    bench.world.failing[key] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.go()

    assert bench.world.alive == set()
    assert read(bench.path).finish is None


def test_interrupted_run_goes_on_with_the_next_block_and_repeats_nothing_that_is_paired(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, PLAN, ["lxc"])
    before = bench.interrupt_at(2 * 3 * len(TESTS) + 8)  # in the second block, after some passes
    run = bench.go()

    assert {block for _, _, block in counted(before)} == {0, 1}
    assert {block for _, _, block in counted(run)} == {0, 1, 2}
    assert run.samples[: len(before.samples)] == before.samples
    for result in analyse(run).results:
        assert result.n == 2
    half = {key[:2] for key in counted(before) if key[2] == 1}
    paired = {test for name, test in half if {(HOST, test), ("lxc", test)} <= half}
    again = {test for name, test, block in counted(run) if (name, block) == ("lxc", 2)}
    assert again == set(TESTS) - paired


@pytest.mark.parametrize("pass_number", range(1, 2 * 3 * len(TESTS), 5))
def test_run_of_one_block_that_was_interrupted_is_completed(
    tmp_path: Path, pass_number: int
) -> None:
    bench = Bench(tmp_path, [planned(test, blocks=1) for test in TESTS], ["lxc"])
    bench.interrupt_at(pass_number)
    run = bench.go()

    pairs = {(r.test, r.n) for r in analyse(run).results if r.subject == "lxc"}
    assert pairs == {(test, 1) for test in TESTS}
    assert run.finish is not None


def test_run_that_has_all_it_wants_is_only_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    whole = bench.go()
    lines = bench.path.read_bytes().splitlines(keepends=True)
    bench.path.write_bytes(b"".join(lines[:-1]))  # killed before its last line
    made = len(bench.world.made)
    run = bench.go()

    assert run.samples == whole.samples
    assert len(bench.world.made) == made
    assert run.finish is not None


def adaptive(test: str, target: float) -> Planned:
    return planned(test, blocks=3, most_blocks=6, target=target)


def test_adaptive_cell_stops_when_its_interval_is_small_enough(tmp_path: Path) -> None:
    run = Bench(tmp_path, [adaptive("pipe", 0.01)], ["lxc"]).go()

    assert {block for _, _, block in counted(run)} == {0, 1, 2}
    assert run.finish is not None
    assert run.finish.capped == []


def test_noisy_cell_goes_on_to_the_cap_which_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [adaptive("pipe", 0.01), adaptive("spawn", 5.0)], ["lxc"])
    noise = random.Random(1)
    bench.world.noise = lambda name, turn: noise.uniform(0.7, 1.4) if name == "lxc" else 1.0
    run = bench.go()

    blocks = {
        (name, test): len([b for n, t, b in counted(run) if (n, t) == (name, test)])
        for name in (HOST, HOST_AGAIN, "lxc")
        for test in ("pipe", "spawn")
    }
    assert blocks == {
        (HOST, "pipe"): 6,  # as often as the one that needs it most
        (HOST_AGAIN, "pipe"): 3,
        ("lxc", "pipe"): 6,
        (HOST, "spawn"): 3,
        (HOST_AGAIN, "spawn"): 3,
        ("lxc", "spawn"): 3,
    }
    assert run.finish is not None
    assert run.finish.capped == ["unix/pipe/lxc/1"]
    assert any(result.capped for result in analyse(run).results)


def test_adaptive_cell_that_always_fails_is_given_up_after_its_first_blocks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [adaptive("pipe", 0.01)], ["uml"])
    bench.world.failing["uml", "settle"] = Failed("no kernel")
    run = bench.go()

    assert [failure.block for failure in run.failures] == [0, 1, 2]
    assert run.finish is not None
    assert run.finish.capped == []


def test_clock_of_a_guest_that_runs_fast_is_reported(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.clock_rate["uml"] = 1.03
    analysis = analyse(bench.go())

    clocks = {clock.subject: clock.worst for clock in analysis.clocks}
    assert clocks["uml"] == pytest.approx(0.03, abs=0.01)
    assert clocks["lxc"] < 0.01
    (warning,) = [text for text in analysis.warnings if "clock of" in text]
    assert warning.startswith("The clock of uml is off by up to 3.")
    assert analysis.warnings == msgspec.json.decode(render_json(analysis))["warnings"]
    page = render_report(analysis, [], fmt="md").decode()
    assert warning in page
    assert "The clock of uml (3.0 %) differs from the host's" in page
    assert "more than 1 %: doubtful" in page


def test_both_clocks_are_read_at_every_pass_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [*PLAN, *WEB])
    bench.world.clock_rate["uml"] = 1.03
    passes = [sample for sample in bench.go().samples if sample.suite == "unix"]
    looks = [(sample.subject, sample.seconds, sample.detail["clock"]) for sample in passes]

    assert len(looks) == len(bench.world.passes)
    for name, seconds, look in looks:
        rate = bench.world.clock_rate.get(name, 1.0)
        assert look["guest_end"] == pytest.approx((look["host_end"] - WAY) * rate)
        assert look["host_end"] - look["host_begin"] == pytest.approx(seconds / rate + 2 * WAY)


def test_standard_profile_stops_where_intervals_are_small_and_says_where_the_cap_was_reached(
    tmp_path: Path,
) -> None:
    cells = build_cells(
        PROFILES["standard"],
        suites=("unix",),
        tests=("dhry2reg", "pipe", "spawn"),
        cpus=2,
        guests=1,
        blocks=None,
        seconds=None,
    )
    bench = Bench(tmp_path, cells, ["lxc"])
    noise = random.Random(1)
    bench.world.noises["lxc", "dhry2reg"] = lambda: noise.uniform(0.7, 1.3)
    bench.world.noises["lxc", "spawn"] = lambda: noise.uniform(0.95, 1.05)
    run = bench.go()
    series, page = series_of(run.samples), render_report(analyse(run), [], fmt="md").decode()
    ratios = {
        (cell.test, cell.copies): list(block_ratios(series, cell).values())
        for cell in series
        if cell.subject == "lxc"
    }

    assert {len(ratios["pipe", copies]) for copies in (1, 2)} == {5}
    assert {len(ratios["dhry2reg", copies]) for copies in (1, 2)} == {20}
    for copies in (1, 2):
        found = ratios["spawn", copies]
        width, before = half_width(found), half_width(found[:-1])
        assert width is not None
        assert width < 0.03
        # No block more than it took.
        assert len(found) == 5 or (before is not None and before >= 0.03)
    assert run.finish is not None
    assert run.finish.capped == ["unix/dhry2reg/lxc/1", "unix/dhry2reg/lxc/2"]
    assert page.count("(cap reached)") == 2
    assert "2 comparisons reached the cap before the interval was as small as" in page
    assert (
        "The cap was reached before the interval was small enough in 2 cells: "
        "unix/dhry2reg/lxc/1 and unix/dhry2reg/lxc/2." in page
    )


def test_harness_tells_what_was_spent_inside_programs_on_guests_and_in_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [*PLAN, *WEB])
    began = bench.world.time
    run = bench.go()

    spent = harness_of(run)
    inside = sum(sample.seconds for sample in run.samples)
    # The first look at each server is no sample, but Siege is at work.
    looks = [requests for _, requests in bench.world.loads if requests[0] == 10]
    assert spent["workloads"] == pytest.approx(inside + len(looks) * 0.1)
    assert spent["guests"] == pytest.approx(START * len(bench.world.made))
    assert spent["total"] == pytest.approx(bench.world.time - began)
    passes = 2 * len(of(run)) - 2 * len([s for s in of(run) if s.suite == "http"])
    rest = spent["total"] - spent["workloads"] - spent["guests"]
    assert rest == pytest.approx(2 * WAY * passes)


def test_resumed_run_sums_what_all_its_commands_spent_and_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    bench.world.stolen = 3.0
    began = bench.world.time
    first = bench.interrupt_at(5)
    pause = 1000.0
    bench.world.time += pause
    bench.world.stolen = 1.0
    run = bench.go()
    spent = harness_of(run)

    assert spent["total"] == pytest.approx(bench.world.time - began - pause)
    assert spent["workloads"] == pytest.approx(sum(sample.seconds for sample in run.samples))
    assert harness_of(first)["total"] < spent["total"]
    assert commands_of(run) == 2
    assert [end.block for end in run.ends] == [0, 1, 2]
    assert steal_percent_of(run) == pytest.approx((3.0 + 1.0 + 1.0) / 3)
    assert analyse(run).commands == 2


def test_node_is_looked_at_before_every_block(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN)
    run = bench.go()

    assert bench.world.looks == len(run.ends) == 2
    assert {end.node.others_percent for end in run.ends} == {1.0}


def test_progress_grows_from_nothing_to_all_and_the_time_left_is_believable(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [*PLAN, *WEB])
    bench.go()

    shares = [one.done for one in bench.shown]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] < 1.0
    assert bench.shown[0].seconds_left is None
    assert bench.shown[0].text == "block 1: starting guests"
    lefts = [one.seconds_left for one in bench.shown if one.seconds_left is not None]
    assert lefts[-1] < lefts[len(lefts) // 2] < lefts[3]


def test_progress_of_a_resumed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PLAN, ["lxc"])
    bench.interrupt_at(2 * 3 * len(TESTS) + 1)
    bench.shown.clear()
    bench.go()

    assert bench.shown[0].done == pytest.approx(0.5, abs=0.1)
    assert bench.shown[-1].done > 0.85
