"""The counters of a container: each grows by what a program in it is known to hold, and is read back."""

import base64
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
import pytest
from tests.conftest import TINY
from tests.documents import REPOSITORY
from tests.homes import WIRT, HomeUnderTest

from wirt.approaches.base import Countable
from wirt.approaches.loads import HasLoad
from wirt.approaches.registry import load_approach
from wirt.host.cgroup import Cgroup, version_of
from wirt.model.counter import PAGE, UNITS, Counter, Standing

FORKS = "n=0; while [ $n -lt 64 ]; do sleep 60 >/dev/null 2>&1 & n=$((n + 1)); done"
HOLDS_40_MIB = (
    "echo 1000 >/proc/self/oom_score_adj; exec head -c 40m /dev/zero | tail -c 40m >/dev/null"
)
"""Lets the kernel end these processes and not the guest's init, should it look for one more."""
IN_ADVANCE = 64 * (os.cpu_count() or 1)
"""Pages that the kernel may charge before they are used, or count late: a batch for each processor."""

Held = dict[str, int]


def exactly(number: int) -> Callable[[int], bool]:
    return lambda grown: grown == number


def about(pages: int) -> Callable[[int], bool]:
    return lambda grown: abs(grown - pages) <= 2 * IN_ADVANCE


def with_overhead(size: int) -> Callable[[int], bool]:
    """Return whether a growth can be so many bytes in packets, each with what the kernel needs to keep it."""
    return lambda grown: size <= grown <= 3 * size


GROWTHS: dict[str, dict[str, Callable[[int], bool]]] = {
    # Each is opened once and duplicated once.
    "files 7": {"numfile": exactly(7)},
    "processes 20": {"numproc": exactly(20), "kmemsize": lambda grown: grown >= 20 * 4 * PAGE},
    "private 300": {"privvmpages": exactly(300), "vmguarpages": exactly(300)},
    "resident 8192": {
        "privvmpages": exactly(8192),
        "physpages": about(8192),
        "oomguarpages": about(8192),
    },
    "shared 4096": {"shmpages": about(4096)},
    "locked 5": {"lockedpages": exactly(5)},
    "terminals 3": {"numpty": exactly(3)},
    "signals 9": {"numsiginfo": exactly(9)},
    "locks 6": {"numflock": exactly(6)},
    "inherited-locks 2": {"numflock": exactly(2)},
    "tcp 4": {"numtcpsock": exactly(4), "numothersock": exactly(0)},
    # The one that listens, and both ends of each connection: nobody has accepted them.
    "backlog 5": {"numtcpsock": exactly(11)},
    "pairs 3": {"numothersock": exactly(6), "numtcpsock": exactly(0)},
    "tcp-received 65536": {"tcprcvbuf": with_overhead(65_536), "tcpsndbuf": exactly(0)},
    "tcp-sent 100000": {"tcpsndbuf": with_overhead(90_000)},
    "datagrams 10": {"dgramrcvbuf": with_overhead(10_000), "numothersock": exactly(2)},
    "local-bytes 40000": {"othersockbuf": with_overhead(40_000)},
}
"""What the program is told to hold -> how much which counters grow then."""
if version_of("memory") == 2:
    # A dentry alone has 192 bytes, and each name has an inode besides.
    GROWTHS["names 3000"] = {"dcachesize": lambda grown: grown >= 3000 * 192}


