"""The shipped web server and a database go from node to node under load: nobody who talks to them is let down.

The second node is a home in a network of its own, its bridge joined to the first's by a cable; whoever talks is in a third network.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest
from tests import homes
from tests.cli.test_migrate import Pair
from tests.guest.conftest import ShippedTemplate
from tests.homes import HomeUnderTest
from tests.netns import joined, other_network

from wirt.model.migration import Migration, Mode

TIMES = 50
ANSWERED_WITHIN = 60.0
"""Seconds."""
STARTED = ("systemctl", "is-system-running", "--wait")
PATIENT = (
    "printf 'KeepAliveTimeout 300\\nMaxKeepAliveRequests 0\\n' >/etc/apache2/conf-enabled/patient.conf "
    "&& systemctl reload apache2"
)
"""Has Apache keep a connection for as long as the test lasts."""
KEPT = """
import http.client, select, sys, time
connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
connection.auto_open = 0
connection.connect()
pages, number, last, longest = set(), 0, time.monotonic(), 0.0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    connection.request("GET", "/")
    answer = connection.getresponse()
    pages.add((answer.status, answer.read()))
    now = time.monotonic()
    number, last, longest = number + 1, now, max(longest, now - last)
    with open(sys.argv[2], "w") as count:
        count.write(str(number))
assert len(pages) == 1, pages
print(number, longest, flush=True)
"""
"""Asks for a page again and again, over one connection, and keeps in a file how many have come."""


class Road(Pair):
    """Two nodes that know each other, and whoever talks to their guests."""

    client = ""
    """Path of that one's network."""

    def go(self, guest: str) -> Migration:
        """Have a guest go live to the node that it is not on."""
        asked = ("migrate", guest, "--mode", "live", "--json")
        if any(one.name == guest for one in self.here.guests()):
            said = self.here.wirt(*asked, "b", status=0).stdout
        else:
            said = self.on_b(*asked, "a")
        return msgspec.json.decode(said, type=Migration)

    def enter(self, *argv: str) -> list[str]:
        """Return a command of whoever talks."""
        return ["nsenter", f"--net={self.client}", *argv]


@pytest.fixture
def road(template: ShippedTemplate) -> Iterator[Road]:
    with (
        homes.open_home(Path(template.directory)) as here,
        homes.open_base() as base,
        other_network() as netns,
    ):
        there = HomeUnderTest(base)
        there.give_templates(Path(template.directory))
        made = Road(here, there, netns)
        made.add()
        own = ["--home", here.home.data, "--run", here.home.run]
        made.on_b("node", "add", "a", *own, "--netns", f"/proc/{os.getpid()}/ns/net")
        try:
            # The bridges stand as long as there are guests, and the two are joined before anything goes.
            for run in (here.wirt, made.on_b):
                run("create", "stays", "--approach", "chroot")
                run("start", "stays")
            bridges = [f"wirt-{home.home.tag}" for home in (here, there)]
            with joined(bridges[0], bridges[1], netns) as made.client:
                address = IPv4Network(f"{here.guests()[0].address}/20", strict=False)[-2]
                add = made.enter("ip", "address", "add", f"{address}/20", "dev", "eth0")
                subprocess.run(add, check=True)
                yield made
        finally:
            for guest in there.guests():
                made.on_b("destroy", "--force", guest.name)


class Kept:
    """A connection that a web server is talked to over."""

    said: tuple[float, float] = (0, 0)
    """At the end: how often, and the longest wait in seconds."""

    def __init__(self, count: Path) -> None:
        self._count = count

    def wait_for_answer(self) -> float:
        """Return the seconds until one more page has come, which was asked for over the same connection."""
        began, before = time.monotonic(), self._answers()
        while self._answers() <= before:
            assert time.monotonic() < began + ANSWERED_WITHIN, "the connection has not lived on"
            time.sleep(0.01)
        return time.monotonic() - began

    def _answers(self) -> int:
        return int((self._count.exists() and self._count.read_text()) or 0)


