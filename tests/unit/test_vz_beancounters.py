"""The kernel's text of beancounters, and what vzubc makes of it for a person."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from wirt.dialects.vz.beancounters import (
    ROWS,
    Bean,
    Group,
    parse_beancounters,
    render_beancounters,
)
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006
from wirt.dialects.vz.ubcoptions import parse_arguments, parse_ratio
from wirt.dialects.vz.ubcreport import Style, render_report
from wirt.errors import InvalidInput
from wirt.model.counter import UNITS

GOLDEN = Path(__file__).parents[1] / "golden" / "vz"
OF_2006 = """\
kmemsize 1316699 2090077 2752512 2936012 0
lockedpages 0 0 32 32 0
privvmpages 4631 15676 49152 53575 0
shmpages 45 45 8192 8192 0
numproc 17 32 65 65 0
physpages 2176 3874 0 2147483647 0
vmguarpages 0 0 6144 2147483647 0
oomguarpages 2176 3874 6144 2147483647 0
numtcpsock 3 4 80 80 0
numflock 3 4 100 110 0
numpty 0 1 16 16 0
numsiginfo 0 2 256 256 0
tcpsndbuf 0 0 319488 524288 0
tcprcvbuf 0 0 319488 524288 0
othersockbuf 6672 13552 132096 336896 0
dgramrcvbuf 0 8368 132096 132096 0
numothersock 8 11 80 80 0
dcachesize 114061 138649 1048576 1097728 0
numfile 248 610 2048 2048 0
numiptent 10 16 128 128 0
"""
"""What a container of that year held."""
NARROW = """\
Version: 2.5
       uid  resource           held    maxheld    barrier      limit    failcnt
      102:  kmemsize        1316699    2090077    2752512    2936012          0
            lockedpages           0          0         32         32          0
            privvmpages        4631      15676      49152      53575          0
            shmpages             45         45       8192       8192          0
            dummy                 0          0          0          0          0
            numproc              17         32         65         65          0
            physpages          2176       3874          0 2147483647          0
