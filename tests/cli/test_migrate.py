"""``wirt node``, ``wirt migrate`` and ``vzmigrate`` as they are installed, between two homes of this machine."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest
from tests import homes, sshd
from tests.conftest import TINY
from tests.homes import BUSYBOX, WIRT, HomeUnderTest
from tests.leaks import World
from tests.netns import joined, other_network
from tests.reach import is_reached, pings

from wirt.host import pagemarks
from wirt.model.migration import Migration, Mode

PROGRAMS = Path(sys.executable).parent


class Pair:
    """A home, and one in a network of its own that it knows as node "b"."""

    def __init__(self, here: HomeUnderTest, there: HomeUnderTest, netns: str) -> None:
        self.here = here
        self.there = there
        self.netns = netns

    def add(self) -> str:
        home = self.there.home
        places = ["--home", home.data, "--run", home.run, "--netns", self.netns]
        return self.here.wirt("node", "add", "b", *places, status=0).stdout

    def on_b(self, *arguments: str) -> str:
        done = subprocess.run(
            ["nsenter", f"--net={self.netns}", WIRT, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.there.environment,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def pair(home: HomeUnderTest, tiny_templates: Path) -> Iterator[Pair]:
    with homes.open_base() as base, other_network() as netns:
        there = HomeUnderTest(base)
        there.give_templates(tiny_templates)
        made = Pair(home, there, netns)
        yield made
        for guest in there.guests():
            made.on_b("destroy", "--force", guest.name)
        left = there.world().difference(World.empty())
        assert [line for line in left if not line.startswith("files:")] == []


@pytest.mark.parametrize("pool", ["directory", "image"])
def test_running_guest_goes_with_its_files_and_address_after_a_short_stop(
    pair: Pair, pool: str
) -> None:
    said = pair.add()
    pair.here.wirt("create", "web", "-t", TINY, "--pool", pool, "--disk", "64M", status=0)
    pair.here.wirt("start", "web", status=0)
    pair.here.wirt("exec", "web", "--", "touch", "/root/file", status=0)
    address = pair.here.guests()[0].address
    done = pair.here.wirt(
        "migrate", "web", "b", "--mode", "refresh", "--timeout", "1s", "--json", status=0
    )
    result = msgspec.json.decode(done.stdout, type=Migration)

    assert re.fullmatch(r"node b added: /\S+ in /proc/\d+/ns/net, 10\.\S+/20\n", said)
    assert pair.here.guests() == []
    assert f"{address} " in pair.on_b("list")
    assert pair.on_b("exec", "web", "--", "ls", "/root") == "file\n"
    assert f"inet {address}/" in pair.on_b("exec", "web", "--", "ip", "address", "show", "eth0")
    assert result.downtime_seconds is not None
    assert result.unseen_seconds is not None
    assert 0 < result.unseen_seconds < result.downtime_seconds + 1
    assert Path(result.kept).read_text() == done.stdout.strip()


def test_guest_with_routed_cards_is_led_to_where_it_is(pair: Pair) -> None:
    first, second = "203.0.113.9", "203.0.113.10"
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, "--routed", "--address", first, status=0)
    pair.here.wirt("start", "web", status=0)
    pair.here.wirt("card", "add", "web", "--routed", "--address", second, status=0)
    here = is_reached(first), is_reached(second)
    result = msgspec.json.decode(
        pair.here.wirt("migrate", "web", "b", "--json", status=0).stdout, type=Migration
    )
    gone = pings(first), pings(second)
    enter = ["nsenter", f"--net={pair.netns}"]
    there = [
        subprocess.run([*enter, BUSYBOX, "ping", "-c3", "-W1", one], capture_output=True).returncode
        for one in (first, second)
    ]
    rules = pair.on_b("exec", "web", "--", "ip", "rule")

    assert here == (True, True)
    assert result.mode is Mode.LIVE
    assert gone == (False, False)
    assert there == [0, 0]
    assert f"from {second} lookup 7001" in rules
    routes = subprocess.check_output(["ip", "route"], text=True)
    assert not {first, second} & set(routes.split())


def test_guest_whose_address_is_the_other_nodes_own_stays(pair: Pair) -> None:
    address = "203.0.113.9"
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, "--routed", "--address", address, status=0)
    enter = ["nsenter", f"--net={pair.netns}", "ip"]
    subprocess.run([*enter, "address", "add", f"{address}/32", "dev", "lo"], check=True)
    refused = pair.here.wirt("migrate", "web", "b").stderr
    subprocess.run([*enter, "address", "delete", f"{address}/32", "dev", "lo"], check=True)

    assert refused == f"wirt: on node b: address {address} is this node's own; choose another\n"
    assert [guest.name for guest in pair.here.guests()] == ["web"]


CLIENT = """
import select, socket, sys, time
ends = time.monotonic() + 30
while True:
    try:
        talk = socket.create_connection((sys.argv[1], 7), timeout=60)
        break
    except ConnectionRefusedError:
        if time.monotonic() > ends:
            raise
talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("connected", flush=True)
ends, last, longest, number = None, time.monotonic(), 0.0, 0
while ends is None or time.monotonic() < ends:
    sent = b"%d\\n" % number
    talk.sendall(sent)
    got = b""
    while len(got) < len(sent):
        got += talk.recv(len(sent) - len(got)) or sys.exit("the connection was closed")
    assert got == sent, (got, sent)
    now = time.monotonic()
    longest, last, number = max(longest, now - last), now, number + 1
    time.sleep(0.002)
    if ends is None and select.select([sys.stdin], [], [], 0)[0]:
        ends = time.monotonic() + 0.5
print(longest, flush=True)
"""
"""Says something every 2 ms over one connection, hears it again, and says at the end what its longest wait was."""


@pytest.mark.alone
def test_running_guest_goes_live_with_its_memory_and_connections(pair: Pair) -> None:
    pair.add()
    # The bridges stand as long as there are guests, and the two are joined before anything goes.
    for run in (pair.here.wirt, pair.on_b):
        run("create", "stays", "-t", TINY)
        run("start", "stays")
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("start", "web", status=0)
    serve = "setsid nc -l -p 7 -e cat >/dev/null 2>&1 </dev/null &"
    pair.here.wirt("exec", "web", "--", "sh", "-c", serve, status=0)
    address = next(guest.address for guest in pair.here.guests() if guest.name == "web")
    here, there = (f"wirt-{home.home.tag}" for home in (pair.here, pair.there))
    with joined(here, there, pair.netns) as client:
        enter = ["nsenter", f"--net={client}"]
        own = f"{IPv4Network(f'{address}/20', strict=False)[-2]}/20"
        subprocess.run([*enter, "ip", "address", "add", own, "dev", "eth0"], check=True)
        with subprocess.Popen(
            [*enter, sys.executable, "-c", CLIENT, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as talking:
            assert talking.stdout is not None
            assert talking.stdout.readline() == "connected\n"
            checked = pair.here.wirt("migrate", "web", "b", "--check", status=0).stdout
            done = pair.here.wirt("migrate", "web", "b", "--mode", "live", "--json", status=0)
            said, _ = talking.communicate("end\n", timeout=60)
    result = msgspec.json.decode(done.stdout, type=Migration)

    assert talking.returncode == 0
    assert result.mode is Mode.LIVE
    how = (
        "is sent ahead"
        if pagemarks.are_made()
        else "goes in one piece: the kernel does not mark the pages that a process writes to (CONFIG_MEM_SOFT_DIRTY)"
    )
    assert checked == (
        f"guest web can go to node b: live, guest web can go with its memory; its memory {how}\n"
    )
    assert (result.in_one_piece is None) == bool(result.memory_ahead) == pagemarks.are_made()
    assert result.memory_at_last
    assert [guest.name for guest in pair.here.guests()] == ["stays"]
    assert result.downtime_seconds is not None
    assert result.unseen_seconds is not None
    assert 0 < result.unseen_seconds < result.downtime_seconds
    # What was said while the guest was away is kept and sent after it: nobody waits until TCP says it again.
    assert 0.25 * result.downtime_seconds < float(said) < result.downtime_seconds + 0.5
    print(f"downtime {result.downtime_seconds:.3f} s, of the connection {float(said):.3f} s")


def test_guest_goes_over_ssh_to_a_host_whose_key_is_known(pair: Pair, tmp_path: Path) -> None:
    with sshd.serving(tmp_path) as host:
        options = [f"--ssh-option={option}" for option in host.options()]
        home = pair.there.home
        places = ["--home", home.data, "--run", home.run, "--ssh", "root@127.0.0.1"]
        # The other machine is this one, but in the network of the pair's second node.
        program = ["--program", f"nsenter --net={pair.netns} {WIRT}"]
        added = pair.here.wirt("node", "add", "b", *places, *program, *options, status=0).stdout
        pair.here.wirt("create", "web", "-t", TINY, status=0)
        pair.here.wirt("start", "web", status=0)
        pair.here.wirt("exec", "web", "--", "touch", "/root/file", status=0)
        said = pair.here.wirt(
            "migrate", "web", "b", "--mode", "refresh", "--timeout", "1s", status=0
        )

    assert added.startswith("node b added: ssh root@127.0.0.1, 10.")
    assert said.stdout.splitlines()[-1] == "guest web migrated to node b: refresh"
    assert pair.here.guests() == []
    assert pair.on_b("exec", "web", "--", "ls", "/root") == "file\n"


def test_running_guest_stays_where_the_other_node_has_its_name_address_or_not_its_network(
    pair: Pair,
) -> None:
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("start", "web", status=0)
    web = pair.here.guests()[0]

    def refused(status: int) -> str:
        said = pair.here.wirt("migrate", "web", "b", status=status).stderr
        assert pair.here.guests() == [web]
        assert [guest.id for guest in pair.there.guests()] == [guest.id for guest in theirs]
        return said

    pair.on_b("create", "web", "-t", TINY)
    theirs = pair.there.guests()
    assert (
        refused(4) == "wirt: node b has a guest web already; rename one of the two: wirt rename\n"
    )

    pair.on_b("destroy", "web")
    pair.on_b("create", "other", "-t", TINY, "--address", web.address)
    theirs = pair.there.guests()
    assert refused(4) == (
        f"wirt: node b has a guest other with the address {web.address}; destroy that first, or choose another\n"
    )

    pair.on_b("destroy", "other")
    theirs = []
    pair.here.wirt("network", "add", "back", "--subnet", "10.212.9.0/24", status=0)
    pair.here.wirt("card", "add", "web", "--network", "back", status=0)
    web = pair.here.guests()[0]
    assert refused(6) == (
        "wirt: node b has no network back, on which guest web has a card; "
        "add it there: wirt network add back --subnet 10.212.9.0/24\n"
    )
    pair.on_b("network", "add", "back", "--subnet", "10.212.9.0/24")
    pair.here.wirt("migrate", "web", "b", status=0)
    assert [guest.name for guest in pair.there.guests()] == ["web"]
    pair.on_b("destroy", "--force", "web")
    pair.on_b("network", "remove", "back")
    pair.here.wirt("network", "remove", "back", status=0)


def test_running_guest_stays_where_the_other_node_has_no_space_for_it(pair: Pair) -> None:
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("start", "web", status=0)
    fill = ("dd", "if=/dev/zero", "of=/root/file", "bs=1M", "count=8")
    pair.here.wirt("exec", "web", "--", *fill, status=0)
    pool = pair.there.home.pool("directory")
    os.makedirs(pool, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "none", pool], check=True)
    try:
        said = pair.here.wirt("migrate", "web", "b", status=12).stderr
    finally:
        subprocess.run(["umount", pool], check=True)

    assert re.fullmatch(
        r"wirt: node b has 4 MiB free on pool directory, and the root of guest web takes 8\.\d MiB; "
        r"free some space there\n",
        said,
    )
    assert pair.there.guests() == []
    pair.here.wirt("exec", "web", "--", "test", "-s", "/root/file", status=0)


def test_running_guest_goes_to_nobody_who_has_another_key_than_is_known(
    pair: Pair, tmp_path: Path
) -> None:
    with sshd.serving(tmp_path) as host:
        options = [f"--ssh-option={option}" for option in host.options()]
        home = pair.there.home
        places = ["--home", home.data, "--run", home.run, "--ssh", "root@127.0.0.1"]
        program = ["--program", f"nsenter --net={pair.netns} {WIRT}"]
        pair.here.wirt("node", "add", "b", *places, *program, *options, status=0)
        pair.here.wirt("create", "web", "-t", TINY, status=0)
        pair.here.wirt("start", "web", status=0)
        other = (tmp_path / "user.pub").read_text()
        (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{host.port} {other}")
        said = pair.here.wirt("migrate", "web", "b", status=10).stderr

    assert said == "wirt: node b does not answer: Host key verification failed.\n"
    assert pair.there.guests() == []
    pair.here.wirt("exec", "web", "--", "true", status=0)


def test_stopped_guest_goes_and_comes_back(pair: Pair) -> None:
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    said = pair.here.wirt("migrate", "web", "b", status=0)
    home = pair.here.home
    pair.on_b(
        "node",
        "add",
        "a",
        "--home",
        home.data,
        "--run",
        home.run,
        "--netns",
        f"/proc/{os.getpid()}/ns/net",
    )
    again = pair.here.wirt("migrate", "web", "b", "--resume", status=0).stdout
    back = pair.on_b("migrate", "web", "a")

    assert said.stdout.splitlines()[-1] == "guest web migrated to node b: cold"
    assert said.stderr.splitlines()[0] == "cold: guest web is stopped"
    assert again == "guest web is on node b already\n"
    assert back.splitlines()[-1] == "guest web migrated to node a: cold"
    assert [guest.name for guest in pair.here.guests()] == ["web"]
    pair.here.wirt("start", "web", status=0)


@pytest.fixture(params=["directory", "image", "btrfs"])
def pool(request: pytest.FixtureRequest, pair: Pair) -> Iterator[str]:
    """Give a pool that both nodes have."""
    kind: str = request.param
    if kind != "btrfs":
        yield kind
        return
    name = "quick"
    pair.here.wirt("pool", "create", name, "--kind", kind, "--size", "512M", status=0)
    pair.on_b("pool", "create", name, "--kind", kind, "--size", "512M")
    yield name
    for guest in pair.there.guests():
        pair.on_b("destroy", "--force", guest.name)
    pair.on_b("pool", "remove", name)
    pair.here.wirt("pool", "remove", name, status=0)


def test_checkpoint_goes_along_and_is_gone_on_from_on_the_other_node(pair: Pair, pool: str) -> None:
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, "--pool", pool, "--disk", "64M", status=0)
    pair.here.wirt("start", "web", status=0)
    begin = (
        "echo before >/root/file; setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >/root/pid"
    )
    pair.here.wirt("exec", "web", "--", "sh", "-c", begin, status=0)
    pair.here.wirt("checkpoint", "web", "one", status=0)
    pair.here.wirt("start", "web", "--anew", status=0)
    pair.here.wirt("exec", "web", "--", "sh", "-c", "echo after >/root/file", status=0)
    said = pair.here.wirt("migrate", "web", "b", "--mode", "refresh", "--timeout", "1s", status=0)
    listed = pair.on_b("snapshot", "list", "web")
    now = pair.on_b("exec", "web", "--", "cat", "/root/file")
    pair.on_b("resume", "web", "one", "--force")
    alive = "cat /root/file; kill -0 $(cat /root/pid) && echo alive"

    assert re.search(r"^send snapshots +\d+\.\d{3} +[1-9]", said.stdout, re.MULTILINE)
    assert "one" in listed
    assert now == "after\n"
    assert pair.on_b("exec", "web", "--", "sh", "-c", alive) == "before\nalive\n"


def test_template_that_is_not_there_goes_along(pair: Pair) -> None:
    os.unlink(pair.there.home.templates)
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("migrate", "web", "b", "--check", status=0)
    assert not os.path.exists(f"{pair.there.home.templates}/{TINY}")
    said = pair.here.wirt("migrate", "web", "b", status=0).stdout

    assert re.search(r"^send template +\d+\.\d{3} +\d+\.\d MiB$", said, re.MULTILINE)
    shown = [home.wirt("template", "show", TINY).stdout for home in (pair.here, pair.there)]
    assert shown[0] == shown[1] != ""
    pair.on_b("start", "web")
    assert pair.on_b("exec", "web", "--", "echo", "here") == "here\n"


def test_other_version_of_a_template_comes_beside_the_one_that_is_there(
    pair: Pair, tmp_path: Path
) -> None:
    os.unlink(pair.there.home.templates)
    other = tmp_path / "other.tar"
    homes.build_busybox_tar(other)
    with tarfile.open(other, "a") as tar:
        tar.addfile(tarfile.TarInfo("mark"))
    pair.on_b("template", "import", str(other), TINY)
    pair.add()
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    pair.here.wirt("migrate", "web", "b", status=0)
    pair.on_b("start", "web")

    assert "mark" not in pair.on_b("exec", "web", "--", "ls", "/")
    assert "mark" in pair.on_b("run", "-t", TINY, "--", "ls", "/")


def test_line_of_the_source_has_a_container_go(pair: Pair) -> None:
    pair.add()
    pair.here.type(f"vzctl create 101 --ostemplate {TINY}")
    pair.here.type("vzctl start 101 --wait")
    possible = pair.here.type("vzmigrate --check-only b 101")
    said = pair.here.type("vzmigrate -t --online b 101")

    assert possible == (
        "Migration of container 101 to b is possible: it is stopped here and started there\n"
    )
    lines = re.sub(r"\d+\.\d\d$", "S", said, flags=re.MULTILINE).splitlines()
    assert lines == [
        "Starting online migration of container 101 to b",
        "        Suspend + Dump:   S",
        "   Pcopy after suspend:   S",
        "        Copy dump file:   S",
        "         Second rsync:   S".rjust(len("        Suspend + Dump:   S")),
        "       2nd level quota:   S",
        "       Undump + Resume:   S",
        "  Total suspended time:   S",
        "Migration completed",
    ]
    assert os.listdir(f"{pair.there.home.data}/vz/conf") == ["101.conf"]
    assert os.listdir(f"{pair.here.home.data}/vz/conf") == ["101.conf.migrated"]
    assert pair.on_b("exec", "101", "--", "true") == ""


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("vzmigrate b", 1, "say where to, and which containers; Usage: vzmigrate "),
        ("vzmigrate --far b 101", 1, "option --far not recognized; Usage: vzmigrate "),
        (
            "vzmigrate -r no b 101",
            1,
            "the private area cannot stay here: a container has one owner; leave -r out, or clone it first",
        ),
        ("vzmigrate b 999", 10, "Container config file does not exist"),
        (
            "vzmigrate --ssh=-oConnectTimeout=1 user@127.0.0.1 101",
            4,
            "node 127-0-0-1 does not answer: ",
        ),
        ("vzmigrate b 101", 9, "node b has a container 101 already; rename one of the two"),
    ],
)
def test_what_cannot_go_ends_with_the_status_of_old(
    pair: Pair, line: str, status: int, message: str
) -> None:
    pair.add()
    pair.here.type(f"vzctl create 101 --ostemplate {TINY}")
    pair.on_b("create", "101", "-t", TINY)

    assert message in pair.here.type(line, status=status)
