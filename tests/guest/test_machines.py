"""Emulated guests that go to another node, and whose memory is kept.

One is booted. It goes to another node and back again and again; then it is kept, and every test goes on from what it was then,
which takes a second.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest
from tests import homes
from tests.guest.conftest import ShippedTemplate
from tests.homes import WIRT, HomeUnderTest
from tests.leaks import World
from tests.netns import joined, other_network

from wirt.model.guest import Guest
from wirt.model.ids import idmap_of
from wirt.model.lifecycle import State
from wirt.model.migration import Migration, Mode
from wirt.ops.journal import KILL_VARIABLE

BOOTED = "booted"
SSH, HTTP = 22, 80
SECONDS = 60.0
CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 22), timeout=60) as talk:
    lines = talk.makefile("rb")
    print(lines.readline().decode(), end="", flush=True)
    sys.stdin.readline()
    talk.sendall(b"SSH-2.0-waits\\r\\n")
    print(lines.read(500).decode(errors="replace"), flush=True)
"""
"""Hears the greeting of the guest's ssh server, and answers it when it is told to."""
COUNT = "i=0; while :; do i=$((i+1)); echo $i >/dev/shm/new; mv /dev/shm/new /dev/shm/count; sleep 0.1; done"


class Pair:
    """A home "a" of this network, and one of a network of its own, which know each other."""

    def __init__(self, here: HomeUnderTest, there: HomeUnderTest, netns: str) -> None:
        self.here = here
        self.there = there
        self.netns = netns
        for run, name, other, where in (
            (self.on_a, "b", there, netns),
            (self.on_b, "a", here, f"/proc/{os.getpid()}/ns/net"),
        ):
            home = other.home
            run("node", "add", name, "--home", home.data, "--run", home.run, "--netns", where)

    def on_a(self, *arguments: str, status: int = 0, **environment: str) -> str:
        done = self.here.wirt(*arguments, status=status, environment=environment)
        return done.stdout if status == 0 else done.stderr

    def on_b(self, *arguments: str) -> str:
        done = subprocess.run(
            ["nsenter", f"--net={self.netns}", WIRT, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.there.environment,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def owners(self) -> list[str]:
        """Return where the guest is, and runs, once both nodes have had their next command."""
        deadline = time.monotonic() + SECONDS
        while True:
            listed = [("a", self.on_a("list", "--json")), ("b", self.on_b("list", "--json"))]
            found = [
                f"{name}: {guest.state}"
                for name, said in listed
                for guest in msgspec.json.decode(said, type=list[Guest])
                if guest.name == "web"
            ]
            # A session over there that has lost us may still be at taking back what it has.
            if len(found) == 1 or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def bring_back(self) -> None:
        """Have the guest be on node "a", whatever a test did."""
        if self.owners() == ["b: running"]:
            self.on_b("migrate", "web", "a", "--mode", "live")


@pytest.fixture(scope="module")
def counting(template: ShippedTemplate) -> Iterator[HomeUnderTest]:
    """Give a home with a guest that counts and serves."""
    with homes.open_home(Path(template.directory)) as home:
        limits = ["--cpus", "1", "--memory", "256M", "--memory-max", "384M"]
        home.wirt("create", "-t", template.name, "web", "--approach", "qemu", *limits, status=0)
        home.wirt("start", "web", status=0)
        begin = f"setsid sh -c '{COUNT}' >/dev/null 2>&1 </dev/null &"
        home.wirt("exec", "web", "--", "sh", "-c", begin, status=0)
        until(lambda: count(home) > 0, "it does not count")
        address = home.guests()[0].address
        for port in (SSH, HTTP):
            until(lambda port=port: serves(address, port), f"it does not serve {port}")  # type: ignore[misc]
        yield home


@pytest.fixture(scope="module")
def pair(counting: HomeUnderTest, template: ShippedTemplate) -> Iterator[Pair]:
    """Give two nodes; the guest is on the first, before every test and after the last."""
    with homes.open_base() as base, other_network() as netns:
        there = HomeUnderTest(base)
        there.give_templates(Path(template.directory))
        made = Pair(counting, there, netns)
        yield made
        made.bring_back()
        for guest in there.guests():
            made.on_b("destroy", "--force", guest.name)
        left = there.world().difference(World.empty())
        assert [line for line in left if not line.startswith("files:")] == []


@pytest.fixture(scope="module")
def booted(counting: HomeUnderTest) -> HomeUnderTest:
    """Give the home, whose guest is kept as "booted"."""
    counting.wirt("checkpoint", "web", BOOTED, status=0)
    return counting


@pytest.fixture
def running(booted: HomeUnderTest) -> HomeUnderTest:
    booted.wirt("resume", "--force", "web", BOOTED, status=0)
    return booted


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def serves(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=1.0):
        return True
    return False


def count(home: HomeUnderTest) -> int:
    said = home.wirt("exec", "web", "--", "cat", "/dev/shm/count").stdout
    return int(said) if said.strip() else 0


def count_on(run: Callable[..., str]) -> int:
    return int(run("exec", "web", "--", "cat", "/dev/shm/count"))


def test_guest_goes_live_with_its_disk_and_connections_and_comes_back(pair: Pair) -> None:
    # The bridges stand as long as there are guests.
    for run in (pair.on_a, pair.on_b):
        run("create", "witness", "-a", "lxc")
        run("start", "witness")
    pair.on_a("exec", "web", "--", "sh", "-c", "echo mine >/root/mine")
    address = pair.here.guests()[0].address
    bridges = [f"wirt-{home.home.tag}" for home in (pair.here, pair.there)]
    with joined(bridges[0], bridges[1], pair.netns) as client:
        own = f"{IPv4Network(f'{address}/20', strict=False)[-2]}/20"
        enter = ["nsenter", f"--net={client}"]
        subprocess.run([*enter, "ip", "address", "add", own, "dev", "eth0"], check=True)
        with subprocess.Popen(
            [*enter, sys.executable, "-c", CLIENT, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as talking:
            assert talking.stdout is not None
            assert talking.stdout.readline().startswith(b"SSH-2.0-")
            said = pair.on_a("migrate", "web", "b", "--downtime", "500ms", "--json")
            answered, _ = talking.communicate(b"\n", timeout=SECONDS)
    result = msgspec.json.decode(said, type=Migration)
    there = pair.owners()
    first = count_on(pair.on_b)
    until(lambda: count_on(pair.on_b) > first, "it does not count on")
    mine = pair.on_b("exec", "web", "--", "cat", "/root/mine")
    pair.on_b("migrate", "web", "a")
    for run in (pair.on_a, pair.on_b):
        run("destroy", "--force", "witness")

    assert result.mode is Mode.LIVE
    assert there == ["b: running"]
    assert first > 0
    assert mine == "mine\n"
    # Its own greeting was answered with the offer of ciphers.
    assert b"curve25519" in answered
    assert result.engine_seconds is not None
    assert result.downtime_seconds is not None
    assert 0 < result.downtime_seconds < 10
    assert result.unseen_seconds is not None
    assert pair.owners() == ["a: running"]
    assert pair.on_a("exec", "web", "--", "sh", "-c", "cat /root/mine; rm /root/mine") == "mine\n"
    print(
        f"downtime {result.downtime_seconds:.3f} s, by QEMU {result.engine_seconds:.3f} s, "
        f"unseen {result.unseen_seconds:.3f} s"
    )


def test_nothing_that_a_guest_writes_while_it_goes_is_lost(pair: Pair) -> None:
    # With what may be left at the end as little as this, memory goes over in several passes.
    go = ["--mode", "live", "--downtime", "1ms"]
    source = Path(__file__).with_name("pages.c").read_text()
    begin = """\
printf %s "$0" >/root/pages.c && gcc -O1 -o /root/pages /root/pages.c && rm /root/pages.c &&
echo -1 >/proc/sys/kernel/sched_rt_runtime_us && rm -f /dev/shm/pages &&
setsid /root/pages /dev/shm/pages >/dev/null 2>&1 </dev/null &"""

    pair.on_a("exec", "web", "--", "sh", "-c", begin, source)
    until(lambda: "pages" in pair.on_a("exec", "web", "--", "ls", "/dev/shm"), "it does not begin")
    for run, node in ((pair.on_a, "b"), (pair.on_b, "a")) * 2:
        run("migrate", "web", node, *go)
    told = pair.on_a("exec", "web", "--", "cat", "/dev/shm/pages").split()
    end = "pkill pages; rm /root/pages /dev/shm/pages; echo 950000 >/proc/sys/kernel/sched_rt_runtime_us"
    pair.on_a("exec", "web", "--", "sh", "-c", end)

    assert told[0] == "slept"
    assert int(told[1]) > 0


@pytest.mark.parametrize(
    ("point", "owner"),
    [
        pytest.param("migrate:before:send", "a", marks=pytest.mark.long),
        ("handover:after-intent", "a"),
        pytest.param("migrate:after:send", "a", marks=pytest.mark.long),
        pytest.param("receive:after:engine", "a", marks=pytest.mark.long),
        pytest.param("receive:after:go-on", "a", marks=pytest.mark.long),
        pytest.param("receive:after-settle", "b", marks=pytest.mark.long),
        pytest.param("handover:after-take", "b", marks=pytest.mark.long),
    ],
)
def test_migration_that_dies_leaves_one_guest_that_runs(pair: Pair, point: str, owner: str) -> None:
    before = count_on(pair.on_a)
    pair.here.wirt("migrate", "web", "b", environment={KILL_VARIABLE: point})
    owners = pair.owners()
    run = pair.on_a if owner == "a" else pair.on_b
    until(lambda: count_on(run) > before, "it does not count on")
    pair.bring_back()

    assert owners == [f"{owner}: running"]


def test_migration_is_given_up_and_the_guest_runs_on(pair: Pair) -> None:
    before = count_on(pair.on_a)
    # It changes its memory faster than it may be sent, so that it does not come to an end by itself.
    busy = "setsid sh -c 'while :; do head -c 64M /dev/urandom >/dev/shm/busy; done' >/dev/null 2>&1 </dev/null & echo $!"
    pid = pair.on_a("exec", "web", "--", "sh", "-c", busy).strip()
    going = pair.here.spawn("migrate", "web", "b", "--downtime", "1ms")
    assert going.stderr is not None
    while going.stderr.readline() != "send\n":
        assert going.poll() is None
    said = pair.on_a("migrate", "web", "--abort")
    going.communicate(timeout=SECONDS)
    pair.on_a("exec", "web", "--", "sh", "-c", f"kill -9 -{pid}; rm -f /dev/shm/busy")

    assert said == "guest web stays here, running\n"
    assert pair.owners() == ["a: running"]
    until(lambda: count_on(pair.on_a) > before, "it does not count on")


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


@pytest.mark.long
def test_guest_with_less_memory_than_it_was_started_with_is_kept_and_goes_on(
    running: HomeUnderTest,
) -> None:
    running.wirt("set", "web", "--memory", "200M", status=0)
    before = running.wirt("exec", "web", "--", "grep", "MemTotal", "/proc/meminfo").stdout
    running.wirt("checkpoint", "web", "small", status=0)
    running.wirt("resume", "web", "small", status=0)
    after = running.wirt("exec", "web", "--", "grep", "MemTotal", "/proc/meminfo").stdout
    running.wirt("stop", "--force", "web", status=0)
    running.wirt("set", "web", "--memory", "512M", "--memory-max", "512M", status=0)
    refused = running.wirt("resume", "web", "small")
    running.wirt("set", "web", "--memory", "256M", "--memory-max", "384M", status=0)
    running.wirt("snapshot", "delete", "web", "small", status=0)

    assert before == after != ""
    assert refused.stderr == (
        "wirt: what was kept is of a machine with 1 CPUs and 384 MiB of memory, and the guest has 1 "
        "and 512 MiB now; give it those again: wirt set --cpus --memory\n"
    )


def test_processors_and_memory_are_put_in_while_it_runs_and_go_along_with_its_memory(
    running: HomeUnderTest,
) -> None:
    def seen() -> tuple[str, int]:
        said = running.wirt("exec", "web", "--", "sh", "-c", "nproc; head -1 /proc/meminfo").stdout
        cpus, memory = said.splitlines()
        return cpus, int(memory.split()[1])

    before = seen()
    running.wirt("set", "web", "--cpus", "2", "--memory", "384M", status=0)
    grown = seen()
    less = running.wirt("set", "web", "--cpus", "1")
    more = running.wirt("set", "web", "--memory", "385M")
    running.wirt("checkpoint", "web", "grown", status=0)
    running.wirt("resume", "web", "grown", status=0)
    after = seen()
    running.wirt("stop", "--force", "web", status=0)
    running.wirt("set", "web", "--cpus", "1", "--memory", "256M", status=0)
    running.wirt("snapshot", "delete", "web", "grown", status=0)

    assert (before[0], grown[0]) == ("1", "2")
    assert grown[1] - before[1] == 128 * 1024
    assert after == grown
    assert less.stderr == (
        "wirt: the number of CPUs of guest web can only grow while it runs; stop it first\n"
    )
    assert more.stderr == (
        "wirt: a guest with 385 MiB of memory cannot have 384 MiB at most; "
        "give it a larger --memory-max, or 0 for none\n"
    )


@pytest.mark.long
def test_snapshot_of_a_guest_that_runs_holds_what_its_kernel_had_not_written_yet(
    running: HomeUnderTest, tmp_path: Path
) -> None:
    running.wirt("exec", "web", "--", "sh", "-c", "echo held back >/root/note", status=0)
    whole = running.wirt("snapshot", "create", "web", "whole", status=0)
    guest = running.guests()[0]
    running.wirt("exec", "web", "--", "touch", "/root/writes-again", status=0)
    layer = Path(running.home.pool("image"), guest.id, "snapshots/whole/disk")
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "convert", "-O", "raw", layer, image], check=True)
    head = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, text=True).stdout
    note = subprocess.run(
        ["debugfs", "-R", "cat /root/note", image], capture_output=True, text=True
    ).stdout
    running.wirt("exec", "web", "--", "systemctl", "stop", "qemu-guest-agent")
    torn = running.wirt("snapshot", "create", "web", "torn", status=0)

    assert whole.stderr == ""
    # Its journal need not be played, as after a power cut.
    assert "needs_recovery" not in head
    assert note == "held back\n"
    assert torn.stderr == (
        "its disk is as after a power cut: the guest's agent did not hold it still\n"
    )
    for name in ("whole", "torn"):
        running.wirt("snapshot", "delete", "web", name, status=0)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("snapshot:after:flush", marks=pytest.mark.long),
        "snapshot:after:freeze",
    ],
)
def test_maker_of_a_snapshot_that_dies_leaves_a_guest_that_writes(
    running: HomeUnderTest, point: str
) -> None:
    environment = {KILL_VARIABLE: point}
    running.wirt("snapshot", "create", "web", "half", environment=environment, status=-9)
    names = [one.name for one in running.guests()[0].snapshots]
    running.wirt("exec", "web", "--", "sh", "-c", "touch /root/writes && sync", status=0)

    assert names == [BOOTED]


def test_emulator_is_a_user_of_its_own_that_sees_only_its_sockets(running: HomeUnderTest) -> None:
    guest = running.guests()[0]
    assert guest.handle is not None
    process = Path(f"/proc/{guest.handle.pid}")
    status = dict(
        line.split(":\t", 1)
        for line in (process / "status").read_text().splitlines()
        if ":\t" in line
    )
    own = str(idmap_of(guest.ids).first)

    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {own}
    assert status["Groups"].split() == [own]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert os.readlink(process / "root") == f"{running.home.guest_run(guest.id)}/engine"
    assert os.stat(process / "root").st_mode & 0o077 == 0


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
        pytest.param("suspend:after-intent", State.STOPPED, marks=pytest.mark.long),
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
