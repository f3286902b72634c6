"""UnixBench as a peer, tried on a stand-in: a directory laid out as UnixBench is, with small programs of our own in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agreement import BUNDLE, ROWS, on_host, one_cpu
from ours import Wirt
from peers import PeerMissingError
from rows import Bench, Row
from timing import Summary
from unixbench import (
    UnixBench,
    build_argv,
    flags_of,
    parse_result,
    with_bundled_user_land,
)

from wirt.bench.workloads import Compiler, load_manifest

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "bench" / "ratios.py"
COMPILER = Compiler(
    version="gcc 12", libc="glibc 2.36", flags="-std=gnu11 -O2 -ffast-math -Wall -Werror -static"
)
SAYS_RESULT = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    fprintf(stderr, "COUNT|%d|1|lps\\n", 1000 * atoi(argv[argc - 1]));
    return 0;
}
"""
RUNS_ONCE = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
int main(int argc, char **argv)
{
    int status;

    if (fork() == 0) {
        execvp(argv[2], argv + 2);
        exit(99);
    }
    wait(&status);
    fprintf(stderr, "COUNT|%d|60|lpm\\n", status == 0 ? 7 : 0);
    return 0;
}
"""
MULTI = '#! /bin/sh\ni=1\nwhile [ $i -le $1 ]; do\n\t/bin/sh "$UB_BINDIR/tst.sh" &\n\ti=$(($i + 1))\ndone\nwait\n'
TST = "#! /bin/sh\nsort >sort.$$ <sort.src\ngrep the sort.$$ | tee grep.$$ | wc >>counts\nrm sort.$$ grep.$$\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Make a directory that has what a copy of UnixBench has, as far as the tests here need it."""
    place = tmp_path / "UnixBench"
    for name, text in (
        ("src/pipe.c", SAYS_RESULT),
        ("src/looper.c", RUNS_ONCE),
        ("pgms/multi.sh", MULTI),
        ("pgms/tst.sh", TST),
        ("testdir/sort.src", "then\nnow\nthere\n"),
    ):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


@pytest.fixture
def bundle() -> Path:
    """Build the workloads, which takes no time when they are built already."""
    subprocess.run(["make", "-C", str(REPOSITORY / "workloads")], check=True, capture_output=True)
    return BUNDLE


def find_row(key: str) -> Row:
    return next(row for row in ROWS if row.key == key)


def summary(ours: float, peer: float) -> Summary:
    return Summary(ours=ours, peer=peer, ratio=ours / peer, low=None, high=None)


def test_parse_result_of_loops_counts_them_by_the_seconds_of_the_pass() -> None:
    result = parse_result("COUNT|3000|1|lps\n")

    assert (result.count, result.timebase, result.unit, result.seconds) == (3000, 1, "lps", None)
    assert result.rate(2) == 1500


def test_parse_result_of_loops_a_minute_counts_sixty_seconds() -> None:
    assert parse_result("COUNT|100|60|lpm\n").rate(4) == 1500


def test_parse_result_of_copy_takes_the_last_count_which_is_a_rate_already() -> None:
    text = (
        "Write done: 1 in 2.0, score 1\nCOUNT|111|0|KBps\nTIME|2.0\n"
        "COUNT|222|0|KBps\nTIME|2.0\nCOUNT|333|0|KBps\nTIME|1.0\n"
    )

    assert parse_result(text).rate(30) == 333


def test_parse_result_with_time_goes_by_it_and_not_by_an_earlier_one() -> None:
    assert parse_result("COUNT|90|1|lps\nTIME|3.0\n").rate(2) == 30
    assert parse_result("TIME|3.0\nCOUNT|90|1|lps\n").rate(2) == 45


@pytest.mark.parametrize("text", ["", "Usage: pipe duration\n", "COUNT|x|1|lps\n"])
def test_parse_result_without_result_says_what_came_instead(text: str) -> None:
    with pytest.raises(RuntimeError, match="no COUNT line of UnixBench in: "):
        parse_result(text)


def test_parse_result_of_nothing_done_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"did nothing: COUNT\|0\|1\|lps"):
        parse_result("COUNT|0|1|lps\n")


def test_flags_are_those_of_the_workloads_without_warnings_and_dynamic_as_shipped() -> None:
    assert flags_of(COMPILER, as_shipped=False) == ["-std=gnu11", "-O2", "-ffast-math", "-static"]
    assert flags_of(COMPILER, as_shipped=True) == ["-std=gnu11", "-O2", "-ffast-math"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("whetstone", ["/ub/whetstone-double"]),
        ("execl", ["/ub/execl", "2"]),
        (
            "fsbuffer",
            ["/ub/fstime", "-c", "-t", "2", "-d", "/work", "-b", "256", "-m", "500"],
        ),
        ("shell8", ["/ub/looper", "2", "busybox", "sh", "/ub/multi.sh", "8"]),
    ],
)
def test_argv_of_a_pass_is_what_unixbench_runs(test: str, expected: list[str]) -> None:
    assert build_argv(test, 2, "/ub", "/work", ["busybox", "sh"]) == expected


