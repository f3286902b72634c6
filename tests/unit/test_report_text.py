"""The five sentences and the note on reading them, word for word."""

import msgspec
from tests.report_sample import GUESTS, make_analysis, make_result, replace

from wirt.bench.analysis import Analysis, Verdict
from wirt.bench.report.text import answer, reading_notes


def test_answer_of_a_whole_run_is_five_sentences() -> None:
    sentences = answer(make_analysis())

    assert sentences == [
        "For CPU work, chroot and lxc are not different from the host, and uml runs at 98 % and "
        "qemu at 5.7 % of its speed.",
        "For inter-process communication, chroot and lxc are not different from the host, and uml "
        "runs at 3.0 % and qemu at 6.6 % of its speed; for the file system, chroot and lxc are "
        "not different from the host, and uml runs at 4.6 % and qemu at 16 % of its speed.",
        "For web serving with one guest, chroot and lxc are not different from the host, and uml "
        "runs at 4.8 % and qemu at 2.7 % of its speed; for web serving with 3 guests in parallel, "
        "chroot runs at 90 %, lxc at 87 %, uml at 6.6 % and qemu at 3.7 % of the host's speed.",
        "At nearly the host's speed, chroot suits single trusted services and lxc suits many "
        "Linux servers under the host's kernel; for work that computes much and calls the kernel "
        "little, uml suits Linux guests with a kernel of their own on a CPU without "
        "virtualization; where speed does not matter, qemu suits other systems and other "
        "processors; kvm could not be measured here.",
        "The host measured against itself over 3 blocks differed by up to 2.3 %, so do not build "
        "on smaller differences; 3 of 52 comparisons came to no verdict and 1 failure happened on "
        "the way.",
    ]


def test_answer_without_figures_says_so_five_times() -> None:
    sentences = answer(make_empty())

    assert sentences == [
        "This run says nothing about CPU work: no guest has a figure to set against the host's.",
        "This run says nothing about inter-process communication and the file system: no guest "
        "has a figure to set against the host's.",
        "This run says nothing about web serving: the suite http was not measured.",
        "Nothing can be said about what suits whom, for no guest was measured.",
        "There is nothing to trust or doubt, for nothing was compared.",
    ]


def test_answer_with_one_guest_missing_names_it() -> None:
    analysis = make_analysis()
    indices = [index for index in analysis.indices if index.subject != "uml"]

    sentences = answer(replace(analysis, indices=indices))

    assert sentences[0] == (
        "For CPU work, chroot and lxc are not different from the host, qemu runs at 5.7 % of its "
        "speed, and there is no figure for uml."
    )


def test_answer_with_wide_intervals_cannot_tell_and_praises_nothing() -> None:
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
        "For CPU work, this run cannot tell whether lxc (77 to 130 %) differs from the host."
    )
    assert sentences[3] == (
        "At a speed that this run cannot tell from the host's for certain, lxc suits many Linux "
        "servers under the host's kernel."
    )


def test_answer_with_an_index_without_interval_gives_a_rough_speed() -> None:
    analysis = make_analysis()
    indices = [
        msgspec.structs.replace(index, ci_low=None, ci_high=None)
        if index.subject == "qemu"
        else index
        for index in analysis.indices
    ]

    sentences = answer(replace(analysis, indices=indices))

    assert sentences[0] == (
        "For CPU work, chroot and lxc are not different from the host, uml runs at 98 % of its "
        "speed, and qemu runs at about 5.7 % of the host's speed (too few blocks for an interval)."
    )


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
        "One block gives no intervals, so take every difference as a hint only; 1 of 1 comparison "
        "came to no verdict and the run was interrupted before its end."
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
