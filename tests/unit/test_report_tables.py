"""The cells of the report's tables, the figures' scale, and the analysis table of approaches."""

import re

import msgspec
import pytest
from tests.report_sample import make_analysis, make_result, replace

from wirt.bench.properties import APPROACHES, describe_approaches
from wirt.bench.report import effort, method, tables
from wirt.bench.report.figures import draw_figures
from wirt.bench.report.wording import (
    count,
    figure,
    fine_index,
    index,
    name_test,
    percent,
    round_percent,
)
from wirt.bench.sample import HOST, HOST_AGAIN, Effort, Preparation
from wirt.bench.workloads import WORKLOADS


@pytest.mark.parametrize(
    ("show", "value", "shown"),
    [
        (round_percent, 0.9549, "95 %"),
        (round_percent, 0.0571, "5.7 %"),
        (round_percent, 0.0997, "10 %"),
        (round_percent, 0.0081, "0.81 %"),
        (percent, 0.952, "95.2"),
        (percent, 0.0571, "5.71"),
        (percent, 0.0081, "0.81"),
        (index, 10.04, "10.0"),
        (index, 0.2, "0.20"),
        (index, 0.0812, "0.081"),
        (fine_index, 1362.84, "1,362.8"),
        (fine_index, 9.998, "10.0"),
        (fine_index, 0.6324, "0.632"),
        (figure, 38_123_456.0, "38,120,000"),
        (figure, 96.2, "96.20"),
        (figure, 0.02052, "0.02052"),
        (figure, 0.0, "0"),
    ],
)
def test_number_is_rounded_for_its_reader(show: object, value: float, shown: str) -> None:
    assert callable(show)
    assert show(value) == shown


def test_every_workload_has_a_name_for_readers() -> None:
    assert [test for test in WORKLOADS if name_test(test) == test] == []


def test_environment_table_shows_sizes_as_a_person_reads_them() -> None:
    analysis = make_analysis()
    header = msgspec.structs.replace(analysis.header, environment={"memory_bytes": 8 * 2**30})

    table = tables.build_environment(replace(analysis, header=header))

    assert table is not None
    assert table.rows == [["memory", "8 GiB"]]


def test_count_knows_one_from_many() -> None:
    assert [count(number, "block") for number in (0, 1, 3)] == [
        "0 blocks",
        "1 block",
        "3 blocks",
    ]


def test_result_table_shows_value_ratio_interval_and_verdict() -> None:
    section = tables.build_sections(make_analysis())[1]
    switching = section.tables[2]

    assert section.title == "Inter-process communication, one copy"
    assert switching.caption == "Context switching through pipes"
    assert switching.rows == [
        ["host", "337,300", "100.0", "-", "baseline"],
        ["chroot", "323,800", "96.0", "91.3-100.9", "cannot tell"],
        ["lxc", "347,500", "103.0", "98.0-108.3", "cannot tell (cap reached)"],
        ["uml", "21,250", "6.30", "5.99-6.62", "different, slower"],
        ["qemu", "27,320", "8.10", "7.70-8.52", "different, slower"],
    ]
    assert switching.note == "3 blocks each."


def test_result_table_with_fewer_blocks_in_one_guest_lists_them() -> None:
    analysis = make_analysis()
    results = [
        msgspec.structs.replace(result, n=2) if result.subject == "qemu" else result
        for result in analysis.results
    ]

    section = tables.build_sections(replace(analysis, results=results))[0]

    assert section.tables[0].note == "Blocks: host 3, chroot 3, lxc 3, uml 3, qemu 2."


def test_result_table_with_blocks_missing_shows_the_hosts_figure_of_the_same_blocks() -> None:
    results = [
        make_result("apache", HOST, value=4407.0, unit="trans/s", suite="http"),
        msgspec.structs.replace(
            make_result("apache", "chroot", value=4744.0, unit="trans/s", suite="http"),
            n=1,
            ci_low=None,
            ci_high=None,
        ),
    ]
    [table] = tables.build_sections(replace(make_analysis(), results=results))[0].tables

    assert [column.title for column in table.columns[1:4]] == [
        "trans/s",
        "host, same blocks",
        "% of host",
    ]
    assert [row[:5] for row in table.rows] == [
        ["host", "4,407", "4,407", "100.0", "-"],
        ["chroot", "4,744", "4,744", "100.0", "one block"],
    ]


def test_test_of_no_group_comes_under_other_tests() -> None:
    analysis = make_analysis()
    results = [make_result("hanoi", name, value=9.0, unit="lps") for name in ("host", "lxc")]

    sections = tables.build_sections(replace(analysis, results=[*analysis.results, *results]))

    assert [section.title for section in sections] == [
        "CPU, one copy",
        "Inter-process communication, one copy",
        "File system, one copy",
        "Other tests, one copy",
        "Web serving, Apache under Siege",
    ]


def test_web_serving_of_several_guests_is_shown_against_the_bare_host() -> None:
    several = tables.build_sections(make_analysis())[-1].tables[1]

    assert several.caption == "3 guests in parallel, summed"
    assert several.rows[0] == ["host", "3,557", "100.0", "-", "baseline"]


