"""Machines that go wrong: no agent, a panic, a damaged disk, no room, an engine that is killed. What is said of it, and what is left.

Most of them boot a ramdisk of one program, which takes two seconds.
"""

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.conftest import MakeTiny
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.host import mount, process
from wirt.model.lifecycle import State

MACHINES = ["qemu", "uml"]
STANDS = (
    "#!/bin/busybox sh\necho it stands >/dev/console\nwhile :; do /bin/busybox sleep 1000; done\n"
)
PANICS_LATER = "#!/bin/busybox sh\n/bin/busybox sleep 2\nexit 3\n"
ENDS = "#!/bin/busybox sh\nexit 3\n"
SECONDS = 60.0
SMALL = 24
"""Mebibytes of a pool that a guest fills."""


def log_of(home: HomeUnderTest) -> str:
    return home.home.place(home.guests()[0].id).log


def state_of(home: HomeUnderTest) -> State:
    return home.guests()[0].state


def kernel_objects(home: HomeUnderTest) -> World:
    """Return all that is of this home but its files."""
    return dataclasses.replace(home.world(), files=frozenset())


def engine_of(home: HomeUnderTest) -> int:
    handle = home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    return handle.pid


def until_said(home: HomeUnderTest, words: str, begin: int = 0) -> None:
    deadline = time.monotonic() + SECONDS
    while words.encode() not in Path(log_of(home)).read_bytes()[begin:]:
        assert time.monotonic() < deadline, f"it did not say {words!r}"
        time.sleep(0.02)


def start_standing(home: HomeUnderTest) -> None:
    begin = os.stat(log_of(home)).st_size if os.path.exists(log_of(home)) else 0
    home.wirt("start", "web", "--no-wait", status=0)
    until_said(home, "it stands", begin)


@pytest.mark.parametrize("approach", ["qemu", pytest.param("uml", marks=pytest.mark.long)])
def test_guest_whose_agent_never_answers_can_be_stopped_and_destroyed(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str
) -> None:
    make_tiny(approach, STANDS)
    started = guest_home.wirt("start", "web", "--timeout", "1s")
    log, state = log_of(guest_home), state_of(guest_home)
    stopped = guest_home.wirt("stop", "web", "--timeout", "1s")
    after = state_of(guest_home)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    destroyed = guest_home.wirt("destroy", "--force", "web")

    assert started.stderr == f"wirt: the guest was not ready within 1 s; see {log}\n"
    assert (state, after) == (State.RUNNING, State.STOPPED)
    assert (stopped.returncode, stopped.stdout) == (0, "guest web stopped\n")
    assert (destroyed.returncode, destroyed.stdout) == (0, "guest web destroyed\n")
    assert kernel_objects(guest_home).difference(World.empty()) == []


@pytest.mark.parametrize("approach", [pytest.param("qemu", marks=pytest.mark.long), "uml"])
def test_guest_whose_kernel_panics_is_stopped_and_says_why(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str
) -> None:
    make_tiny(approach, ENDS)
    started = guest_home.wirt("start", "web")

    assert started.stderr == (
        "wirt: the guest ended while it started: Kernel panic - not syncing: Attempted to kill init! "
        f"exitcode=0x00000300; see {log_of(guest_home)}\n"
    )
    assert state_of(guest_home) is State.STOPPED
    assert kernel_objects(guest_home).processes == frozenset()


@pytest.mark.parametrize("approach", ["qemu", pytest.param("uml", marks=pytest.mark.long)])
def test_panic_of_a_guest_that_ran_is_told_until_it_is_started_again(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str
) -> None:
    make_tiny(approach, PANICS_LATER)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    pid = engine_of(guest_home)
    ended = process.wait_gone(pid, SECONDS)
    refused = [guest_home.wirt("exec", "web", "true").stderr for _ in range(2)]
    shown = guest_home.wirt("show", "web", status=0).stdout
    told = guest_home.guests()[0].ended
    guest_home.wirt("start", "web", "--no-wait", status=0)
    after = guest_home.guests()[0].ended
    guest_home.wirt("stop", "--force", "web", status=0)
    stopped = guest_home.wirt("exec", "web", "true").stderr

    reason = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300"
    assert ended
    assert (
        refused
        == [f"wirt: guest web has ended: {reason}; see {log_of(guest_home)}, and start it again\n"]
        * 2
    )
    assert f"ended        {reason}\n" in shown
    assert (told, after) == (reason, None)
    assert stopped == "wirt: guest web is not running; start it first\n"


