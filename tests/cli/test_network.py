"""Guests that reach outside and are reached: on a node with a network of the test's own, and somebody at its other end."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.netns import NODE, OUTSIDE, Outside, is_forwarding
from tests.reach import is_reached, pings

from wirt.model.guest import Guest

SERVE = "nc -ll -p $1 -e hostname >/dev/null 2>&1 </dev/null & until netstat -ltn | grep -q :$1; do :; done"
CONNECT = (
    "import socket, sys; print(socket.create_connection(sys.argv[1:], 1).recv(99).decode(), end='')"
)


@pytest.fixture
def home(outside: Outside, tiny_templates: Path) -> Iterator[HomeUnderTest]:
    with homes.open_home(tiny_templates) as opened:
        yield opened
    assert not is_forwarding("eth0")
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True).stdout == b""


def start(home: HomeUnderTest, name: str = "web", *ports: int) -> Guest:
    """Start a guest that says its name on these ports."""
    if all(guest.name != name for guest in home.guests()):
        home.wirt("create", "-t", TINY, name, status=0)
    home.wirt("start", name, status=0)
    for port in ports:
        home.wirt("exec", name, "--", "sh", "-c", SERVE, "sh", str(port), status=0)
    return next(guest for guest in home.guests() if guest.name == name)


def ask(address: str, port: int) -> list[str]:
    """Return the command that asks a server for its name."""
    return ["python3", "-c", CONNECT, address, str(port)]


def ask_from(home: HomeUnderTest, name: str, address: str, port: int) -> str:
    """Return what a guest is told by a server, nothing if it does not reach it."""
    return home.wirt("exec", name, "--", "nc", "-w", "1", address, str(port)).stdout


def test_guests_reach_outside_as_the_node_only_while_nat_is_on(home: HomeUnderTest) -> None:
    start(home)
    closed = pings(OUTSIDE, home, "web")
    said = home.wirt("network", "nat", "on", status=0).stdout
    opened, forwarding = pings(OUTSIDE, home, "web"), is_forwarding("eth0")
    shown = json.loads(home.wirt("network", "show", "--json", status=0).stdout)
    home.wirt("network", "nat", "off", status=0)

    assert (closed, opened) == (False, True)  # outside has no route to guests: it answers the node
    assert forwarding
    assert said == "guests reach outside now\n"
    assert (shown["outbound"], shown["reach"]["switched"]) == ("open", ["eth0"])
    assert not pings(OUTSIDE, home, "web")
    assert not is_forwarding("eth0")


def test_nat_that_is_on_comes_with_the_first_guest_and_goes_with_the_last(
    home: HomeUnderTest,
) -> None:
    home.wirt("network", "nat", "on", status=0)
    before = is_forwarding("eth0")
    start(home)
    reached = pings(OUTSIDE, home, "web")
    home.wirt("destroy", "--force", "web", status=0)
    after = is_forwarding("eth0")
    start(home)

    assert (before, reached, after) == (False, True, False)
    assert pings(OUTSIDE, home, "web")


def test_rules_that_somebody_flushed_are_made_anew_by_the_next_start(home: HomeUnderTest) -> None:
    start(home, "web", 80)
    home.wirt("network", "nat", "on", status=0)
    home.wirt("forward", "add", "web", "8080:80", status=0)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    start(home, "other")

    assert pings(OUTSIDE, home, "web")
    assert subprocess.check_output(ask(NODE, 8080)) == b"web\n"


def test_forwarded_port_leads_to_the_guest_while_it_runs(
    home: HomeUnderTest, outside: Outside
) -> None:
    start(home, "web", 80)
    added = home.wirt("forward", "add", "web", "8080:80", status=0).stdout
    from_outside = outside.run(*ask(NODE, 8080)).stdout
    from_node = subprocess.check_output(ask(NODE, 8080), text=True)
    start(home, "other")
    from_neighbour = ask_from(home, "other", NODE, 8080)
    gets_out = pings(OUTSIDE, home, "web")
    home.wirt("stop", "--force", "web", status=0)
    stopped = outside.run(*ask(NODE, 8080), check=False).returncode
    forwarding = is_forwarding("eth0")
    start(home, "web", 80)
    again = outside.run(*ask(NODE, 8080)).stdout
    listed = home.wirt("forward", "list", status=0).stdout.splitlines()[1].split()
    removed = home.wirt("forward", "remove", "web", "8080:80", status=0).stdout

    assert added == "8080:80/tcp leads to guest web now\n"
    assert [from_outside, from_node, from_neighbour, again] == ["web\n"] * 4
    assert not gets_out
    assert stopped != 0
    assert not forwarding
    assert (listed[:2], listed[3]) == (["web", "8080:80/tcp"], "yes")
    assert removed == "8080:80/tcp does not lead to guest web any more\n"
    assert outside.run(*ask(NODE, 8080), check=False).returncode != 0


def test_ranges_addresses_and_datagrams_are_forwarded(
    home: HomeUnderTest, outside: Outside
) -> None:
    other_address = "198.51.100.9"
    subprocess.run(["ip", "address", "add", f"{other_address}/24", "dev", "eth0"], check=True)
    web = start(home, "web", 81)
    home.wirt("forward", "add", "web", "7000-7002:80-82", status=0)
    home.wirt("forward", "add", "web", f"{other_address}:8080:81", status=0)
    home.wirt("forward", "add", "web", "5353:53/udp", status=0)
    ranged = outside.run(*ask(NODE, 7001)).stdout
    at_address = outside.run(*ask(other_address, 8080)).stdout
    elsewhere = outside.run(*ask(NODE, 8080), check=False).returncode
    assert web.handle is not None
    monitor = web.handle.pid
    init = Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0]
    server = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 53)); print(flush=True); "
        "text, whence = s.recvfrom(99); s.sendto(text.upper(), whence)"
    )
    client = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5); "
        f"s.sendto(b'datagram', ('{NODE}', 5353)); print(s.recv(99).decode())"
    )
    inside = ["nsenter", f"--target={init}", "--net", "python3", "-c", server]
    with subprocess.Popen(inside, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        datagram = outside.run("python3", "-c", client).stdout
    subprocess.run(["ip", "address", "del", f"{other_address}/24", "dev", "eth0"], check=True)

    assert (ranged, at_address, datagram) == ("web\n", "web\n", "DATAGRAM\n")
    assert elsewhere != 0


NODE6, OUTSIDE6 = "2001:db8:7::1", "2001:db8:7::2"


@pytest.fixture
def outside6(outside: Outside) -> Iterator[Outside]:
    """Give the uplink IPv6 too."""
    change = ["ip", "address", "add", f"{NODE6}/64", "dev", "eth0", "nodad"]
    subprocess.run(change, check=True)
    outside.run("ip", "address", "add", f"{OUTSIDE6}/64", "dev", "eth0", "nodad")
    yield outside
    for switch in ("all/forwarding", "eth0/force_forwarding"):
        path = Path(f"/proc/sys/net/ipv6/conf/{switch}")
        assert not path.exists() or path.read_text().strip() == "0"
    change[2] = "del"
    subprocess.run(change[:-1], check=True)
    outside.run("ip", "address", "del", f"{OUTSIDE6}/64", "dev", "eth0")


SERVE6 = """
import socket
with socket.create_server(("::", 81), family=socket.AF_INET6) as server:
    print(flush=True)
    for _ in range({times}):
        connection, whence = server.accept()
        connection.sendall(f"{{whence[0]}}\\n".encode())
        connection.close()
