"""``wirt compare``, ``results`` and ``report`` on a small template: interrupted, killed, resumed, and told nonsense."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest
from tests.leaks import World

from wirt.bench import results
from wirt.bench.sample import HOST, HOST_AGAIN, Run
from wirt.bench.workloads import WORKLOADS
from wirt.state.sqlite import SqliteStore

SMALL = ["compare", "-t", TINY, "--suite", "unix", "--test", "pipe", "--seconds", "0.1"]
LONG = ["compare", "-t", TINY, "-a", "lxc", "--suite", "unix", "--seconds", "0.5"]
LONG += ["--test", "pipe", "--test", "dhry2reg", "--blocks", "1"]
SECONDS = 60.0


def left_of(home: HomeUnderTest) -> list[str]:
    """Return what a comparison must not leave: everything but the results, and what an idle home has."""
    left = home.world().difference(World.empty())
    return [line for line in left if not line.startswith("files:")]


def only_run(home: HomeUnderTest) -> Path:
    (path,) = Path(home.home.results).glob("*/run.jsonl")
    return path


def read(home: HomeUnderTest) -> Run:
    return results.read_run(only_run(home))


def wait_for(home: HomeUnderTest, happened: Callable[[str], bool]) -> str:
    """Return the id of the one run as soon as its file tells that something has happened."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for path in Path(home.home.results).glob("*/run.jsonl"):
            if happened(path.read_text()):
                return path.parent.name
    raise AssertionError("nothing was measured")


def has_sample(text: str) -> bool:
    return '"kind":"sample"' in text


@pytest.fixture(scope="module")
def told(module_home: HomeUnderTest) -> subprocess.CompletedProcess[str]:
    """Give what ``compare --json`` of a chroot, a container, and an emulated guest whose kernel is none says."""
    approaches = ["-a", "chroot", "-a", "lxc", "-a", "qemu"]
    return module_home.wirt(*SMALL, *approaches, "--blocks", "2", "--json")


def test_compare_with_an_approach_that_fails_measures_the_others_and_ends_with_one(
    module_home: HomeUnderTest, told: subprocess.CompletedProcess[str]
) -> None:
    run = read(module_home)
    measured = {sample.subject for sample in run.samples if sample.phase == "measure"}

    assert told.returncode == 1
    assert measured == {HOST, HOST_AGAIN, "chroot", "lxc"}
    assert {failure.subject for failure in run.failures} == {"qemu"}
    assert told.stderr.splitlines() == [
        f"failed: qemu: {failure.message}" for failure in run.failures
    ]
    assert "kernel has no driver" in told.stderr


def test_compare_with_json_prints_an_object_and_nothing_else(
    module_home: HomeUnderTest, told: subprocess.CompletedProcess[str]
) -> None:
    said = json.loads(told.stdout)
    shown = module_home.wirt("results", "show", said["run"], "--json", status=0)

    assert json.loads(shown.stdout) == said
    assert {"run", "environment", "results"} <= said.keys()
    assert {one["subject"] for one in said["results"]} == {"host", "chroot", "lxc"}
    for one in said["results"]:
        assert {
            "suite",
            "test",
            "subject",
            "copies",
            "value",
            "unit",
            "n",
            "ratio",
            "ci_low",
            "ci_high",
            "index",
            "verdict",
        } <= one.keys()
        assert one["index"] == pytest.approx(10 * one["ratio"])
    (host,) = [one for one in said["results"] if one["subject"] == "host"]
    assert (host["ratio"], host["index"], host["n"]) == (1.0, 10.0, 2)


def test_compare_of_lives_measures_the_verbs_of_guests_and_leaves_none(
    home: HomeUnderTest,
) -> None:
    lives = ["compare", "-t", TINY, "--suite", "lifecycle", "-a", "chroot", "-a", "lxc"]
    told = home.wirt(*lives, "--blocks", "1", "--json", status=0)
    rows = {(row["verb"], row["subject"]): row for row in json.loads(told.stdout)["lifecycle"]}
    verbs = ("create", "start", "ready", "stop", "clone", "destroy", "life")

    # A container can be checkpointed too, and goes to a second home.
    kept = {(verb, "lxc") for verb in ("checkpoint", "resume", "migrate", "downtime")}
    assert rows.keys() == kept | {(verb, name) for verb in verbs for name in ("chroot", "lxc")}
    assert all(0 < row["seconds"] < 60 for row in rows.values())
    assert rows["downtime", "lxc"]["seconds"] < rows["migrate", "lxc"]["seconds"]
    of_whole = [rows[verb, "lxc"]["seconds"] for verb in (*verbs[:-1], "checkpoint", "resume")]
    assert rows["life", "lxc"]["seconds"] == pytest.approx(sum(of_whole))
    assert home.guests() == []
    assert left_of(home) == []
    assert "The life of a guest" in only_run(home).with_name("report.html").read_text()