def test_scripts_with_bundled_user_land_start_every_program_by_its_path() -> None:
    assert '\t"$BUSYBOX" sh "$UB_BINDIR/tst.sh" &\n' in with_bundled_user_land(MULTI)
    assert with_bundled_user_land(TST).splitlines()[1:] == [
        '"$BUSYBOX" sort >sort.$$ <sort.src',
        '"$BUSYBOX" grep the sort.$$ | "$BUSYBOX" tee grep.$$ | "$BUSYBOX" wc >>counts',
        '"$BUSYBOX" rm sort.$$ grep.$$',
    ]


@pytest.mark.parametrize(
    ("as_shipped", "lines_of_text"), [(False, None), (True, 3)], ids=["same user land", "shipped"]
)
def test_shell_runs_the_scripts_on_their_text(
    copy: Path, bundle: Path, tmp_path: Path, *, as_shipped: bool, lines_of_text: int | None
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    peer = UnixBench(copy, tmp_path / "built", COMPILER, as_shipped=as_shipped)
    peer.build("shell8")
    peer.take_scripts(bundle, work)

    assert peer.measure("shell8", 2, bundle, work) == 7 * 60 / 2
    counts = (work / "counts").read_text().splitlines()
    assert len(counts) == 8
    text = (work / "sort.src").read_text()
    assert len(text.splitlines()) == (lines_of_text or 600)
    assert {line.split()[0] for line in counts} == {
        str(sum("the" in line for line in text.splitlines()))
    }


def test_copy_without_a_program_is_no_peer(copy: Path, tmp_path: Path) -> None:
    peer = UnixBench(copy, tmp_path / "built", COMPILER, as_shipped=False)

    with pytest.raises(PeerMissingError) as raised:
        peer.build("execl")

    assert str(raised.value) == (
        f"{copy} is no copy of UnixBench 5.1.3: no {copy / 'src' / 'execl.c'}"
    )


def test_row_on_the_host_measures_both_on_one_cpu_and_leaves_nothing(
    copy: Path, bundle: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    bench = Bench(wirt=Wirt(home), template="none", unixbench=copy)
    before = os.sched_getaffinity(0)

    with on_host(bench, test="pipe", as_shipped=False) as pair:
        assert len(os.sched_getaffinity(0)) == 1
        assert pair.peer() == 1000
        assert pair.ours() > 1000

    assert os.sched_getaffinity(0) == before
    assert list(home.iterdir()) == []
    assert load_manifest(bundle).compiler.flags.endswith("-static")


def test_one_cpu_gives_the_others_back_after_an_error() -> None:
    before = os.sched_getaffinity(0)

    with pytest.raises(RuntimeError, match="broken"), one_cpu():
        raise RuntimeError("broken")

    assert os.sched_getaffinity(0) == before


def test_every_row_without_a_copy_says_how_to_name_one(tmp_path: Path) -> None:
    bench = Bench(wirt=Wirt(tmp_path), template="none")

    for row in ROWS:
        with pytest.raises(PeerMissingError) as raised, row.open(bench):
            pass

        assert str(raised.value) == "no copy of UnixBench 5.1.3 was named (--unixbench DIR)"


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(0.949, "**missed**"), (0.951, "met"), (1.049, "met"), (1.051, "**missed**")],
)
def test_row_on_the_host_is_held_to_both_sides(ours: float, verdict: str) -> None:
    row = find_row("unixbench-pipe")

    assert row.budget == "0.95 - 1.05"
    assert row.verdict(summary(ours, 1.0)) == verdict


@pytest.mark.parametrize(
    ("ours", "verdict"), [(0.15, "met"), (0.12, "met"), (0.11, "**missed**"), (0.19, "**missed**")]
)
def test_row_in_a_guest_is_held_to_points_and_not_to_the_ratio(ours: float, verdict: str) -> None:
    row = find_row("unixbench-whetstone-qemu")

    assert row.budget == "within 3 points"
    assert row.verdict(summary(ours, 0.145)) == verdict


def test_row_as_shipped_is_shown_without_a_verdict() -> None:
    row = find_row("unixbench-spawn-shipped")

    assert row.budget == "-"
    assert row.verdict(summary(2.0, 1.0)) == "no budget"


def test_render_shows_rates_and_shares_in_their_units(tmp_path: Path) -> None:
    rows = {
        "unixbench-pipe": [[1_200_000.0, 1_180_000.0]] * 2,
        "unixbench-shell8": [[612.34, 600.0]] * 2,
        "unixbench-dhry2reg-qemu": [[0.151, 0.1449]] * 2,
    }
    data = {
        "date": "2026-01-01",
        "template": "web",
        "environment": {
            "cpu": {"count": 2, "model": "AMD EPYC"},
            "kernel": "6.18",
            "distribution": "Debian GNU/Linux 12 (bookworm)",
            "node_is_guest": None,
        },
        "rows": {
            key: {"unit": "", "samples": samples, "problem": None} for key, samples in rows.items()
        },
        "results": None,
    }
    path = tmp_path / "ratios.json"
    path.write_text(json.dumps(data))

    argv = [sys.executable, str(PROGRAM), "--render", str(path)]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()

    pipe, shell, share = lines[-3:]
    assert "| 1,200,000 lps | 1,180,000 lps | 1.02 |" in pipe
    assert pipe.endswith("| 2 | 0.95 - 1.05 | met |")
    assert "| 612.3 lpm | 600.0 lpm | 1.02 |" in shell
    assert "| 0.151 | 0.145 | 1.04 |" in share
    assert share.endswith("| 2 | within 3 points | met |")
