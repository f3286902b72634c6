"""``vzctl chkpnt`` by stages, of real containers: what is suspended stays so, and a dump lasts until the next is whole."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.crash.nodes import run_forked
from tests.homes import HomeUnderTest

from wirt.dialects.vz.vzctl.main import main
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

SECONDS = 30.0
COUNTING = "i=0; while :; do i=$((i+1)); echo $i >/new; mv /new /count; usleep 5000; done"
COMMAND = f"setsid sh -c '{COUNTING}' >/dev/null 2>&1 </dev/null &"
NOTHING: Mapping[str, str] = {}


@pytest.fixture
def counting(home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a container 101, in which a program counts."""
    home.type(f"vzctl create 101 --ostemplate {TINY}")
    home.type("vzctl start 101 --wait")
    home.wirt("exec", "101", "--", "sh", "-c", COMMAND, status=0)
    counted_on(home)
    return home


def count_of(home: HomeUnderTest) -> int:
    """Return how far the program has counted, without asking the container."""
    (guest,) = home.guests()
    for path in Path(home.home.pool("directory"), guest.id).glob("layer/*/count"):
        return int(path.read_text() or "0")
    return 0


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def counted_on(home: HomeUnderTest) -> None:
    before = count_of(home)
    until(lambda: count_of(home) > before, "it does not count")


def dumps_of(home: HomeUnderTest) -> list[str]:
    (guest,) = home.guests()
    return [one.name for one in guest.snapshots]


def test_suspended_container_stands_still_while_it_is_dumped_and_after_that(
    counting: HomeUnderTest,
) -> None:
    counting.type("vzctl chkpnt 101 --suspend")
    before = count_of(counting)
    counting.type("vzctl chkpnt 101 --dump")
    after = count_of(counting)
    status = counting.type("vzctl status 101")
    counting.type("vzctl chkpnt 101 --resume")
    counted_on(counting)
    counting.type("vzctl chkpnt 101 --suspend --dump --kill")
    ended = count_of(counting)
    counting.type("vzctl restore 101 --undump")
    restored = count_of(counting)
    status_restored = counting.type("vzctl status 101")
    counting.type("vzctl restore 101 --resume")
    counted_on(counting)

    assert before == after > 0
    assert status == status_restored == "CTID 101 exist mounted running suspended\n"
    assert restored == ended > before


def test_dump_that_cannot_be_made_leaves_the_one_before_to_go_on_from(
    counting: HomeUnderTest,
) -> None:
    counting.type("vzctl chkpnt 101 --suspend --dump --resume")
    dumped = count_of(counting)
    before = dumps_of(counting)
    counted_on(counting)
    with subprocess.Popen(
        [*counting.shell("which wirt").stdout.split(), "exec", "101", "--", "sleep", "60"],
        env=counting.environment,
        stdin=subprocess.DEVNULL,
    ) as from_outside:
        until(lambda: "sleep" in counting.type("vzctl exec 101 ps"), "nothing runs from outside")
        refused = counting.type("vzctl chkpnt 101", status=16)
        kept = dumps_of(counting)
        from_outside.send_signal(signal.SIGTERM)
    counting.type("vzctl stop 101 --fast")
    counting.type("vzctl restore 101")
    counted_on(counting)

    assert "was started from outside by wirt exec or enter and still runs" in refused
    assert before == kept == ["vzctl"]
    assert dumped > 0
    assert dumps_of(counting) == []


def test_next_dump_takes_the_place_of_the_one_before(counting: HomeUnderTest) -> None:
    names = []
    for _ in range(3):
        counting.type("vzctl chkpnt 101 --suspend --dump --resume")
        names.append(dumps_of(counting))
    counting.type("vzctl chkpnt 101")
    names.append(dumps_of(counting))
    started = counting.type("vzctl start 101")
    counted_on(counting)

    assert names == [["vzctl"], ["vzctl-2"], ["vzctl"], ["vzctl-2"]]
    assert started.startswith("Dump exists, trying to restore from it\n")
    assert dumps_of(counting) == []


def vzctl(home: HomeUnderTest, *arguments: str, environment: Mapping[str, str] = NOTHING) -> int:
    return run_forked(lambda: main(arguments), {**home.environment, **environment})


def test_undump_killed_leaves_the_dump_or_a_suspended_container(
    counting: HomeUnderTest, tmp_path: Path
) -> None:
    trace = tmp_path / "points"
    undump = ("restore", "101", "--undump")
    counting.type("vzctl chkpnt 101")
    ended = count_of(counting)
    assert vzctl(counting, *undump, environment={TRACE_VARIABLE: str(trace)}) == 0
    counting.type("vzctl chkpnt 101 --dump --kill")
    problems = []
    points = [one for one in dict.fromkeys(trace.read_text().split()) if one.startswith("resume:")]
    for point in points:
        status = vzctl(counting, *undump, environment={KILL_VARIABLE: point})
        problems += [point] if status != -signal.SIGKILL else []
        said = counting.type("vzctl status 101")
        problems += [f"{point}: {said}"] if not said.endswith(" suspended\n") else []
        if "running" in said:
            counting.type("vzctl chkpnt 101 --dump --kill")
    there = count_of(counting)
    counting.type("vzctl restore 101")
    counted_on(counting)

    assert problems == []
    assert there == ended
    assert {"resume:before:engine", "resume:after:engine", "resume:before-settle"} <= set(points)


def test_dump_killed_leaves_a_suspended_container_suspended_and_a_dump(
    counting: HomeUnderTest, tmp_path: Path
) -> None:
    trace = tmp_path / "points"
    dump = ("chkpnt", "101", "--dump")
    counting.type("vzctl chkpnt 101 --suspend --dump")
    assert vzctl(counting, *dump, environment={TRACE_VARIABLE: str(trace)}) == 0
    before = count_of(counting)
    problems = []
    points = list(dict.fromkeys(trace.read_text().split()))
    for point in points:
        status = vzctl(counting, *dump, environment={KILL_VARIABLE: point})
        problems += [point] if status != -signal.SIGKILL else []
        said = counting.type("vzctl status 101")
        problems += [f"{point}: {said}"] if not said.endswith("running suspended\n") else []
        problems += [f"{point}: no dump"] if not dumps_of(counting) else []
    after = count_of(counting)
    counting.type("vzctl chkpnt 101 --resume")
    counted_on(counting)
    counting.type("vzctl chkpnt 101")
    counting.type("vzctl restore 101")
    counted_on(counting)

    assert problems == []
    assert before == after
    assert {"checkpoint:before:dump", "checkpoint:before-settle"} <= set(points)
    assert not os.path.exists(f"{counting.home.run}/guests/{counting.guests()[0].id}/dump")