@contextmanager
def kept_connection(road: Road, address: str, count: Path) -> Iterator[Kept]:
    """Talk to a web server over one connection."""
    kept = Kept(count)
    with subprocess.Popen(
        road.enter(sys.executable, "-c", KEPT, address, str(count)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as talking:
        try:
            kept.wait_for_answer()
            yield kept
            said, _ = talking.communicate("end\n", timeout=120)
        finally:
            talking.kill()
    assert talking.returncode == 0
    number, longest = map(float, said.split())
    kept.said = (number, longest)


@contextmanager
def besieged(road: Road, address: str, tmp_path: Path) -> Iterator[dict[str, float]]:
    """Besiege a web server; give, at the end, what Siege counted."""
    found: dict[str, float] = {}
    settings = tmp_path / "siegerc"
    settings.write_text(
        "timeout = 120\nfailures = 1000000\nlogging = false\nshow-logfile = false\n"
    )
    with subprocess.Popen(
        road.enter(
            "siege", "-R", str(settings), "-j", "-c", "4", "-d", "0.1", f"http://{address}/"
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    ) as siege:
        try:
            yield found
            siege.send_signal(signal.SIGINT)
            said, _ = siege.communicate(timeout=180)
        finally:
            siege.kill()
    counted = re.search(r"\{[^{}]*\}", said)
    assert counted is not None, said
    found.update(json.loads(counted.group()))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_besieged_web_server_goes_fifty_times_and_every_request_is_answered(
    road: Road, tmp_path: Path
) -> None:
    road.here.wirt("create", "web", status=0)
    road.here.wirt("start", "web", status=0)
    address = next(one.address for one in road.here.guests() if one.name == "web")
    road.here.wirt("exec", "web", "--", *STARTED)
    road.here.wirt("exec", "web", "--", "sh", "-c", PATIENT, status=0)
    gone, waited = [], []
    with (
        besieged(road, address, tmp_path) as siege,
        kept_connection(road, address, tmp_path / "count") as kept,
    ):
        for _ in range(TIMES):
            gone.append(road.go("web"))
            # Else a connection whose timers begin anew with every move is never heard of between two of them.
            waited.append(kept.wait_for_answer())
            print(gone[-1].downtime_seconds, gone[-1].unseen_seconds, waited[-1], flush=True)
    unseen = [one.unseen_seconds for one in gone if one.unseen_seconds is not None]
    print(f"unseen: median {statistics.median(unseen):.3f} s, at most {max(unseen):.3f} s")
    print(f"first answer after it: {statistics.median(waited):.3f} s, {max(waited):.3f} s")
    print(f"one connection: {kept.said}; Siege: {siege}")

    assert [one.mode for one in gone] == [Mode.LIVE] * TIMES
    assert len(unseen) == TIMES
    assert siege["failed_transactions"] == 0
    assert siege["transactions"] > TIMES
    assert (
        road.here.wirt("exec", "web", "--", "systemctl", "is-system-running").stdout == "running\n"
    )


BENCH = """
runuser -u postgres -- createdb bench
runuser -u postgres -- /usr/lib/postgresql/*/bin/pgbench -q -i bench
systemctl is-system-running --wait
setsid runuser -u postgres -- sh -c \\
    '/usr/lib/postgresql/*/bin/pgbench -n -c 4 -T 60 bench >/tmp/said 2>&1; touch /tmp/done' </dev/null >/dev/null 2>&1 &
"""
"""pgbench writes a line of history in each of its transactions."""
COUNT = "runuser -u postgres -- psql -At -c 'select count(*) from pgbench_history' bench"


@pytest.mark.long
def test_database_goes_and_comes_back_and_no_commit_is_lost(road: Road) -> None:
    def inside(*argv: str) -> subprocess.CompletedProcess[str]:
        return road.here.wirt("exec", "db", "--", *argv)

    road.here.wirt("create", "db", "--memory", "1G", status=0)
    road.here.wirt("start", "db", status=0)
    road.here.wirt("install", "db", "postgresql", status=0)
    print(road.here.wirt("checkpoint", "--prepare", "db").stdout)
    begun = inside("sh", "-c", BENCH)
    gone = []
    while inside("test", "-e", "/tmp/done").returncode != 0:
        gone += [road.go("db"), road.go("db")]
    said, rows = inside("cat", "/tmp/said").stdout, inside("sh", "-c", COUNT).stdout
    print(said, rows, [one.unseen_seconds for one in gone])
    processed = re.search(r"number of transactions actually processed: (\d+)", said)

    assert begun.returncode == 0
    assert len(gone) >= 4
    assert {one.mode for one in gone} == {Mode.LIVE}
    assert processed is not None
    assert int(rows) == int(processed.group(1)) > 0
    assert "number of failed transactions: 0 " in said
