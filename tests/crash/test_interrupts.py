"""Commands that are broken off, get in each other's way, or lose their engine."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from tests.conftest import TINY
from tests.crash.nodes import LxcNode, alike, warm_up
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.host import lock, process
from wirt.model.lifecycle import State
from wirt.model.names import interface_name

SEED = int(os.environ.get("WIRT_TEST_SEED", "2"))
ROUNDS = 30
_OF_FIRST_START = re.compile(
    r"/(console\.log|layer/work/work|shifted-(layer|template))( x2)? (is gone|was left)$"
)
"""What a guest has from its first start on: the other guest of a test has it too, and then there are two."""
INTERRUPTED = "\nwirt: interrupted\n"
"""On a line of its own, after the ^C that a terminal shows."""
TOO_LATE = "guest web runs, and is not waited for any more\n"


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Ask again and again; return whether the answer was yes before the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def world(home: HomeUnderTest) -> World:
    return alike(home.world(), home.home.tag)


def pid_of(home: HomeUnderTest) -> int:
    handle = home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    return handle.pid


def end(done: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return exit status and errors of a command that is about to end."""
    said = done.communicate(timeout=60)[1]
    return done.returncode, said


def test_commands_killed_at_random_times_leave_what_the_list_says(home: HomeUnderTest) -> None:
    # Another guest keeps the bridge, which a guest that was never started has not.
    for name in ("other", "web"):
        home.wirt("create", "-t", TINY, name, status=0)
        home.wirt("start", name, status=0)
    worlds = {"running": world(home)}
    home.wirt("stop", "web", status=0)
    worlds["stopped"] = world(home)
    home.wirt("destroy", "web", status=0)
    worlds[""] = world(home)
    chance = random.Random(SEED)
    choices = {
        "": [["create", "-t", TINY, "web"], ["run", "-t", TINY, "true"]],
        "stopped": [["start", "web"], ["start", "web"], ["destroy", "web"]],
        "running": [["stop", "web"], ["stop", "--force", "web"], ["destroy", "--force", "web"]],
    }
    state, problems = "", []
    for number in range(ROUNDS):
        command = chance.choice(choices[state])
        started = home.spawn(*command)
        after = chance.uniform(0.02, 0.3)
        try:
            started.wait(timeout=after)
        except subprocess.TimeoutExpired:
            started.kill()
        started.communicate()
        state = next((guest.state.value for guest in home.guests() if guest.name == "web"), "")
        # Started anew a guest has its log; one that never was has none.
        expected = worlds[state]
        if not until(lambda: not _strange(world(home), expected), 3.0):  # noqa: B023
            strange = _strange(world(home), expected)
            problems.append(f"round {number}, {command} killed after {after:.3f} s: {strange}")

    assert problems == []