def test_compare_leaves_a_report_and_no_guest(
    module_home: HomeUnderTest, told: subprocess.CompletedProcess[str]
) -> None:
    page = only_run(module_home).with_name("report.html").read_text()

    assert page.lower().startswith("<!doctype html>")
    assert module_home.guests() == []
    assert left_of(module_home) == []


def test_results_list_names_the_run_as_complete(
    module_home: HomeUnderTest, told: subprocess.CompletedProcess[str]
) -> None:
    said = module_home.wirt("results", "list", "--json", status=0).stdout
    (one,) = json.loads(said)

    assert (one["run"], one["complete"]) == (json.loads(told.stdout)["run"], True)


def test_compare_without_a_terminal_tells_its_progress_in_lines(home: HomeUnderTest) -> None:
    done = home.wirt(*SMALL, "-a", "chroot", "--blocks", "1", status=0)

    assert re.match(r" +0%  block 1: starting guests\n", done.stderr)
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert f"report: {only_run(home).with_name('report.html')}\n" in done.stdout


def test_compare_on_a_terminal_shows_a_bar_and_the_time_left(home: HomeUnderTest) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [WIRT, *SMALL, "-a", "lxc", "--blocks", "2"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**home.environment, "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = read_terminal(ours)

    assert process.wait(SECONDS) == 0
    assert "━" in shown
    assert re.search(r"\d+%", shown)
    assert re.search(r"\d (s|ms) left", shown)
    assert "pipe in lxc" in shown


def read_terminal(descriptor: int) -> str:
    """Return all that is written to a terminal until its last writer has closed it."""
    content = bytearray()
    try:
        while select.select([descriptor], [], [], SECONDS)[0]:
            content += os.read(descriptor, 65536)
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    finally:
        os.close(descriptor)
    return content.decode()


def by_terminal(process: "subprocess.Popen[str]") -> None:
    """Interrupt a command as Ctrl-C does: it and all that it runs in the foreground."""
    os.killpg(process.pid, signal.SIGINT)


def by_signal(process: "subprocess.Popen[str]") -> None:
    """Ask a command to end, alone."""
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("interrupt", [by_terminal, by_signal])
def test_interrupted_compare_leaves_nothing_says_how_to_go_on_and_goes_on(
    home: HomeUnderTest, interrupt: Callable[["subprocess.Popen[str]"], None]
) -> None:
    process = home.spawn(*LONG)
    run = wait_for(home, has_sample)
    began = time.monotonic()
    interrupt(process)
    _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert f"go on with: wirt compare --resume {run}\n" in said
    assert time.monotonic() - began < 10
    assert home.guests() == []
    assert left_of(home) == []
    assert read(home).finish is None

    before = read(home).samples
    home.wirt("compare", "--resume", run, status=0)
    after = read(home)

    assert after.finish is not None
    assert after.samples[: len(before)] == before
    assert complete(home, run)


def complete(home: HomeUnderTest, run: str) -> bool:
    """Say whether a run has every figure of ``LONG``, each against the host's."""
    said: dict[str, Any] = json.loads(home.wirt("results", "show", run, "--json", status=0).stdout)
    figures = {(one["subject"], one["test"]) for one in said["results"] if one["ratio"] is not None}
    return figures == {(name, test) for name in ("host", "lxc") for test in ("pipe", "dhry2reg")}


@pytest.fixture
def killed(home: HomeUnderTest) -> str:
    """Give the id of a run whose command was killed while it measured, with all that it left, a running guest."""
    process = home.spawn(*LONG)
    run = wait_for(home, has_sample)
    process.kill()
    process.communicate()
    # Not asked of a command, which would clean up; nor of the world, whose processes come and go.
    assert SqliteStore(home.home.database).guests()
    return run


def test_killed_compare_is_tidied_up_after_by_whatever_command_comes_next(
    home: HomeUnderTest, killed: str
) -> None:
    assert home.guests() == []
    assert left_of(home) == []
    resumed = home.wirt("compare", "--resume", status=0)
    assert resumed.stderr.startswith(f"going on with run {killed}\n")
    assert complete(home, killed)
    page = only_run(home).with_name("report.html").read_text()
    assert "The command was killed in block 1: " in page


def test_command_beside_a_compare_leaves_its_guests_alone(home: HomeUnderTest) -> None:
    process = home.spawn(*LONG)
    wait_for(home, has_sample)
    listed = home.wirt("list", status=0).stdout
    running = home.guests()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)

    assert "running" in listed
    assert running != []


