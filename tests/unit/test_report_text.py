"""The five sentences and the note on reading them, word for word."""

import msgspec
import pytest
from tests.report_sample import GUESTS, make_analysis, make_result, replace

from wirt.bench.analysis import Analysis, Verdict
from wirt.bench.report.text import answer, reading_notes
from wirt.bench.sample import IMPORTED


def test_answer_of_a_whole_run_is_five_sentences() -> None:
    sentences = answer(make_analysis())

    assert sentences == [
        "CPU work runs as fast as on the host in chroot and lxc, and at about 98 % of the host's "
        "speed in uml and 6 % in qemu.",
        "Inter-process communication runs as fast as on the host in chroot and lxc, and at about "
        "3 % of the host's speed in uml and 7 % in qemu; file system work runs as fast as on the "
        "host in chroot and lxc, and at about 5 % in uml and 16 % in qemu.",
        "Web serving by one guest runs as fast as on the host in chroot and lxc, and at about 5 % "
        "of the host's speed in uml and 3 % in qemu; web serving by 3 guests together runs at "
        "about 90 % in chroot, 87 % in lxc, 7 % in uml and 4 % in qemu.",
        "Counting each at its slowest, chroot (as fast as the host) suits services that you trust, "
        "lxc (as fast as the host) Linux servers on the host's kernel, uml (about 3 % of the "
        "host's speed) Linux with a kernel of its own where the work is mostly computing and qemu "
        "(about 3 %) other systems and processors where speed does not matter; kvm could not be "
        "measured here.",
        "The host measured against itself over 3 blocks differed by up to 2.3 %, so do not build "
        "on smaller differences; 3 of 52 comparisons came to no verdict and 1 failure happened on "
        "the way.",
    ]


def test_answer_without_figures_says_so_five_times() -> None:
    sentences = answer(make_empty())

    assert sentences == [
        "This run says nothing about CPU work: no guest has a figure to set against the host's.",
        "This run says nothing about inter-process communication and file system work: no guest "
        "has a figure to set against the host's.",
        "This run says nothing about web serving: the suite http was not measured.",
        "Nothing can be said about what suits whom, for no guest was set against the host.",
        "There is nothing to trust or doubt, for nothing was compared.",
    ]


def test_answer_with_one_guest_missing_names_it() -> None:
    analysis = make_analysis()
    indices = [index for index in analysis.indices if index.subject != "uml"]

    sentences = answer(replace(analysis, indices=indices))

    assert sentences[0] == (
        "CPU work runs as fast as on the host in chroot and lxc, and at about 6 % of the host's "
        "speed in qemu (no figure for uml)."
    )


def test_answer_with_wide_intervals_says_how_wide_and_praises_nothing() -> None:
    analysis = make_analysis()
    wide = [
        msgspec.structs.replace(index, ci_low=index.value / 1.3, ci_high=index.value * 1.3)
        for index in analysis.indices
        if index.subject in ("host", "lxc")
    ]
    subjects = [subject for subject in analysis.header.subjects if subject.name in ("host", "lxc")]
    header = msgspec.structs.replace(analysis.header, subjects=subjects, unavailable={})
    sentences = answer(replace(analysis, indices=wide, header=header, results=[], noise_floor=[]))

    assert sentences[0] == (
        "CPU work runs somewhere between 77 and 130 % of the host's speed in lxc."
    )
    assert sentences[3] == (
        "Counting each at its slowest, lxc (at least 77 % of the host's speed) suits Linux servers on "
        "the host's kernel."
    )


def test_answer_gives_speeds_before_the_range_of_what_cannot_be_told() -> None:
    analysis = make_analysis()
    indices = [
        msgspec.structs.replace(index, ci_low=index.value / 1.3, ci_high=index.value * 1.3)
        if index.subject in ("chroot", "lxc")
        else index
        for index in analysis.indices
        if index.subject != "uml"
    ]

    assert answer(replace(analysis, indices=indices))[0] == (
        "CPU work runs at about 6 % of the host's speed in qemu, and somewhere between 77 and 130 % in "
        "chroot and 77 and 130 % in lxc (no figure for uml)."
    )


def test_answer_with_an_index_without_interval_gives_a_rough_speed() -> None:
    analysis = make_analysis()
    indices = [
        msgspec.structs.replace(index, ci_low=None, ci_high=None, n=1)
        if index.subject == "qemu"
        else index
        for index in analysis.indices
    ]

    sentences = answer(replace(analysis, indices=indices))

    assert sentences[0] == (
        "CPU work runs as fast as on the host in chroot and lxc, and at about 98 % of the host's "
        "speed in uml and 6 % in qemu (one block only for qemu)."
    )


