"""Emulated guests whose memory is kept. One is booted, and every test goes on from what it was then, which takes a second."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests import homes
from tests.guest.conftest import ShippedTemplate
from tests.homes import HomeUnderTest

from wirt.model.lifecycle import State
from wirt.ops.journal import KILL_VARIABLE

BOOTED = "booted"
SECONDS = 60.0
COUNT = "i=0; while :; do i=$((i+1)); echo $i >/dev/shm/new; mv /dev/shm/new /dev/shm/count; sleep 0.1; done"


@pytest.fixture(scope="module")
def booted(template: ShippedTemplate) -> Iterator[HomeUnderTest]:
    """Give a home with a guest that counts and serves, kept as "booted"."""
    with homes.open_home(Path(template.directory)) as home:
        limits = ["--cpus", "1", "--memory", "256M"]
        home.wirt("create", "-t", template.name, "web", "--approach", "qemu", *limits, status=0)
        home.wirt("start", "web", status=0)
        begin = f"setsid sh -c '{COUNT}' >/dev/null 2>&1 </dev/null &"
        home.wirt("exec", "web", "--", "sh", "-c", begin, status=0)
        until(lambda: count(home) > 0, "it does not count")
        home.wirt("checkpoint", "web", BOOTED, status=0)
        yield home


@pytest.fixture
def running(booted: HomeUnderTest) -> HomeUnderTest:
    booted.wirt("resume", "--force", "web", BOOTED, status=0)
    return booted


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def serves(address: str) -> bool:
    with suppress(OSError), socket.create_connection((address, 80), timeout=1.0):
        return True
    return False


def count(home: HomeUnderTest) -> int:
    said = home.wirt("exec", "web", "--", "cat", "/dev/shm/count").stdout
    return int(said) if said.strip() else 0


def test_guest_goes_on_where_it_was_with_its_disk_and_the_time_of_now(
    running: HomeUnderTest,
) -> None:
    running.wirt("exec", "web", "--", "touch", "/root/kept", status=0)
    running.wirt("checkpoint", "web", "one", status=0)
    stopped = running.guests()[0]
    running.wirt("resume", "web", BOOTED, status=0)
    running.wirt("exec", "web", "--", "touch", "/root/lost", status=0)
    running.wirt("resume", "--force", "web", "one", status=0)
    first = count(running)
    until(lambda: count(running) > first, "it does not count on")
    now = running.wirt("exec", "web", "--", "date", "+%s", status=0).stdout

    assert stopped.state is State.STOPPED
    assert stopped.snapshots[-1].memory
    assert first > 0
    assert running.wirt("exec", "web", "--", "ls", "/root", status=0).stdout == "kept\n"
    assert abs(int(now) - time.time()) < 5
    running.wirt("snapshot", "delete", "web", "one", status=0)


def test_connection_lives_on_in_a_guest_that_is_kept_running(running: HomeUnderTest) -> None:
    address = running.guests()[0].address
    until(lambda: serves(address), "it does not serve")
    with closing(http.client.HTTPConnection(address, timeout=SECONDS)) as connection:
        said = []
        for _ in range(2):
            connection.request("GET", "/", headers={"Connection": "keep-alive"})
            said.append(connection.getresponse().read())
            port = connection.sock.getsockname()
            if len(said) == 1:
                running.wirt("checkpoint", "web", "on", "--keep-running", status=0)
                assert connection.sock.getsockname() == port

    assert said[0] == said[1] != b""
    running.wirt("snapshot", "delete", "web", "on", status=0)


def test_guest_with_less_memory_than_it_was_started_with_is_kept_and_goes_on(
    running: HomeUnderTest,
) -> None:
    running.wirt("set", "web", "--memory", "200M", status=0)
    before = running.wirt("exec", "web", "--", "grep", "MemTotal", "/proc/meminfo").stdout
    running.wirt("checkpoint", "web", "small", status=0)
    running.wirt("resume", "web", "small", status=0)
    after = running.wirt("exec", "web", "--", "grep", "MemTotal", "/proc/meminfo").stdout
    running.wirt("stop", "--force", "web", status=0)
    running.wirt("set", "web", "--memory", "512M", status=0)
    refused = running.wirt("resume", "web", "small")
    running.wirt("set", "web", "--memory", "256M", status=0)
    running.wirt("snapshot", "delete", "web", "small", status=0)

    assert before == after != ""
    assert refused.stderr == (
        "wirt: what was kept is of a machine with 1 CPUs and 256 MiB of memory, and the guest has 1 "
        "and 512 MiB now; give it those again: wirt set --cpus --memory\n"
    )


def test_altered_memory_is_refused_in_one_line(booted: HomeUnderTest) -> None:
    guest = booted.guests()[0]
    memory = Path(booted.home.checkpoint(guest.id, BOOTED), "memory")
    with memory.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    altered = booted.wirt("resume", "--force", "web", BOOTED, status=9)
    with memory.open("r+b") as file:
        file.write(first)

    assert altered.stderr == (
        f"wirt: checkpoint {BOOTED} of guest web is damaged: memory is not what was written; "
        "it cannot be resumed; go back to its disk alone: wirt snapshot restore\n"
    )


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("checkpoint:after:dump", State.RUNNING),
        ("suspend:after-intent", State.STOPPED),
    ],
)
def test_maker_of_a_checkpoint_that_dies_leaves_a_whole_guest(
    running: HomeUnderTest, point: str, state: State
) -> None:
    kept = ["--keep-running"] if state is State.RUNNING else []
    running.wirt("checkpoint", "web", "half", *kept, environment={KILL_VARIABLE: point}, status=-9)
    after = running.guests()[0]
    names = [one.name for one in after.snapshots]
    if state is State.STOPPED:
        running.wirt("resume", "web", status=0)
        running.wirt("snapshot", "delete", "web", "half", status=0)
    first = count(running)
    until(lambda: count(running) > first, "it does not count on")

    assert after.state is state
    assert names == ([BOOTED] if state is State.RUNNING else [BOOTED, "half"])