def test_second_compare_at_once_is_refused(home: HomeUnderTest) -> None:
    process = home.spawn(*LONG)
    wait_for(home, has_sample)
    refused = home.wirt(*SMALL, "-a", "chroot")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)

    assert (refused.returncode, refused.stdout) == (8, "")
    assert refused.stderr == (
        f"wirt: wirt compare is in use by another command (process {process.pid}); "
        "wait for it to end and try again\n"
    )


def test_compare_keeps_what_only_looks_like_a_leftover(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "cmp-20260101-1200-web-1", status=0)
    work = Path(home.home.data, "work-of-mine")
    work.mkdir()
    home.wirt(*SMALL, "-a", "chroot", "--blocks", "1", status=0)

    assert [guest.name for guest in home.guests()] == ["cmp-20260101-1200-web-1"]
    assert work.is_dir()


def test_resume_of_a_run_whose_template_has_changed_is_refused(home: HomeUnderTest) -> None:
    run = home.wirt(*SMALL, "-a", "chroot", "--blocks", "1", "--json", status=0).stdout
    name = json.loads(run)["run"]
    path = only_run(home)
    header, *rest = path.read_bytes().splitlines(keepends=True)
    changed = msgspec.json.decode(header) | {"template_sha256": "0" * 64}
    path.write_bytes(msgspec.json.encode(changed) + b"\n" + b"".join(rest[:-1]))
    refused = home.wirt("compare", "--resume", name)

    assert refused.returncode == 6
    assert refused.stderr == (
        f"wirt: template {TINY} has changed since run {name} was begun; "
        "begin a new run: wirt compare\n"
    )


ALL_TESTS = ", ".join(WORKLOADS)
NO_SUCH_RUN = "there is no run nosuch; wirt results list shows the runs there are"
BAD = {
    "profile-unknown": (
        ["compare", "--profile", "slow"],
        2,
        "invalid value for '-p' / '--profile': 'slow' is not one of 'quick', 'standard', "
        "'thesis'; see wirt compare --help",
    ),
    "suite-unknown": (
        ["compare", "--suite", "disk"],
        2,
        "invalid value for '--suite': 'disk' is not one of 'unix', 'http', 'lifecycle'; "
        "see wirt compare --help",
    ),
    "test-unknown": (
        ["compare", "-t", TINY, "--test", "pope"],
        2,
        f"there is no test 'pope'; choose one of {ALL_TESTS}",
    ),
    "approach-unknown": (
        ["compare", "-t", TINY, "-a", "vmware"],
        2,
        "there is no approach 'vmware'; choose one of chroot, lxc, uml, qemu, kvm, xen, xen-pvh",
    ),
    "template-unknown": (
        ["compare", "-t", "nosuch"],
        3,
        "no template called nosuch; see wirt template list",
    ),
    "guests-none": (
        ["compare", "-t", TINY, "--guests", "0"],
        2,
        "0 guests cannot be loaded in parallel; ask for 1 to 50",
    ),
    "blocks-none": (
        ["compare", "-t", TINY, "--blocks", "0"],
        2,
        "invalid value for '--blocks': 0 is not in the range x>=1; see wirt compare --help",
    ),
    "seconds-none": (
        ["compare", "-t", TINY, "--seconds", "0"],
        2,
        "a pass cannot take 0 s; ask for 10ms to 1h; 100ms or more say something",
    ),
    "tests-without-their-suite": (
        ["compare", "--suite", "http", "--test", "pipe"],
        2,
        "test pipe is of suite unix, which is not asked for; leave --test or --suite out, or add --suite unix",
    ),
    "resume-with-another-profile": (
        ["compare", "--resume", "short", "-p", "standard"],
        2,
        "--profile cannot be changed in run short: a resumed run goes on as it was begun; "
        "leave it out, or begin a new run without --resume",
    ),
    "resume-with-other-approaches": (
        ["compare", "--resume", "short", "--json", "--approach", "lxc"],
        2,
        "--approach cannot be changed in run short: a resumed run goes on as it was begun; "
        "leave it out, or begin a new run without --resume",
    ),
    "resume-of-an-unknown-run": (["compare", "--resume", "nosuch"], 3, NO_SUCH_RUN),
    "show-of-an-unknown-run": (["results", "show", "nosuch"], 3, NO_SUCH_RUN),
    "report-of-an-unknown-run": (["report", "nosuch"], 3, NO_SUCH_RUN),
    "report-of-no-run": (
        ["report", "../wirt.db"],
        2,
        "'../wirt.db' is not the id of a run; wirt results list shows the runs there are",
    ),
    "show-of-a-run-cut-short": (
        ["results", "show", "short"],
        9,
        "results/short/run.jsonl is cut short at line 2; run wirt compare --resume short to "
        "continue it",
    ),
    "report-of-a-run-cut-short": (
        ["report", "short"],
        9,
        "results/short/run.jsonl is cut short at line 2; run wirt compare --resume short to "
        "continue it",
    ),
    "show-of-a-run-of-a-newer-version": (
        ["results", "show", "newer"],
        9,
        "results/newer/run.jsonl was written by a newer Wirt (format 99, this one reads 2); "
        "upgrade Wirt",
    ),
    "report-of-a-run-of-a-newer-version": (
        ["report", "newer"],
        9,
        "results/newer/run.jsonl was written by a newer Wirt (format 99, this one reads 2); "
        "upgrade Wirt",
    ),
    "resume-of-a-run-of-a-newer-version": (
        ["compare", "--resume", "newer"],
        9,
        "results/newer/run.jsonl was written by a newer Wirt (format 99, this one reads 2); "
        "upgrade Wirt",
    ),
    "resume-of-a-damaged-run": (
        ["compare", "--resume", "damaged"],
        9,
        "results/damaged/run.jsonl is damaged at line 2; restore it from a copy, or measure again",
    ),
    "resume-of-a-run-that-is-complete": (
        ["compare", "--resume", "whole"],
        5,
        "run whole is complete, there is nothing to resume; wirt results show whole shows it",
    ),
    "resume-of-a-run-of-other-workloads": (
        ["compare", "--resume", "other"],
        6,
        "the workloads have changed since run other was begun; begin a new run: wirt compare",
    ),
}