def test_network_table_is_the_sources_table() -> None:
    table = tables.build_network(make_analysis())

    assert table is not None
    assert [column.title for column in table.columns[1:5]] == [
        "host x 1",
        "chroot x 1",
        "chroot x 3",
        "lxc x 1",
    ]
    assert [row[0] for row in table.rows[:5]] == [
        "Transactions, sum",
        "Data transferred, sum (MB)",
        "Mean response time, sum (s)",
        "Transaction rate, sum (1/s)",
        "Throughput, sum (MB/s)",
    ]
    assert table.rows[3][1:4] == ["3,557", "3,540", "3,200"]


def test_index_table_marks_a_partial_index_and_says_what_is_missing() -> None:
    relative, absolute = tables.build_indices(make_analysis())

    assert [column.title for column in relative.columns] == [
        "Where",
        "All tests",
        "CPU",
        "IPC",
        "File system",
    ]
    assert relative.rows[0] == ["host", "10.0", "10.0", "10.0", "10.0"]
    assert absolute.rows[0] == ["host", "1,362.8 partial"]
    assert absolute.note.endswith("George = 10. Partial: without shell1.")


def test_effort_table_sums_the_medians_of_the_steps() -> None:
    totals, once, steps = effort.build_effort(make_analysis())

    assert totals.rows[0] == ["once, before all", "4", "4 min 06 s"]
    assert totals.rows[3] == ["lxc", "3", "410 ms"]
    assert once.rows[0] == ["install the Debian packages", "1 min 23 s"]
    assert once.rows[3] == ["build the template", "1 min 52 s"]
    assert ["uml", "boot", "9.40 s", "3"] in steps.rows


def test_effort_of_an_approach_begins_with_its_own_packages() -> None:
    analysis = make_analysis()
    own = Preparation(step="packages-lxc", seconds=12.0)
    header = msgspec.structs.replace(analysis.header, prepared=[*analysis.header.prepared, own])
    totals, once, _ = effort.build_effort(replace(analysis, header=header))

    assert totals.rows[0] == ["once, before all", "4", "4 min 06 s"]
    assert totals.rows[3] == ["lxc", "4", "12.4 s"]
    assert once.rows[-1] == ["install the Debian packages of lxc alone", "12.0 s"]


def test_clock_table_calls_a_slow_clock_doubtful() -> None:
    table = tables.build_clocks(make_analysis())

    assert table is not None
    assert [row[3] for row in table.rows] == [
        "in order",
        "more than 1 %: doubtful",
        "in order",
    ]


def test_environment_table_leaves_the_approaches_to_their_own_table() -> None:
    table = tables.build_environment(make_analysis())

    assert table is not None
    assert ["cpu: governor", "unknown"] in table.rows
    assert not any("approaches" in row[0] for row in table.rows)


def test_environment_table_gathers_what_the_processor_is_not_affected_by() -> None:
    mitigations = {"mds": "Not affected", "retbleed": "Vulnerable", "spec_rstack": "Not affected"}
    analysis = make_analysis()
    header = msgspec.structs.replace(analysis.header, environment={"mitigations": mitigations})
    table = tables.build_environment(replace(analysis, header=header))

    assert table is not None
    assert table.rows == [
        ["mitigations: retbleed", "Vulnerable"],
        ["mitigations: not affected by", "mds, spec rstack"],
    ]


def test_method_of_an_imported_run_claims_nothing_that_wirt_did_not_do() -> None:
    analysis = make_analysis()
    header = msgspec.structs.replace(
        analysis.header, profile="imported", environment={"imported_from": "UnixBench 5.1.3"}
    )
    told = method.describe_method(replace(analysis, header=header))

    assert told[0].startswith(
        "Wirt did not measure this: it read the figures from the output of UnixBench 5.1.3."
    )
    assert not any("afresh" in line or "seed" in line for line in told)


def test_effort_is_told_in_the_order_of_the_run_without_the_second_host() -> None:
    analysis = make_analysis()
    efforts = [
        Effort(subject=subject, step=step, seconds=1.0, block=0)
        for subject in (HOST_AGAIN, "lxc", HOST)
        for step in ("create", "own step")
    ]
    header = msgspec.structs.replace(analysis.header, prepared=[])
    totals, steps = effort.build_effort(replace(analysis, header=header, efforts=efforts))

    assert [row[0] for row in totals.rows] == [HOST, "lxc"]
    assert [row[:2] for row in steps.rows] == [
        [HOST, "clone the template"],
        [HOST, "own step"],
        ["lxc", "clone the template"],
        ["lxc", "own step"],
    ]


def test_environment_table_says_of_limits_that_there_are_none() -> None:
    analysis = make_analysis()
    limits = {"cpus": 1.5, "cpuset": None, "memory_bytes": None}
    header = msgspec.structs.replace(analysis.header, environment={"cgroup_limits": limits})

    table = tables.build_environment(replace(analysis, header=header))

    assert table is not None
    assert table.rows == [
        ["cgroup limits: cpus", "1.5"],
        ["cgroup limits: cpuset", "none"],
        ["cgroup limits: memory", "none"],
    ]