"""
WIDE = (
    "Version: 2.5\n"
    "       uid  resource                     held              maxheld              barrier"
    "                limit              failcnt\n"
    "      102:  kmemsize                  1316699              2090077              2752512"
    "              2936012                    0\n"
)


def bean(line: str) -> Bean:
    name, *values = line.split()
    held, maxheld, barrier, limit, failcnt = map(int, values)
    return Bean(
        name=name, held=held, maxheld=maxheld, barrier=barrier, limit=limit, failcnt=failcnt
    )


CONTAINER = Group(ctid=102, beans=[bean(line) for line in OF_2006.splitlines()])


def report(
    *lines: str,
    style: Style,
    failed: dict[str, int] | None = None,
    held: dict[str, int] | None = None,
) -> Sequence[str]:
    """Return the rows that are shown of a container, without head and end."""
    text = render_report(
        [Group(ctid=101, beans=[bean(line) for line in lines])],
        style,
        failed={101: failed or {}},
        held={101: held or {}},
    )
    return text.splitlines()[3:-1]


def test_text_has_the_rows_and_columns_of_the_kernel() -> None:
    narrow = render_beancounters([CONTAINER], digits=32)
    wide = render_beancounters([CONTAINER, Group(ctid=103, beans=CONTAINER.beans)])
    rows = narrow.splitlines()[2:]

    assert narrow.startswith(NARROW)
    assert wide.startswith(WIDE)
    assert [row[12:24].strip() for row in rows] == ROWS
    assert len(wide.splitlines()) == 2 + 2 * len(ROWS)
    assert {len(line) for line in narrow.splitlines()[1:]} == {79}
    assert {len(line) for line in wide.splitlines()[1:]} == {129}
    assert [line[:10].strip() for line in wide.splitlines()[2:] if line[:10].strip()] == [
        "102:",
        "103:",
    ]


def test_rows_are_those_of_the_counters_without_what_came_later() -> None:
    assert [name for name in ROWS if name != "dummy"] == [n for n in UNITS if n != "swappages"]


def test_text_is_read_back_as_it_was_written() -> None:
    groups = [CONTAINER, Group(ctid=7, beans=CONTAINER.beans)]

    assert parse_beancounters(render_beancounters(groups), name="x") == groups
    assert parse_beancounters(render_beancounters(groups, digits=32), name="x") == groups


def test_text_of_one_container_has_no_number() -> None:
    assert parse_beancounters("Version: 2.5\n  kmemsize 1 2 3 4 5\n", name="x") == [
        Group(ctid=None, beans=[bean("kmemsize 1 2 3 4 5")])
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Version: 2.4\n", "Error: unknown version: 2.4"),
        ("Version: 2.5\nkmemsize 1 2 3\n", "x:2: this is no row of beancounters; "),
        ("hello\n", "x:1: this is no row of beancounters; "),
        ("kmemsize 1 2 3 4 -5\n", "x:1: this is no row of beancounters; "),
        (f"kmemsize {'9' * 21} 2 3 4 5\n", "x:1: this is no row of beancounters; "),
    ],
)
def test_text_that_is_none_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_beancounters(text, name="x")

    assert str(caught.value).startswith(said)


def test_report_shows_sizes_and_shares_of_barrier_and_limit() -> None:
    text = render_report([CONTAINER], Style(), failed={}, held={})

    assert text.splitlines()[:4] == [
        "----------------------------------------------------------------",
        "CT 102       | HELD Bar% Lim%| MAXH Bar% Lim%| BAR | LIM | FAIL",
        "-------------+---------------+---------------+-----+-----+------",
        "     kmemsize|1.26M  47%  44%|1.99M  75%  71%|2.62M| 2.8M|    - ",
    ]
    assert "  privvmpages|18.1M   9%   8%|61.2M  31%  29%| 192M| 209M|    - " in text
    assert "    physpages| 8.5M   -    - |15.1M   -    - |   - |   - |    - " in text
    assert "      numproc|  17   26%  26%|  32   49%  49%|  65 |  65 |    - " in text
    assert text.endswith("\n----------------------------------------------------------------")


def test_report_hides_what_has_no_barrier_unless_it_is_asked_for() -> None:
    endless = [f"numfile 9 9 {value} {value} 0" for value in (UNLIMITED, UNLIMITED_2006)]

    assert report(*endless, style=Style()) == []
    assert len(report(*endless, style=Style(is_verbose=True))) == 2


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("numproc 40 50 100 100 0", False),
        ("numproc 40 50 100 100 1", True),
        ("numproc 51 51 100 100 0", True),
        ("numproc 40 81 100 100 0", True),
        ("physpages 40 50 0 100 0", False),
        ("physpages 60 60 0 100 0", True),
    ],
)
def test_quiet_report_shows_what_failed_or_is_near_to_its_barrier(
    line: str, is_shown: bool
) -> None:
    assert len(report(line, style=Style(is_quiet=True))) == is_shown


def test_quiet_report_takes_other_ratios() -> None:
    style = Style(is_quiet=True, held_ratio=parse_ratio("-qh", "30"), maxheld_ratio=0.9)

    assert len(report("numproc 31 31 100 100 0", style=style)) == 1
    assert report("numproc 29 85 100 100 0", style=style) == []


def test_relative_report_shows_failures_since_the_last_and_all_after_a_start() -> None:
    style = Style(is_relative=True)
    since, anew = (
        report(line, style=style, failed={"numproc": 7})[0]
        for line in ("numproc 1 1 9 9 10", "numproc 1 1 9 9 4")
    )

    assert since.endswith("|    3 ")
    assert anew.endswith("|    4 ")


def test_incremental_report_shows_the_change_also_of_what_would_be_hidden() -> None:
    style = Style(is_incremental=True, is_quiet=True)
    before = {"numproc": 5, "numfile": 9, "privvmpages": 3}
    rows = report(
        "numproc 3 9 100 100 0",
        "numfile 9 9 100 100 0",
        f"privvmpages 5 9 {UNLIMITED} {UNLIMITED} 0",
        style=style,
        held=before,
    )

    assert rows == [
        "      numproc|   3     -2    3%   3%|   9    9%   9%| 100 | 100 |    - ",
        "  privvmpages|  20K    +8K   -    - |  36K   -    - |   - |   - |    - ",
    ]


def test_colored_report_marks_what_matters() -> None:
    style = Style(is_colored=True)
    rows = report(
        "numproc 1 1 100 100 0", "numfile 60 60 100 100 0", "numpty 1 1 9 9 2", style=style
    )

    assert [row[:7] for row in rows] == ["\033[0;39m", "\033[1;33m", "\033[1;31m"]
    assert all(row.endswith("\033[0;39m") for row in rows)


def test_report_of_nothing_is_empty() -> None:
    assert render_report([], Style(), failed={}, held={}) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-x"], "Unrecognized option: -x"),
        (["-f"], "Error: option -f requires an argument"),
        (["-w", "-c"], "Error: can't use --watch and --color together"),
        (["-qh", "0.4"], "Error: -qh and -qm only make sense with --quiet or --color"),
        (["-q", "-v"], "Error: options --quiet and --verbose can't be used together"),
        (["--proc", "-q"], "Error: --proc prints the file as it is, and takes no options"),
        (["-wn", "often"], "Error: 'often' is no number for -wn"),
        (["-wn", "nan"], "Error: 'nan' is no number for -wn"),
    ],
)
def test_command_line_that_cannot_be_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_arguments(arguments)

    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("; see vzubc --help")


def test_command_line_is_read_as_vzubc_does() -> None:
    options, ctids = parse_arguments(
        ["-q", "101", "-qh", "0.4", "--file=-", "web", "-id", "/d", "--relative", "-rc"]
    )

    assert ctids == ["101", "web"]
    assert options == {
        "quiet": "",
        "qh": "0.4",
        "file": "-",
        "rd": "/d",
        "relative": "",
        "rc": "",
    }
