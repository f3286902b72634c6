"""Memory that is sent ahead of a guest that goes to another node: run in the lab host, whose kernel marks the pages that a process writes to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest
from tests.cli.test_migrate import Pair, pair
from tests.conftest import TINY
from tests.guest.test_checkpoints import begin, counts, until
from tests.homes import WIRT
from tests.netns import joined

from wirt.host import process
from wirt.model.migration import Migration, Mode
from wirt.units import MIB

__all__ = ["counts", "pair"]

pytestmark = pytest.mark.timeout(1500)

PORT = 7000
HELD = 64
"""Mebibytes that the server in the guest holds."""
CLIENT = """
import socket, sys, time
ends = time.monotonic() + 120
while True:
    try:
        talk = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=120)
        break
    except OSError:
        if time.monotonic() > ends:
            raise
        time.sleep(0.1)
with talk.makefile("rwb", buffering=0) as lines:
    for line in sys.stdin:
        lines.write(b"?\\n")
        print(lines.readline().decode(), end="", flush=True)
"""
"""Asks over one connection whenever it is told to, and says what was answered."""


class Talk:
    """A connection to the server of ``counts.c`` in the guest, from a third network."""

    def __init__(self, talking: "subprocess.Popen[str]") -> None:
        self._talking = talking

    def ask(self) -> str:
        assert self._talking.stdin is not None
        assert self._talking.stdout is not None
        self._talking.stdin.write("ask\n")
        self._talking.stdin.flush()
        return self._talking.stdout.readline()


@contextmanager
def talking(pair: Pair, server: Path, *how: str) -> Iterator[Talk]:
    """Have a guest "web" with a server that holds memory on node a, and talk to it wherever it is."""
    pair.add()
    # The bridges stand as long as there are guests, and the two are joined before anything goes.
    for run in (pair.here.wirt, pair.on_b):
        run("create", "stays", "-t", TINY)
        run("start", "stays")
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("start", "web", status=0)
    pair.here.wirt("copy", str(server), "web:/counts", status=0)
    begin(pair.here, "/counts", str(PORT), str(HELD), *how)
    address = next(guest.address for guest in pair.here.guests() if guest.name == "web")
    bridges = [f"wirt-{home.home.tag}" for home in (pair.here, pair.there)]
    with joined(bridges[0], bridges[1], pair.netns) as client:
        enter = ["nsenter", f"--net={client}"]
        own = f"{IPv4Network(f'{address}/20', strict=False)[-2]}/20"
        subprocess.run([*enter, "ip", "address", "add", own, "dev", "eth0"], check=True)
        with subprocess.Popen(
            [*enter, sys.executable, "-c", CLIENT, address, str(PORT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client_process:
            try:
                yield Talk(client_process)
            finally:
                client_process.kill()


def go(pair: Pair) -> Migration:
    done = pair.here.wirt("migrate", "web", "b", "--mode", "live", "--json", status=0)
    print(done.stderr, done.stdout)
    return msgspec.json.decode(done.stdout, type=Migration)


def test_memory_goes_ahead_and_little_is_written_while_the_guest_stands_still(
    pair: Pair, counts: Path
) -> None:
    with talking(pair, counts) as talk:
        before = talk.ask()
        told = pair.here.wirt("migrate", "web", "b", "--check", status=0).stdout
        done = go(pair)
        after = [talk.ask(), talk.ask()]
    stages = [stage.name for stage in done.stages]

    assert told.endswith(" its memory is sent ahead\n")
    assert before == "1 whole\n"
    assert after == ["2 whole\n", "3 whole\n"]
    assert (done.mode, done.in_one_piece) == (Mode.LIVE, None)
    assert len(done.memory_ahead) >= 2
    assert done.memory_ahead[0] > HELD * MIB
    assert done.memory_at_last is not None
    assert max(*done.memory_ahead[1:], done.memory_at_last) < HELD * MIB / 8
    assert stages.count("memory ahead") == len(done.memory_ahead)
    assert [guest.name for guest in pair.here.guests()] == ["stays"]


def test_memory_that_processes_share_is_of_one_instant(pair: Pair, counts: Path) -> None:
    """What one of them has left in it is what it finds there. CRIU writes none of it ahead."""
    with talking(pair, counts, "shared") as talk:
        before = talk.ask()
        done = go(pair)
        after = [talk.ask(), talk.ask()]

    assert before == "1 whole\n"
    assert after == ["2 whole\n", "3 whole\n"]
    assert max(done.memory_ahead) < HELD * MIB
    assert done.memory_at_last is not None
    assert done.memory_at_last > HELD * MIB


def test_memory_that_changes_all_the_time_is_not_sent_without_end(pair: Pair, counts: Path) -> None:
    with talking(pair, counts) as talk:
        talk.ask()
        begin(pair.here, "dd", "if=/dev/zero", "of=/dev/null", "bs=32M")
        done = go(pair)
        after = talk.ask()

    assert after == "2 whole\n"
    assert len(done.memory_ahead) < 5
    assert done.memory_at_last is not None
    assert 24 * MIB < done.memory_at_last < (HELD + 32) * MIB


def round_of(pair: Pair) -> list[int]:
    """Return the process that writes memory ahead."""
    guest = next(one for one in pair.here.guests() if one.name == "web")
    scripts = Path(pair.here.home.run).rglob("dump/script")
    ours = [f"--action-script={path}" for path in scripts if guest.id in str(path)]
    return [pid for script in ours for pid in process.find_by_argument(script)]


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_round_that_nobody_waits_for_any_more_leaves_the_guest_as_it_was(
    pair: Pair, counts: Path, how: str
) -> None:
    with talking(pair, counts) as talk:
        talk.ask()
        with subprocess.Popen(
            [WIRT, "migrate", "web", "b"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=pair.here.environment,
            start_new_session=True,
        ) as migrating:
            until(lambda: bool(round_of(pair)), "no memory is written ahead")
            if how == "killed":
                os.kill(migrating.pid, signal.SIGKILL)
            else:
                # As a terminal does at Ctrl-C: whatever was started in its foreground gets it.
                os.killpg(migrating.pid, signal.SIGINT)
            ended = migrating.wait(60)
        state = pair.here.wirt("list", status=0).stdout
        left = round_of(pair)
        after = talk.ask()
        until(lambda: "web" not in pair.on_b("list"), "it is still on node b")
        done = go(pair)
        last = talk.ask()

    assert ended == (-signal.SIGKILL if how == "killed" else 130)
    assert "running" in next(line for line in state.splitlines() if line.startswith("web"))
    assert left == []
    assert after == "2 whole\n"
    # What the marks were of is gone: all of it goes again.
    assert done.memory_ahead[0] > HELD * MIB
    assert last == "3 whole\n"