"""


def test_guests_reach_outside_and_are_reached_by_ipv6(
    home: HomeUnderTest, outside6: Outside
) -> None:
    web = start(home, "web")
    closed = pings(OUTSIDE6, home, "web")
    home.wirt("network", "nat", "on", status=0)
    opened = is_reached(OUTSIDE6, home, "web")
    home.wirt("network", "nat", "off", status=0)
    closed_again = pings(OUTSIDE6, home, "web")
    home.wirt("forward", "add", "web", "8080:81", status=0)
    home.wirt("forward", "add", "web", f"[{NODE6}]:8081:81", status=0)
    assert web.handle is not None
    monitor = web.handle.pid
    init = Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0]
    inside = ["nsenter", f"--target={init}", "--net", "python3", "-c", SERVE6.format(times=3)]
    with subprocess.Popen(inside, stdout=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        serving.stdout.readline()
        told = [outside6.run(*ask(NODE6, port)).stdout for port in (8080, 8081)]
        told.append(subprocess.check_output(ask(NODE6, 8080), text=True))
    listed = home.wirt("forward", "list", status=0).stdout
    home.wirt("forward", "remove", "web", f"[{NODE6}]:8081:81", status=0)
    left = subprocess.check_output(["nft", "list", "ruleset", "ip6"], text=True)
    home.wirt("forward", "remove", "web", "8080:81", status=0)
    after = subprocess.check_output(["nft", "list", "ruleset", "ip6"], text=True)

    assert (closed, opened, closed_again) == (False, True, False)
    assert told[:2] == [f"{OUTSIDE6}\n"] * 2
    assert told[2]
    assert f"[{NODE6}]:8081:81/tcp" in listed
    assert "8081" not in left
    assert "8080" in left
    assert "nat" not in after
    assert "drop" in after


def test_nobody_outside_reaches_a_guest_that_no_port_leads_to(
    home: HomeUnderTest, outside: Outside
) -> None:
    web = start(home, "web", 80)
    home.wirt("network", "nat", "on", status=0)
    outside.run("ip", "route", "add", f"{web.address}/32", "via", NODE)
    asked = outside.run(*ask(web.address, 80), check=False)
    outside.run("ip", "route", "del", f"{web.address}/32")

    assert pings(OUTSIDE, home, "web")
    assert asked.returncode != 0


def test_two_homes_share_the_uplink_and_not_their_guests(
    home: HomeUnderTest, tiny_templates: Path
) -> None:
    start(home)
    home.wirt("network", "nat", "on", status=0)
    with homes.open_home(tiny_templates) as neighbour:
        theirs = start(neighbour, "web", 80)
        neighbour.wirt("network", "nat", "on", status=0)
        neighbour.wirt("forward", "add", "web", "8080:80", status=0)
        refused = home.wirt("forward", "add", "web", "8080:80")
        across = ask_from(home, "web", theirs.address, 80)
        by_the_node = ask_from(home, "web", NODE, 8080)
        home.wirt("network", "nat", "off", status=0)
        still = pings(OUTSIDE, neighbour, "web")

    assert (across, by_the_node) == ("", "web\n")
    assert still
    assert (refused.returncode, refused.stderr) == (
        4,
        "wirt: port 8080 of this node is forwarded to a guest of another home; choose another\n",
    )


def test_guests_are_kept_in_on_a_node_that_forwards_everything(home: HomeUnderTest) -> None:
    switches = [Path(f"/proc/sys/net/ipv4/conf/{name}/forwarding") for name in ("default", "eth0")]
    for switch in switches:
        switch.write_text("1")
    web = start(home)
    with netns_listener() as listener:
        home.wirt("exec", "web", "--", "ping", "-c1", "-W1", OUTSIDE)
        heard = sources(listener)
    home.wirt("network", "nat", "on", status=0)
    opened = pings(OUTSIDE, home, "web")
    home.wirt("network", "nat", "off", status=0)
    kept = [switch.read_text().strip() for switch in switches]
    for switch in switches:
        switch.write_text("0")

    assert web.address not in heard
    assert opened
    assert kept == ["1", "1"]  # they were on before


def netns_listener() -> "closing[socket.socket]":
    """Listen to what leaves the node."""
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    listener.bind(("eth0", 0x0003))
    listener.setblocking(False)
    return closing(listener)


def sources(listener: socket.socket) -> set[str]:
    found: set[str] = set()
    while True:
        try:
            data = listener.recv(4096)
        except BlockingIOError:
            return found
        found.add(socket.inet_ntoa(data[12:16]))


def test_port_that_a_program_listens_on_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    with (
        closing(socket.create_server(("", 8022))),
        closing(socket.create_server(("127.0.0.1", 8023))),
    ):
        refused = home.wirt("forward", "add", "web", "8000-8022:1-23")
        beside = home.wirt("forward", "add", "web", "8023:22")

    assert (refused.returncode, refused.stderr) == (
        4,
        "wirt: port 8022 of this node is in use: a program listens there (tcp); choose another\n",
    )
    assert beside.returncode == 0


def test_port_that_leads_to_another_guest_is_refused_even_if_that_is_stopped(
    home: HomeUnderTest,
) -> None:
    for name in ("web", "shop"):
        home.wirt("create", "-t", TINY, name, status=0)
    home.wirt("forward", "add", "web", "8080:80", status=0)
    refused = home.wirt("forward", "add", "shop", "8079-8081:79-81")
    datagrams = home.wirt("forward", "add", "shop", "8080:80/udp")
    absent = home.wirt("forward", "remove", "shop", "8080:80")

    assert (refused.returncode, refused.stderr) == (
        4,
        "wirt: 8080:80/tcp leads to guest web already; choose another port, or remove that first: "
        "wirt forward remove web 8080:80/tcp\n",
    )
    assert datagrams.returncode == 0
    assert (absent.returncode, absent.stderr) == (
        3,
        "wirt: nothing is forwarded as 8080:80/tcp to guest shop; see wirt forward list shop\n",
    )