class Web:
    """A container called web."""

    def __init__(self, home: HomeUnderTest, holds: Path) -> None:
        self.home = home
        home.wirt("create", "-t", TINY, "web", status=0)
        home.wirt("start", "web", status=0)
        self.guest_id = home.guests()[0].id
        put = "base64 -d > /root/holds && chmod 755 /root/holds"
        program = base64.encodebytes(holds.read_bytes()).decode()
        home.wirt("exec", "web", "sh", "-c", put, stdin=program, status=0)

    def counters(self) -> dict[str, Counter]:
        said = self.home.wirt("counters", "--json", "web", status=0).stdout
        return {one.name: one for one in msgspec.json.decode(said, type=list[Counter])}

    def held(self) -> Held:
        """Ask the approach itself, which takes a tenth of the time of a command."""
        approach = load_approach("lxc")
        assert isinstance(approach, Countable)
        counters = approach.count(self.home.home.place(self.guest_id))
        return {one.name: one.held for one in counters if one.held is not None}

    @contextmanager
    def holding(self) -> Iterator[Callable[[str], None]]:
        """Run the program in the container, and give what tells it to hold more."""
        with subprocess.Popen(
            [WIRT, "exec", "web", "/root/holds"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=self.home.environment,
        ) as running:
            given, said = _pipes(running)

            def hold(order: str) -> None:
                given.write(f"{order}\n")
                assert said.readline() == f"{order}\n"

            hold("files 0")
            yield hold
            given.close()


def _pipes(running: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert running.stdin is not None
    assert running.stdout is not None
    return running.stdin, running.stdout


@pytest.fixture(scope="module")
def holds(shared_base: Path) -> Path:
    program = shared_base / "holds"
    source = Path(__file__).with_name("holds.c")
    subprocess.run(
        ["gcc", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-static", "-o", program, source],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def web(module_home: HomeUnderTest, holds: Path) -> Web:
    return Web(module_home, holds)


@pytest.fixture(scope="module")
def readings(web: Web) -> list[Held]:
    """Give what was held before the program held anything, after its first order, and so on."""
    with web.holding() as hold:
        found = [web.held()]
        for order in GROWTHS:
            hold(order)
            found.append(web.held())
        return found


@pytest.mark.parametrize("order", GROWTHS)
def test_counter_grows_by_what_the_guest_holds(readings: list[Held], order: str) -> None:
    place = list(GROWTHS).index(order)
    before, after = readings[place : place + 2]
    grown = {name: after[name] - before[name] for name in GROWTHS[order]}

    assert {name: held for name, held in grown.items() if not GROWTHS[order][name](held)} == {}


def test_rules_in_the_guests_network_are_counted(web: Web) -> None:
    before = web.held()["numiptent"]
    name = web.home.home.place(web.guest_id).name
    first = min(Cgroup(f"{name}/lxc.payload.{name}").pids())
    rules = "add table inet own; add chain inet own in; " + 3 * "add rule inet own in counter; "
    inside = ["nsenter", f"--net=/proc/{first}/ns/net"]
    subprocess.run([*inside, "nft", rules], check=True)
    after = web.held()["numiptent"]
    subprocess.run([*inside, "nft", "delete table inet own"], check=True)

    assert after - before == 3


def test_most_of_each_outlives_the_command_that_read_it(web: Web) -> None:
    orders = ["files 50", "processes 5", "signals 30", "resident 2048"]
    with web.holding() as hold:
        for order in orders:
            hold(order)
        then = web.counters()
        hold("files 20")
        web.home.wirt("counters", "--sample", status=0)
    now = web.counters()

    for name in ("numfile", "numproc", "numsiginfo", "privvmpages", "physpages"):
        held, most = now[name].held, now[name].maxheld
        assert held is not None
        assert most is not None
        assert held < (then[name].held or 0) <= most
    assert (now["numfile"].maxheld or 0) >= (then["numfile"].held or 0) + 20
    assert now["numproc"].by_kernel
    assert not now["numsiginfo"].by_kernel


def test_every_counter_says_what_it_rests_on(web: Web) -> None:
    counters = web.counters()
    explained = web.home.wirt("counters", "--explain", "web", status=0).stdout

    assert list(counters) == list(UNITS)
    for counter in counters.values():
        assert f"{counter.name:<14}{counter.standing}: " in explained
        assert (counter.held is None) == (counter.standing is Standing.UNAVAILABLE)
    unavailable = {name for name, one in counters.items() if one.standing is Standing.UNAVAILABLE}
    assert unavailable == ({"dcachesize"} if version_of("memory") == 1 else set())
    assert {name for name, one in counters.items() if one.standing is Standing.ENFORCED} >= {
        "numproc",
        "physpages",
        "numpty",
    }


def test_counters_stand_as_the_table_in_the_documents_says(web: Web) -> None:
    table = re.findall(
        r"^\| `(\w+)` \| (items|bytes|pages) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        (REPOSITORY / "docs" / "commands.md").read_text(),
        re.MULTILINE,
    )
    version = version_of("memory") or 1
    counters = web.counters()

    def is_kernels(cell: str) -> bool:
        return cell == "kernel" or cell.startswith(f"kernel in v{version}")

    said = {
        name: (unit, standings[version - 1].partition(";")[0], is_kernels(failures))
        for name, unit, *standings, _, failures in table
    }
    found = {
        name: (one.unit.value, one.standing.value, one.failcnt is not None)
        for name, one in counters.items()
    }
    by_kernel = [name for name, *_, most, _ in table if is_kernels(most)]

    assert said == found
    # A kernel that is older may keep fewer.
    assert [
        one.name for one in counters.values() if one.by_kernel and one.name not in by_kernel
    ] == []


def test_limits_that_are_met_raise_failcnt_until_the_guest_is_started_anew(web: Web) -> None:
    limits = ["--processes", "32", "--memory", "32M", "--swap", "8M", "--memory-guarantee", "16M"]
    web.home.wirt("set", "web", *limits, status=0)
    web.home.wirt("restart", "--force", "web", status=0)
    free = web.counters()
    hog = web.home.wirt("exec", "web", "--", "sh", "-c", HOLDS_40_MIB)
    forks = web.home.wirt("exec", "web", "--", "sh", "-c", FORKS)
    met = web.counters()
    web.home.wirt("restart", "--force", "web", status=0)
    anew = web.counters()

    assert forks.returncode != 0
    assert hog.returncode == 128 + 9
    numproc, memory = met["numproc"], met["physpages"]
    assert (numproc.barrier, numproc.limit, numproc.maxheld) == (32, 32, 32)
    assert (memory.limit, memory.maxheld) == (32 * 256, 32 * 256)
    assert (met["vmguarpages"].barrier, met["swappages"].limit) == (16 * 256, 8 * 256)
    for name in ("numproc", "physpages", "oomguarpages"):
        assert (free[name].failcnt, anew[name].failcnt) == (0, 0)
        assert (met[name].failcnt or 0) > 0
    assert anew["numsiginfo"].maxheld == 0


def test_terminals_end_at_their_limit(web: Web) -> None:
    limit = web.counters()["numpty"].limit
    refused = web.home.wirt("exec", "web", "/root/holds", stdin=f"terminals {limit + 1}\n")
    allowed = web.home.wirt("exec", "web", "/root/holds", stdin=f"terminals {limit}\n")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "No space left on device" in refused.stderr
    assert allowed.stdout == f"terminals {limit}\n"
    # Nobody but the program was told.
    met = web.counters()["numpty"]
    assert (met.standing, met.failcnt) == (Standing.ENFORCED, None)
    assert met.reason.endswith("so nothing counts how often it is met")


@pytest.mark.parametrize(
    ("order", "name", "why"),
    [
        ("locked 3", "lockedpages", "for each process alone (RLIMIT_MEMLOCK)"),
        ("shared 40", "shmpages", "physpages bounds it all"),
        ("tcp 3", "numtcpsock", "refuses a group of processes one more"),
        ("pairs 3", "numothersock", "refuses a group of processes one more"),
    ],
)
def test_counter_that_nothing_bounds_says_why_and_goes_beyond_what_a_process_may_have(
    web: Web, order: str, name: str, why: str
) -> None:
    # What the kernel can hold one process to: two of them have twice that.
    least = "ulimit -l 12 -n 12; exec /root/holds"
    argv = [WIRT, "exec", "web", "--", "sh", "-c", least]
    running = []
    before = web.held()[name]
    try:
        for _ in range(2):
            one = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
                env=web.home.environment,
            )
            running.append(one)
            given, said = _pipes(one)
            given.write(f"{order}\n")
            assert said.readline() == f"{order}\n"
        both = web.counters()[name]
    finally:
        for one in running:
            one.communicate()
    each = int(order.split()[1]) * (2 if name == "numothersock" else 1)

    assert (both.held or 0) - before >= 2 * each
    assert both.standing is Standing.COUNTED
    assert why in both.reason


def test_number_of_terminals_is_changed_while_it_runs_and_kept(web: Web) -> None:
    others = "grep -o 'devpts.*' /proc/self/mounts"
    before = web.home.wirt("exec", "web", "--", "sh", "-c", others, status=0).stdout
    said = web.home.wirt("set", "web", "--terminals", "12", status=0).stdout
    after = web.home.wirt("exec", "web", "--", "sh", "-c", others, status=0).stdout

    def allowed() -> list[bool]:
        orders = [f"terminals {number}\n" for number in (13, 12)]
        done = [web.home.wirt("exec", "web", "/root/holds", stdin=order) for order in orders]
        return [one.returncode == 0 for one in done]

    at_once = allowed()
    began = web.home.wirt("exec", "web", "--", "cut", "-d ", "-f22", "/proc/1/stat").stdout
    web.home.wirt("exec", "web", "--", "reboot", "-f")
    deadline = time.monotonic() + 20
    while web.home.wirt("exec", "web", "--", "cut", "-d ", "-f22", "/proc/1/stat").stdout in (
        began,
        "",
    ):
        assert time.monotonic() < deadline
    rebooted = allowed()
    web.home.wirt("restart", "--force", "web", status=0)
    restarted = allowed()
    limit = web.counters()["numpty"].limit
    refused = web.home.wirt("set", "web", "--terminals", "0").stderr
    web.home.wirt("set", "web", "--terminals", "1024", status=0)

    assert said == "guest web has 12 terminals now\n"
    assert after == before.replace("max=1024", "max=12")
    assert [at_once, rebooted, restarted] == [[False, True]] * 3
    assert limit == 12
    assert refused == "wirt: a guest cannot be held to 0 terminals; ask for 1 to 1024\n"
    assert web.counters()["numpty"].limit == 1024


def test_load_is_that_of_the_threads_that_run(web: Web) -> None:
    web.home.wirt("restart", "--force", "web", status=0)
    approach = load_approach("lxc")
    assert isinstance(approach, HasLoad)
    place = web.home.home.place(web.guest_id)
    idle = approach.count_active(place)
    burners = [web.home.spawn("exec", "web", "sh", "-c", "while :; do :; done") for _ in range(3)]
    deadline = time.monotonic() + 20
    while (busy := approach.count_active(place)) != 3:
        assert time.monotonic() < deadline, busy
    first = web.home.type("vzlist -H -o laverage web").strip()
    while (later := web.home.type("vzlist -H -o laverage web").strip()) == first:
        assert time.monotonic() < deadline
    for burner in burners:
        burner.terminate()
        burner.communicate()
    averages = [[float(one) for one in said.split("/")] for said in (first, later)]

    assert idle == 0
    assert all(len(one) == 3 for one in averages)
    assert 0 < averages[0][0] <= averages[1][0] <= 3
    assert averages[1][0] > averages[1][1] >= averages[1][2]


def test_guest_that_has_no_counters_says_so(web: Web) -> None:
    web.home.wirt("stop", "--force", "web", status=0)
    stopped = web.home.wirt("counters", "web", status=5)
    nobody = web.home.wirt("counters", "nemo", status=3)
    web.home.wirt("create", "-t", TINY, "-a", "chroot", "cell", status=0)
    web.home.wirt("start", "cell", status=0)
    chroot = web.home.wirt("counters", "cell", status=6)

    assert stopped.stderr == ("wirt: guest web is not running; start it first\n")
    assert nobody.stderr.startswith("wirt: there is no guest nemo")
    assert chroot.stderr == (
        "wirt: guest cell cannot be counted: approach chroot cannot tell what of the node it holds; "
        "counters are those of lxc\n"
    )