def _strange(now: World, expected: World) -> list[str]:
    """Return what differs, but for the log and the working directory of the first start."""
    return [line for line in now.difference(expected) if not _OF_FIRST_START.search(line)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_start_interrupted_says_so_and_leaves_the_guest_stopped(
    home: HomeUnderTest, number: signal.Signals
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "web", status=0)
    before = world(home)
    problems = []
    for _ in range(4):
        started = home.spawn("start", "web")
        interface = interface_name(home.home.tag, home_id(home))
        until(lambda: os.path.exists(f"/sys/class/net/{interface}"), 5.0)  # noqa: B023
        started.send_signal(number)
        status, said = end(started)
        if status == 0 or (status, said) == (130, TOO_LATE + INTERRUPTED):  # it was faster
            home.wirt("stop", "--force", "web", status=0)
            continue
        problems += [] if (status, said) == (130, INTERRUPTED) else [f"{status} {said}"]
        problems += world(home).difference(before)

    assert problems == []


def home_id(home: HomeUnderTest) -> str:
    return os.listdir(f"{home.home.data}/guests")[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_interrupted_leaves_nothing(home: HomeUnderTest, number: signal.Signals) -> None:
    warm_up(LxcNode(home))
    before = world(home)
    started = home.spawn("run", "-t", TINY, "sh", "-c", "echo up; sleep 1000")
    assert started.stdout is not None
    up = started.stdout.readline()
    started.send_signal(number)
    status, said = end(started)

    assert up == "up\n"
    assert (status, said) == (130, INTERRUPTED)
    assert world(home).difference(before) == []


def test_run_interrupted_from_a_terminal_leaves_nothing(home: HomeUnderTest) -> None:
    """As Ctrl-C does it: everyone in the foreground gets the signal."""
    warm_up(LxcNode(home))
    before = world(home)
    started = home.spawn("run", "-t", TINY, "sh", "-c", "echo up; sleep 1000")
    assert started.stdout is not None
    started.stdout.readline()
    os.killpg(started.pid, signal.SIGINT)
    status, said = end(started)

    assert (status, said) == (130, INTERRUPTED)
    assert world(home).difference(before) == []


def test_exec_interrupted_ends_the_command_in_the_guest(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    started = home.spawn("exec", "web", "sh", "-c", "echo up; exec sleep 12345")
    assert started.stdout is not None
    started.stdout.readline()
    started.send_signal(signal.SIGINT)
    status, _ = end(started)

    assert status == 130
    assert until(
        lambda: "sleep 12345" not in home.wirt("exec", "web", "ps", "-o", "args", status=0).stdout
    )


def test_stop_interrupted_leaves_the_guest_to_its_shutdown(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    # An init that is stopped itself cannot shut down.
    monitor = pid_of(home)
    init = next(
        pid
        for pid in process.list_pids()
        if process.command_line(pid) == ["/bin/sh", "/sbin/init"] and parent(pid) == monitor
    )
    os.kill(init, signal.SIGSTOP)
    started = home.spawn("stop", "web")
    assert until(lambda: bool(process.find_by_argument("--nokill") and stopping(home)))
    started.send_signal(signal.SIGINT)
    status, said = end(started)
    state = home.guests()[0].state
    os.kill(init, signal.SIGCONT)

    assert (status, said) == (130, INTERRUPTED)
    assert state is State.RUNNING
    assert until(lambda: not process.is_alive(monitor, process.start_time(monitor)))
    assert home.guests()[0].state is State.STOPPED


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def stopping(home: HomeUnderTest) -> bool:
    name = home.home.place(home_id(home)).name
    return bool(process.find_by_argument(f"--name={name}"))


def test_start_killed_while_its_engine_starts_leaves_no_engine_behind(home: HomeUnderTest) -> None:
    """The engine's program goes on without the command that ran it, and must not get anywhere."""
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "web", status=0)
    before = world(home)
    name = home.home.place(home_id(home)).name
    caught: list[int] = []
    for _ in range(20):
        started = home.spawn("start", "web")
        if until(lambda: bool(process.find_by_argument(f"--name={name}")), 5.0):
            caught = process.find_by_argument(f"--name={name}")
            for pid in caught:
                process.end(pid, signal.SIGSTOP)
            started.kill()
        started.communicate()
        state = home.guests()[0].state
        problems = world(home).difference(before)
        for pid in caught:
            process.end(pid, signal.SIGCONT)
        if caught and started.returncode == -signal.SIGKILL:
            break
        home.wirt("stop", "--force", "web")

    assert caught
    assert state is State.STOPPED
    assert problems == []


def test_second_command_on_a_guest_waits_for_the_first(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    both = [home.spawn("start", "web"), home.spawn("start", "web")]
    results = sorted(end(one) for one in both)

    assert results == [
        (0, ""),
        (5, "wirt: guest web is running already; to start it anew, stop it first\n"),
    ]


def test_second_command_on_a_guest_gives_up_when_the_first_takes_long(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    with lock.hold(home.home.lock(home_id(home)), "guest web", wait=0):
        refused = home.wirt("start", "web")

    assert refused.returncode == 8
    assert refused.stderr == (
        f"wirt: guest web is in use by another command (process {os.getpid()}); "
        "wait for it to end and try again\n"
    )


def test_creates_side_by_side_get_addresses_of_their_own(home: HomeUnderTest) -> None:
    """The very first commands of a home, too, which make its state."""
    many = [home.spawn("create", "-t", TINY, f"web-{number}") for number in range(8)]
    results = [end(one) for one in many]

    guests = home.guests()
    assert results == [(0, "")] * 8
    assert len({guest.address for guest in guests}) == len(guests) == 8


def test_creates_of_one_name_side_by_side_make_one_guest(home: HomeUnderTest) -> None:
    both = [home.spawn("create", "-t", TINY, "web") for _ in range(2)]
    statuses = sorted(end(one)[0] for one in both)

    assert statuses == [0, 4]
    assert [guest.name for guest in home.guests()] == ["web"]


def test_runs_side_by_side_leave_nothing(home: HomeUnderTest) -> None:
    warm_up(LxcNode(home))
    before = world(home)
    many = [home.spawn("run", "-t", TINY, "hostname") for _ in range(4)]
    said = [one.communicate(timeout=60) for one in many]

    assert [one.returncode for one in many] == [0] * 4
    assert len({out for out, _ in said}) == 4
    assert world(home).difference(before) == []


@pytest.mark.parametrize("victim", ["monitor", "init"])
def test_engine_killed_from_outside_is_seen_and_tidied_up_by_the_next_command(
    home: HomeUnderTest, victim: str
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "web", status=0)
    stopped = world(home)
    home.wirt("start", "web", status=0)
    monitor = pid_of(home)
    inits = [pid for pid in process.list_pids() if parent_or_none(pid) == monitor]
    started = process.start_time(monitor)
    os.kill(monitor if victim == "monitor" else inits[0], signal.SIGKILL)
    ended = until(lambda: not process.is_alive(monitor, started))
    listed = json.loads(home.wirt("list", "--json", status=0).stdout)

    assert ended
    assert [guest["state"] for guest in listed] == ["stopped"]
    assert world(home).difference(stopped) == []
    home.wirt("start", "web", status=0)
    assert home.wirt("exec", "web", "echo", "again").stdout == "again\n"


def parent_or_none(pid: int) -> int | None:
    try:
        return parent(pid)
    except OSError:
        return None


def test_guest_that_powers_off_by_itself_is_stopped(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    monitor = pid_of(home)
    started = process.start_time(monitor)
    home.wirt("exec", "web", "sh", "-c", "kill -37 1")
    ended = until(lambda: not process.is_alive(monitor, started))
    refused = home.wirt("exec", "web", "true")

    assert ended
    assert (refused.returncode, refused.stderr) == (
        125,
        "wirt: guest web is not running; start it first\n",
    )