@pytest.mark.parametrize("approach", MACHINES)
def test_guest_whose_engine_is_killed_is_stopped_and_leaves_nothing(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str
) -> None:
    make_tiny(approach, STANDS)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    guest_home.wirt("stop", "--force", "web", status=0)
    stopped = kernel_objects(guest_home)
    start_standing(guest_home)
    pid = engine_of(guest_home)
    os.kill(pid, signal.SIGKILL)
    ended = process.wait_gone(pid, SECONDS)
    refused = guest_home.wirt("exec", "web", "true")
    state = state_of(guest_home)
    left = kernel_objects(guest_home).difference(stopped)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    os.kill(engine_of(guest_home), signal.SIGKILL)
    destroyed = guest_home.wirt("destroy", "--force", "web")

    assert ended
    assert refused.stderr == "wirt: guest web is not running; start it first\n"
    assert state is State.STOPPED
    assert left == []
    assert destroyed.returncode == 0
    assert kernel_objects(guest_home).difference(World.empty()) == []


@pytest.mark.long
@pytest.mark.parametrize("approach", MACHINES)
@pytest.mark.parametrize(
    "command",
    [
        ("start", "--timeout", "3s", "web"),
        ("stop", "--timeout", "3s", "web"),
        ("snapshot", "create", "web", "one"),
        ("disk", "add", "web", "--size", "16M"),
        ("freeze", "web"),
        ("set", "web", "--cpu-limit", "0.5"),
    ],
    ids=lambda command: command[0],
)
def test_command_whose_guests_engine_is_killed_leaves_a_stopped_guest(
    guest_home: HomeUnderTest, make_tiny: MakeTiny, approach: str, command: tuple[str, ...]
) -> None:
    make_tiny(approach, STANDS)
    start_standing(guest_home)
    guest_home.wirt("stop", "--force", "web", status=0)
    stopped = kernel_objects(guest_home)
    problems = []
    for delay in (0.0, 0.05, 0.1, 0.2, 0.4):
        if command[0] == "start":
            before = set(process.find_by_argument(argument_of(guest_home)))
            running = guest_home.spawn(*command)
            pid = first_engine(guest_home, before)
        else:
            start_standing(guest_home)
            pid = engine_of(guest_home)
            running = guest_home.spawn(*command)
        time.sleep(delay)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        _, said = running.communicate(timeout=120)
        if "Traceback" in said or len(said.splitlines()) > 1:
            problems.append(f"{delay}: said {said}")
        if state_of(guest_home) is not State.STOPPED:
            problems.append(f"{delay}: {state_of(guest_home)}")
        if left := kernel_objects(guest_home).difference(stopped):
            problems.append(f"{delay}: left {left}")
        for snapshot in guest_home.guests()[0].snapshots:
            guest_home.wirt("snapshot", "delete", "web", snapshot.name, status=0)

    assert problems == []
    start_standing(guest_home)


def argument_of(home: HomeUnderTest) -> str:
    guest = home.guests()[0]
    name = home.home.place(guest.id).name
    return f"umid={name}" if guest.approach == "uml" else f"guest={name}"