@pytest.fixture(scope="module")
def runs(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with runs that are damaged in several ways."""
    header = {
        "kind": "header",
        "format": 1,
        "wirt": "0.1.0",
        "profile": "quick",
        "seed": 7,
        "started": 1767268800.0,
        "subjects": [{"name": "host"}],
        "suites": ["unix"],
        "blocks": 1,
        "guests": 1,
        "template": TINY,
        "template_sha256": "ab" * 32,
        "workloads": {"pipe": "cd" * 32},
        "compiler": {},
        "environment": {},
        "unavailable": {},
    }
    finish = b'{"kind":"finish","at":1767268900.0,"capped":[]}\n'
    for name, changes, rest in (
        ("short", {}, b'{"kind":"sam'),
        ("newer", {"format": 99, "subjects": "in another shape"}, b""),
        ("damaged", {}, b"what is this?\n"),
        ("whole", {}, finish),
        ("other", {}, b""),
    ):
        path = results.run_path(Path(module_home.home.results), name)
        path.parent.mkdir(parents=True)
        path.write_bytes(msgspec.json.encode({**header, "run": name, **changes}) + b"\n" + rest)
    return module_home


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_changes_nothing(runs: HomeUnderTest, case: str) -> None:
    arguments, status, message = BAD[case]
    before = runs.world()
    done = runs.wirt(*arguments)

    assert done.stderr == f"wirt: {message}\n"
    assert done.stdout == ""
    assert done.returncode == status
    assert runs.world().difference(before) == []


@pytest.mark.parametrize("template", [TINY, "nosuch"])
def test_compare_of_an_approach_that_cannot_run_here_says_why_whatever_else_is_wrong(
    runs: HomeUnderTest, template: str
) -> None:
    before = runs.world()
    wanted = ("-t", template, "-a", "lxc", "-a", "uml")
    done = runs.wirt("compare", *wanted, environment={"WIRT_UML": "/nonexistent"})

    assert done.returncode == 6
    assert done.stderr == (
        "wirt: approach uml cannot run here: User-Mode Linux is not installed; "
        "apt-get install user-mode-linux\n"
    )
    assert runs.world().difference(before) == []


def test_approach_that_cannot_run_here_is_left_out_and_the_run_says_why(
    home: HomeUnderTest,
) -> None:
    home.wirt(*SMALL, "--blocks", "1", environment={"WIRT_UML": "/nonexistent"})
    header = read(home).header

    assert "uml" in header.unavailable
    assert not {"uml", *header.unavailable} & {subject.name for subject in header.subjects}
