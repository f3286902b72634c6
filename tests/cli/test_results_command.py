"""``wirt results`` and ``wirt report`` on what other programs measured: kept, listed, shown, compared, reported."""

import json
from pathlib import Path

import pytest
from tests.homes import HomeUnderTest

IMPORTS = Path(__file__).parent.parent / "golden" / "imports"


def bring_in(home: HomeUnderTest, file: str, tool: str) -> str:
    """Import a file of another program and return the id of the run."""
    said = home.wirt("results", "import", str(IMPORTS / file), "--from", tool, status=0).stdout
    word, run, rest = said.split(" ", 2)
    assert (word, rest[:9]) == ("run", "imported:")
    return run


def test_output_of_siege_is_kept_listed_and_shown(home: HomeUnderTest) -> None:
    run = bring_in(home, "siege.json", "siege")
    listed = home.wirt("results", "list", status=0).stdout.splitlines()
    shown = home.wirt("results", "show", run, status=0).stdout

    assert listed[0] == (
        f"{'RUN'.ljust(len(run))}  PROFILE   STARTED           SAMPLES  STATE     SUBJECTS"
    )
    assert listed[1].split()[:2] == [run, "imported"]
    assert listed[1].split()[-3:] == ["1", "complete", "host"]
    assert shown == (
        "SUITE  TEST    SUBJECT  COPIES  VALUE  UNIT     N  RATIO  95 %  VERDICT\n"
        "http   apache  host          1  1,803  trans/s  1  1.000     -  baseline\n"
    )


def test_imported_run_cut_short_is_nothing_to_go_on_measuring(home: HomeUnderTest) -> None:
    run = bring_in(home, "unixbench-4.1.0.txt", "unixbench")
    path = Path(home.home.results, run, "run.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    listed = home.wirt("results", "list", status=0).stdout.splitlines()[1]
    shown = home.wirt("results", "show", run, status=0).stderr
    resumed = home.wirt("compare", "--resume", run)
    last = home.wirt("compare", "--resume")

    assert "cut short" in listed
    assert "--resume" not in shown
    assert "note: The file of this imported run ends early, so figures may be missing; " in shown
    assert (resumed.returncode, resumed.stderr) == (
        5,
        f"wirt: run {run} was imported, so there is nothing here to go on measuring; "
        f"wirt results show {run} shows it\n",
    )
    assert (last.returncode, last.stderr) == (
        3,
        "wirt: there is no interrupted run to go on with; begin one with wirt compare; "
        "wirt results list shows the runs there are\n",
    )


def test_two_imported_runs_are_compared(home: HomeUnderTest) -> None:
    old = bring_in(home, "unixbench-4.1.0.txt", "unixbench")
    new = bring_in(home, "unixbench-4.1.0-wide.txt", "unixbench")
    done = home.wirt("results", "compare", old, new, "--json", status=0)
    ratios = {one["test"]: one["ratio"] for one in json.loads(done.stdout)["results"]}

    assert ratios["whetstone"] == pytest.approx(0.893, abs=0.001)


def test_runs_with_nothing_in_common_say_what_they_have(home: HomeUnderTest) -> None:
    web = bring_in(home, "siege.json", "siege")
    unix = bring_in(home, "unixbench-5.1.3.txt", "unixbench")
    done = home.wirt("results", "compare", web, unix, status=0)

    assert done.stdout == ""
    assert done.stderr.startswith(
        f"note: the runs have nothing in common: {web} has http/apache/host/1; {unix} has unix/"
    )
    assert "The runs are of Siege and UnixBench 5.1.3, which need not do or count" in done.stderr


def test_index_of_an_imported_report_is_by_its_own_version(home: HomeUnderTest) -> None:
    run = bring_in(home, "unixbench-5.1.3.txt", "unixbench")
    page = home.wirt("report", run, "--format", "md", "--output", "-", status=0).stdout

    assert "UnixBench 5.1 and later" in page
    assert "UnixBench 4.1.0" not in page


def test_figure_beyond_all_machines_is_not_imported(home: HomeUnderTest, tmp_path: Path) -> None:
    file = tmp_path / "siege.json"
    text = (IMPORTS / "siege.json").read_text()
    file.write_text(text.replace("1802.87", "1e400"))
    done = home.wirt("results", "import", str(file), "--from", "siege")

    assert done.returncode == 2
    assert done.stderr.startswith(f"wirt: {file}: no program can have measured this: ")
    assert json.loads(home.wirt("results", "list", "--json", status=0).stdout) == []


@pytest.mark.parametrize(
    ("fmt", "start"), [("html", b"<!DOCTYPE"), ("md", b"# "), ("pdf", b"%PDF")]
)
def test_imported_run_is_reported_in_every_format(
    home: HomeUnderTest, tmp_path: Path, fmt: str, start: bytes
) -> None:
    run = bring_in(home, "unixbench-5.1.3.txt", "unixbench")
    target = tmp_path / "page"
    said = home.wirt("report", run, "--format", fmt, "--output", str(target), status=0).stdout

    assert said == f"report: {target}\n"
    assert target.read_bytes().lstrip().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--from", "siege", "--subject", "a/b"], 2, "'a/b' is not a subject name; use a-z,"),
        (["--from", "unixbench"], 2, "siege.json: this is not a report of UnixBench; give the"),
        ([], 2, "missing option '--from'. Choose from: unixbench, siege; see wirt results import"),
    ],
)
def test_import_that_makes_no_sense_is_refused_and_keeps_nothing(
    home: HomeUnderTest, arguments: list[str], status: int, message: str
) -> None:
    done = home.wirt("results", "import", str(IMPORTS / "siege.json"), *arguments)

    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(home.wirt("results", "list", "--json", status=0).stdout) == []


def test_file_that_cannot_be_written_is_named(home: HomeUnderTest, tmp_path: Path) -> None:
    run = bring_in(home, "siege.json", "siege")
    target = tmp_path / "missing" / "figures.csv"
    done = home.wirt("results", "export", run, "--format", "csv", "--output", str(target))

    assert done.returncode == 10
    assert done.stderr.startswith(f"wirt: cannot write {target}: No such file or directory")


def test_report_without_a_place_of_ones_own_says_nothing_of_it(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    run = bring_in(home, "unixbench-5.1.3.txt", "unixbench")
    nowhere = {"HOME": "/proc/nowhere", "TMPDIR": str(tmp_path)}
    done = home.wirt("report", run, environment=nowhere)

    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
