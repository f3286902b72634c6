"""``vzubc`` as it is installed, on containers that run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.dialects.vz.beancounters import ROWS, Bean, parse_beancounters
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006

PROGRAMS = Path(sys.executable).parent
VZUBC = PROGRAMS / "vzubc"
SLEEPERS = "n=0; while [ $n -lt 5 ]; do sleep 600 >/dev/null 2>&1 & n=$((n + 1)); done"
FORKS = "n=0; while [ $n -lt 64 ]; do sleep 60 >/dev/null 2>&1 & n=$((n + 1)); done"


def vz(
    home: HomeUnderTest, program: str, *arguments: str, stdin: str = "", warning: str = ""
) -> str:
    """Run a vz command that must succeed, and warn of nothing else, and return what it said."""
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        env=home.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, warning)
    return done.stdout


@pytest.fixture(scope="module")
def node(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with the containers 101, 102 and web, of which 102 does not run."""
    for name in ("101", "102", "web"):
        module_home.wirt("create", "-t", TINY, name, status=0)
    for name in ("101", "web"):
        module_home.wirt("start", name, status=0)
    limits = ["--numtcpsock", "80:90", "--numproc", "40"]
    warning = "Warning: kept, but nothing here holds a container to it: numtcpsock\n"
    vz(module_home, "vzctl", "set", "101", *limits, "--save", warning=warning)
    return module_home


def beans(home: HomeUnderTest, *arguments: str) -> dict[str, Bean]:
    (group,) = parse_beancounters(vz(home, "vzubc", "--proc", *arguments, "101"), name="x")
    return {bean.name: bean for bean in group.beans}


def test_proc_is_the_kernels_file_of_the_containers_that_run(node: HomeUnderTest) -> None:
    text = vz(node, "vzubc", "--proc")
    groups = parse_beancounters(text, name="x")
    lines = text.splitlines()

    assert lines[0] == "Version: 2.5"
    assert len(lines) == 2 + 2 * len(ROWS)
    assert groups[0].ctid == 101
    assert [group.ctid for group in groups] == sorted(group.ctid or 0 for group in groups)
    for asked, said in (
        ("102", "Container 102 is not running; see vzlist -a\n"),
        ("999", "Container config file does not exist\n"),
    ):
        for options in ("", "--proc"):
            assert node.type(f"vzubc {options} {asked}", status=1) == said
    web = vz(node, "vzubc", "--proc", "web").splitlines()[2:]
    assert [line[:24] for line in web] == [line[:24] for line in lines[2 + len(ROWS) :]]


def test_proc_has_what_is_held_and_what_bounds_it(node: HomeUnderTest) -> None:
    before = beans(node)
    node.wirt("exec", "101", "--", "sh", "-c", SLEEPERS, status=0)
    after = beans(node)

    assert after["numproc"].held - before["numproc"].held == 5
    assert (after["numproc"].barrier, after["numproc"].limit) == (40, 40)
    # Nothing enforces these: they are what the container's file says, if it says something.
    assert (after["numtcpsock"].barrier, after["numtcpsock"].limit) == (80, 90)
    assert (after["numflock"].barrier, after["numflock"].limit) == (UNLIMITED, UNLIMITED)
    assert (after["vmguarpages"].held, after["vmguarpages"].maxheld) == (0, 0)
    narrow = beans(node, "--compat=2006")
    assert (narrow["numflock"].barrier, narrow["numproc"].limit) == (UNLIMITED_2006, 40)


def test_report_shows_what_is_near_failed_and_changed(node: HomeUnderTest) -> None:
    for options in (["-r"], ["-i"]):
        vz(node, "vzubc", *options, "101")
    node.wirt("exec", "101", "--", "sh", "-c", FORKS)
    quiet = vz(node, "vzubc", "-q", "101")
    changed = vz(node, "vzubc", "-i", "101")
    failed = [vz(node, "vzubc", "-r", "-q", "-qh", "1", "-qm", "1", "101") for _ in range(2)]
    forgotten = vz(node, "vzubc", "-r", "-rc", "-q", "101")

    row, change = (
        next(line for line in said.splitlines() if "numproc|" in line) for said in (quiet, changed)
    )
    assert "|  40  100% 100%|  40 |  40 |" in row
    assert not row.endswith("- ")
    assert change.split("|")[1].split()[1].startswith("+")
    assert ["numproc|" in said for said in (*failed, forgotten)] == [True, False, True]
    assert "|+FAIL" in failed[0]


def test_report_of_a_copy_needs_no_container(node: HomeUnderTest) -> None:
    copy = vz(node, "vzubc", "--proc", "101")
    path = node.base / "copy"
    path.write_text(copy)

    shown = vz(node, "vzubc", "-f", str(path))
    assert "CT 101       | HELD Bar% Lim%|" in shown
    assert vz(node, "vzubc", "-f", "-", stdin=copy) == shown
    assert node.type("vzubc -f - 102", stdin=copy, status=1) == "- has nothing of container 102\n"


def test_watch_is_told_how_to_run_it_again(node: HomeUnderTest) -> None:
    programs = node.base / "programs"
    programs.mkdir()
    (programs / "watch").write_text('#!/bin/sh\necho "$@"\nexit 3\n')
    (programs / "watch").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        [VZUBC, "-w", "-q", "-wd", "-wt", "-wn", "5", "101"],
        env={**node.environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == f"--differences --no-title --interval=5 --exec -- {VZUBC} -q 101\n"
    assert done.returncode == 3


def test_what_cannot_be_is_refused_with_status_1(node: HomeUnderTest) -> None:
    said = {}
    for arguments in (["-x"], ["-f", "/no/such"], ["-f", "/bin/busybox"], ["-f", "/etc/passwd"]):
        done = subprocess.run(
            [VZUBC, *arguments], env=node.environment, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (1, "")
        said[arguments[-1]] = done.stderr

    assert said["-x"] == "Unrecognized option: -x; see vzubc --help\n"
    assert said["/no/such"].startswith("cannot read /no/such: No such file or directory")
    assert said["/bin/busybox"].startswith("/bin/busybox is no text")
    assert said["/etc/passwd"].startswith("/etc/passwd:1: this is no row of beancounters; ")