@pytest.mark.parametrize(("blocks", "few"), [(1, "one block"), (2, "two blocks")])
def test_answer_of_too_few_blocks_says_so_and_gives_no_speed_near_the_hosts(
    blocks: int, few: str
) -> None:
    ratios = {"chroot": 0.997, "lxc": 0.79, "uml": 0.261, "qemu": 0.0347}
    results = [
        msgspec.structs.replace(
            make_result("apache", guest, value=1.0, unit="trans/s", ratio=ratio, suite="http"),
            copies=3,
            n=blocks,
            ci_low=None,
            ci_high=None,
            verdict=Verdict.UNCLEAR,
        )
        for guest, ratio in ratios.items()
    ]

    assert answer(replace(make_analysis(), results=results))[2] == (
        "Web serving by 3 guests together runs at about 26 % of the host's speed in uml and 3 % in "
        f"qemu ({few} only; cannot tell for chroot and lxc)."
    )


def test_answer_of_one_block_gives_a_guest_the_same_verdict_in_every_sentence() -> None:
    analysis = make_analysis()
    indices = [
        msgspec.structs.replace(index, value=10.1, ci_low=None, ci_high=None, n=1)
        for index in analysis.indices
        if index.subject == "lxc"
    ]
    sentences = answer(replace(analysis, indices=indices, results=[]))

    assert sentences[0] == (
        "For CPU work this run cannot tell lxc from the host (one block only; no figure for "
        "chroot, uml and qemu)."
    )
    assert "lxc (no clear figure)" in sentences[3]


def test_answer_of_one_block_calls_every_difference_a_hint() -> None:
    result = msgspec.structs.replace(
        make_result("pipe", "lxc", value=1.0, unit="lps", ratio=0.9),
        n=1,
        ci_low=None,
        ci_high=None,
        verdict=Verdict.UNCLEAR,
    )
    analysis = replace(make_empty(), results=[result], complete=False)

    assert answer(analysis)[4] == (
        "One block gives no intervals, so take every difference as a hint only; the run was "
        "interrupted before its end."
    )


def test_answer_without_a_second_host_series_falls_back_on_the_threshold() -> None:
    analysis = replace(make_analysis(), noise_floor=[], failures=[])

    assert answer(analysis)[4] == (
        "The host was not measured against itself, so build only on differences well over 2.0 %; "
        "3 of 52 comparisons came to no verdict."
    )


def test_reading_notes_of_a_troubled_run_name_each_trouble() -> None:
    assert reading_notes(make_analysis()) == [
        "1 failure in qemu: those figures are missing or rest on fewer blocks.",
        "The clock of uml (2.1 %) differs from the host's; figures taken by it are off by as much.",
        "1 comparison reached the cap before the interval was as small as the profile asks; see "
        "the verdicts.",
        "2 warnings of the run at the end.",
    ]


def test_imported_run_cut_short_is_not_called_interrupted() -> None:
    header = msgspec.structs.replace(make_empty().header, profile=IMPORTED)
    cut = replace(make_empty(), header=header, complete=False)

    assert reading_notes(cut) == [
        "The file of this imported run ends early; figures may be missing."
    ]
    assert "interrupted" not in " ".join(answer(cut))


def test_reading_notes_of_a_clean_run_are_empty() -> None:
    assert reading_notes(make_empty()) == []


def test_answer_uses_every_measured_guest() -> None:
    sentences = answer(make_analysis())

    assert all(guest in sentences[3] for guest in GUESTS)


def make_empty() -> Analysis:
    """Return a run of the suite unix that measured nothing at all."""
    analysis = make_analysis()
    return replace(
        analysis,
        header=msgspec.structs.replace(
            analysis.header, suites=["unix"], environment={}, unavailable={}
        ),
        results=[],
        indices=[],
        network=[],
        noise_floor=[],
        clocks=[],
        efforts=[],
        failures=[],
        warnings=[],
        harness={},
    )


def test_answer_about_the_host_alone_says_that_no_guest_was_measured() -> None:
    analysis = make_empty()
    hosts = [subject for subject in analysis.header.subjects if subject.approach is None]
    header = msgspec.structs.replace(analysis.header, subjects=hosts)

    assert answer(replace(analysis, header=header))[0] == (
        "This run says nothing about CPU work: no guest was measured."
    )


def test_answer_with_nothing_but_a_doubtful_guest_still_says_whose_speed_the_rest_is() -> None:
    analysis = make_analysis()
    wide = [
        msgspec.structs.replace(index, ci_low=index.value / 1.3, ci_high=index.value * 1.3)
        if index.group == "ipc"
        else index
        for index in analysis.indices
        if index.subject in ("host", "chroot", "uml")
        and (index.group, index.subject) != ("ipc", "uml")
    ]

    assert answer(replace(analysis, indices=wide))[1] == (
        "Inter-process communication runs somewhere between 76 and 129 % of the host's speed in chroot "
        "(no figure for lxc, uml and qemu); file system work runs as fast as on the host in chroot, "
        "and at about 5 % in uml (no figure for lxc and qemu)."
    )