def test_environment_table_cuts_endless_values() -> None:
    analysis = make_analysis()
    header = msgspec.structs.replace(analysis.header, environment={"flags": ["sse"] * 200})

    table = tables.build_environment(replace(analysis, header=header))

    assert table is not None
    assert table.rows[0][1].endswith("... (in full in the results file)")


def test_method_names_profile_seed_and_where_the_time_went() -> None:
    lines = method.describe_method(make_analysis())

    assert lines[0] == (
        "Profile quick, suites unix and http, 3 blocks measured (3 planned), seed 42, template "
        "debian-12-web (SHA-256 5f5f5f5f5f5f5f5f...)."
    )
    assert lines[-1] == (
        "The run took 7 min 11 s: 5 min 01 s (70 %) in the workloads, 1 min 44 s (24 %) starting "
        "and stopping guests, the rest in Wirt itself."
    )


def test_approaches_table_joins_facts_with_what_was_probed() -> None:
    table = tables.build_approaches(describe_approaches(make_analysis().header))
    here = {row[0].split(":")[0]: row[-1] for row in table.rows}

    assert here == {
        "chroot": "yes",
        "lxc": "yes: unprivileged, idmapped root",
        "uml": "yes",
        "qemu": "yes",
        "kvm": "no: a stock kernel does not start under it",
        "xen": "no: this host does not run under Xen",
    }


def test_approaches_without_probe_or_measurement_are_not_probed() -> None:
    analysis = make_analysis()
    header = msgspec.structs.replace(
        analysis.header,
        environment={},
        unavailable={},
        subjects=analysis.header.subjects[:3],
    )
    found = {one.approach.name: one.available for one in describe_approaches(header)}

    assert found == {
        "chroot": True,
        "lxc": None,
        "uml": None,
        "qemu": None,
        "kvm": None,
        "xen": None,
    }


def test_every_approach_has_every_property() -> None:
    empty = [
        (approach.name, field)
        for approach in APPROACHES
        for field, value in msgspec.structs.asdict(approach).items()
        if value == ""
    ]

    assert empty == []


def test_figures_are_one_for_each_group_on_the_same_scale() -> None:
    figures = draw_figures(make_analysis())

    assert [one.title for one in figures] == [
        "CPU",
        "Inter-process communication",
        "File system",
        "Web serving",
    ]
    for one in figures:
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", one.svg)
        assert {"0.01", "0.1", "1", "10", "host", "qemu"} <= set(texts)


def test_figure_of_a_tiny_ratio_reaches_below_its_usual_scale() -> None:
    results = [
        make_result("pipe", "host", value=1.0, unit="lps"),
        make_result("pipe", "uml", value=1.0, unit="lps", ratio=0.0003),
    ]

    svg = draw_figures(replace(make_analysis(), results=results))[0].svg

    assert ">0.001<" in svg


def test_figure_of_a_wide_interval_keeps_its_scale_and_marks_the_ends_that_go_on() -> None:
    narrow = make_result("pipe", "uml", value=1.0, unit="lps", ratio=0.5, wide=0.3)
    wide = msgspec.structs.replace(narrow, ci_low=0.00007, ci_high=2243.0)
    drawn = [
        draw_figures(
            replace(
                make_analysis(),
                results=[make_result("pipe", "host", value=1.0, unit="lps"), one],
            )
        )[0].svg
        for one in (narrow, wide)
    ]
    scales = [re.findall(r">([\d.]+)</text>", svg) for svg in drawn]
    marks = [len(re.findall(r'<path id="[^"]*" d="M 0 [\d.]+\s*L 0 -', svg)) for svg in drawn]

    assert scales[0] == scales[1]
    assert marks == [1, 0]


def test_figure_keeps_every_text_inside_its_edges() -> None:
    for one in draw_figures(make_analysis()):
        box = re.search(r'viewBox="0 0 ([\d.]+)', one.svg)
        assert box is not None
        for style, place, words in re.findall(
            r'<text style="([^"]*)"[^>]*translate\(([\d.]+) [^>]*>([^<]*)</text>', one.svg
        ):
            # Of the three anchors only the start lets a text of its own length run over the right edge.
            share = 0.0 if "text-anchor: end" in style else 1.0
            share = 0.5 if "text-anchor: middle" in style else share
            assert float(place) + share * 7 * len(words) <= float(box[1]), words


def test_figure_follows_the_page_and_describes_itself() -> None:
    svg = draw_figures(make_analysis())[0].svg

    assert "currentColor" in svg
    assert "#ffffff" not in svg
    assert "Dhrystone 2: integers and strings: host 10.0, chroot 10.0" in svg


def test_figures_of_the_same_analysis_are_the_same() -> None:
    assert draw_figures(make_analysis()) == draw_figures(make_analysis())