def first_engine(home: HomeUnderTest, before: set[int]) -> int | None:
    """Return the engine's process as soon as there is one; None if it came and went."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := set(process.find_by_argument(argument_of(home))) - before:
            return min(found)
    return None


def test_damaged_disk_of_an_emulated_guest_is_named_and_the_guest_can_be_destroyed(
    guest_home: HomeUnderTest,
) -> None:
    guest_home.wirt("create", "web", "-a", "qemu", status=0)
    (disk,) = Path(guest_home.home.data, "pools").rglob("qcow2/disk")
    damaged = bytearray(disk.read_bytes())
    damaged[:4] = b"none"
    disk.write_bytes(damaged)
    started = guest_home.wirt("start", "web")
    target = guest_home.base / "out.raw"
    exported = guest_home.wirt("export", "web", str(target), "--format", "raw")
    state = state_of(guest_home)
    log = log_of(guest_home)
    destroyed = guest_home.wirt("destroy", "web")

    assert started.stderr == (
        f"wirt: QEMU did not start: qemu-system-x86_64: -blockdev: Image is not in qcow2 format; see {log}\n"
    )
    assert exported.returncode == started.returncode
    assert exported.stderr.endswith("Image is not in qcow2 format\n")
    assert list(guest_home.base.glob("*out.raw*")) == []
    assert state is State.STOPPED
    assert destroyed.returncode == 0


def test_damaged_disk_of_a_user_mode_guest_is_no_root_and_the_guest_can_be_destroyed(
    guest_home: HomeUnderTest,
) -> None:
    guest_home.wirt("create", "web", "-a", "uml", status=0)
    layers = Path(guest_home.home.data, "pools").rglob("ubd")
    (Path(next(layers)) / "disk").write_bytes(b"none" * 4096)
    started = guest_home.wirt("start", "web")
    state = state_of(guest_home)
    log = log_of(guest_home)
    destroyed = guest_home.wirt("destroy", "web")

    assert started.stderr.startswith(
        "wirt: the guest ended while it started: Kernel panic - not syncing: VFS: Unable to mount root fs"
    )
    assert started.stderr.endswith(f"; see {log}\n")
    assert state is State.STOPPED
    assert destroyed.returncode == 0


@pytest.fixture
def small_pool(guest_home: HomeUnderTest) -> Iterator[Path]:
    """Give a pool "small" with little room; it is in memory, where room can be made."""
    path = guest_home.base / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}M", "none", path], check=True)
    guest_home.wirt("pool", "create", "small", "--kind", "image", "--path", str(path), status=0)
    yield path
    for guest in guest_home.guests():
        guest_home.wirt("destroy", "--force", guest.name, status=0)
    guest_home.wirt("pool", "remove", "small", status=0)
    mount.unmount(str(path))


def fill(home: HomeUnderTest, pool: Path, approach: str) -> None:
    home.wirt("create", "web", "-a", approach, "--memory", "256M", "--pool", "small", status=0)
    home.wirt("start", "web", status=0)
    script = f"(dd if=/dev/urandom of=/root/big bs=1M count={2 * SMALL}; sync; echo >/root/end) >/dev/null 2>&1 &"
    home.wirt("exec", "web", "--", "sh", "-c", script, status=0)
    deadline = time.monotonic() + SECONDS
    while os.statvfs(pool).f_bfree:
        assert time.monotonic() < deadline, "it does not fill its disk"
        time.sleep(0.1)


@pytest.mark.long
def test_emulated_guest_whose_pool_is_full_stands_still_and_goes_on_when_there_is_room(
    guest_home: HomeUnderTest, small_pool: Path
) -> None:
    fill(guest_home, small_pool, "qemu")
    stands = guest_home.wirt("exec", "web", "true")
    subprocess.run(["mount", "-o", f"remount,size={4 * SMALL}M", small_pool], check=True)
    thawed = guest_home.wirt("thaw", "web")
    check = "until [ -e /root/end ]; do sleep 0.1; done; dmesg | grep -c 'I/O error'; stat -c %s /root/big"
    whole = guest_home.wirt("exec", "web", "--", "sh", "-c", check).stdout
    stopped = guest_home.wirt("stop", "web")

    assert stands.stderr == (
        "wirt: guest web stands still: there was no room for what it wrote to its disk; make some in pool "
        "small, and let it go on: wirt thaw web\n"
    )
    assert (thawed.returncode, thawed.stdout) == (0, "guest web thawed\n")
    assert whole == f"0\n{2 * SMALL << 20}\n"
    assert stopped.returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("approach", MACHINES)
def test_guest_whose_pool_is_full_can_be_stopped_and_starts_when_there_is_room(
    guest_home: HomeUnderTest, small_pool: Path, approach: str
) -> None:
    fill(guest_home, small_pool, approach)
    stopped = guest_home.wirt("stop", "--timeout", "10s", "web")
    refused = guest_home.wirt("start", "--timeout", "60s", "web")
    guest_home.wirt("stop", "--force", "web")
    subprocess.run(["mount", "-o", f"remount,size={4 * SMALL}M", small_pool], check=True)
    started = guest_home.wirt("start", "web")

    assert (stopped.returncode, stopped.stdout) == (0, "guest web stopped\n")
    assert "Traceback" not in refused.stderr
    assert started.returncode == 0
