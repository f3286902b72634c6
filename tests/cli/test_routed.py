"""Routed cards of real containers: whom they reach, who reaches them, and what they can neither say nor hear."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest
from tests.netns import NODE, OUTSIDE, Outside, is_forwarding
from tests.reach import SECONDS, is_reached, pings

from wirt.model.guest import Guest

OURS = "198.51.100.77"
"""An address of the uplink's network, for a guest."""


@pytest.fixture
def home(outside: Outside, tiny_templates: Path) -> Iterator[HomeUnderTest]:
    with homes.open_home(tiny_templates) as opened:
        yield opened
    assert not is_forwarding("eth0")
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True).stdout == b""
    assert subprocess.run(["ip", "neighbour", "show", "proxy"], capture_output=True).stdout == b""


def start(home: HomeUnderTest, name: str, *options: str) -> Guest:
    home.wirt("create", "-t", TINY, *options, name, status=0)
    home.wirt("start", name, status=0)
    return next(guest for guest in home.guests() if guest.name == name)


def addresses_of(home: HomeUnderTest, name: str) -> list[str]:
    shown = json.loads(home.wirt("show", name, "--json", status=0).stdout)
    return [one.partition("/")[0] for one in shown["all_addresses"]]


def port_of(enter: list[str]) -> str:
    """Return the MAC of the node's end of a guest's card."""
    (card,) = json.loads(subprocess.check_output([*enter, "ip", "-j", "link", "show", "eth0"]))
    ends = json.loads(subprocess.check_output(["ip", "-j", "link"]))
    return next(str(one["address"]) for one in ends if one["ifindex"] == card["link_index"])


def init_of(guest: Guest) -> str:
    assert guest.handle is not None
    monitor = guest.handle.pid
    return Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split()[0]


def test_routed_guest_reaches_the_node_and_the_others_and_outside_by_nat(
    home: HomeUnderTest,
) -> None:
    start(home, "web", "--routed")
    start(home, "db", "--routed")
    start(home, "plain")
    web, db, plain = (addresses_of(home, name) for name in ("web", "db", "plain"))
    node = json.loads(home.wirt("network", "show", "--json", status=0).stdout)["reach"]["subnet"]
    node = f"{node.rpartition('.')[0]}.1"
    inside = home.wirt("exec", "web", "--", "ip", "route", status=0).stdout.splitlines()
    unreached = [
        (whence, where)
        for whence, others in (
            ("web", [*db, *plain, node, NODE]),
            ("db", web),
            ("plain", [*web, *db]),
            (None, [*web, *db]),
        )
        for where in others
        if not is_reached(where, *((home, whence) if whence else ()))
    ]
    closed = pings(OUTSIDE, home, "web")
    home.wirt("network", "nat", "on", status=0)
    opened = pings(OUTSIDE, home, "web"), pings(OUTSIDE, home, "plain")
    still = pings(db[0], home, "web"), pings(db[0], home, "plain")
    home.wirt("network", "nat", "off", status=0)

    assert inside[0].startswith("default via 169.254.1.1 dev eth0")
    assert unreached == []
    assert (closed, opened, still) == (False, (True, True), (True, True))
    assert not pings(OUTSIDE, home, "web")
    assert pings(db[0], home, "web")


def test_guest_with_an_address_of_the_nodes_neighbours_is_found_by_them_while_it_runs(
    home: HomeUnderTest, outside: Outside
) -> None:
    start(home, "web", "--routed", "--proxy-arp", "--address", OURS)
    start(home, "db", "--routed", "--address", "203.0.113.9")
    found = outside.run(BUSYBOX, "ping", "-c3", "-W1", OURS, check=False).returncode
    with closing(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))) as heard:
        heard.bind(("eth0", 3))
        heard.setblocking(False)
        goes_out = pings(OUTSIDE, home, "web")
        sources = set()
        with suppress(BlockingIOError):
            while True:
                sources.add(socket.inet_ntoa(heard.recv(4096)[12:16]))
    unasked = pings(OUTSIDE, home, "db")
    reaches = is_reached("203.0.113.9"), is_reached(OURS, home, "db")
    more = "198.51.100.78"
    home.wirt("set", "web", "--ip-add", more, status=0)
    found_more = outside.run(BUSYBOX, "ping", "-c3", "-W1", more, check=False).returncode
    shown = home.wirt("show", "web", status=0).stdout
    forwarding = is_forwarding("eth0")
    home.wirt("stop", "--force", "web", status=0)
    outside.run("ip", "neighbour", "flush", "all")
    lost = outside.run(BUSYBOX, "ping", "-c1", "-W1", OURS, check=False).returncode
    still = is_reached("203.0.113.9")

    assert (found, goes_out, found_more) == (0, True, 0)
    assert OURS in sources
    assert (unasked, reaches) == (False, (True, True))
    assert "network      routed, found by the node's neighbours\n" in shown
    assert forwarding
    assert (lost, still) == (1, True)
    assert not is_forwarding("eth0")


HEAR = """
import socket, sys
heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
heard.bind(("eth0", 0))
heard.settimeout(0.2)
print(flush=True)
sys.stdin.readline()
seen = set()
try:
    while True:
        frame, where = heard.recvfrom(4096)
        if where[2] != 4:  # not what it sends itself
            seen.add(frame[6:12].hex(":"))
except TimeoutError:
    print(" ".join(sorted(seen)))
"""


def test_routed_guest_hears_the_node_alone_and_is_not_believed_as_another(
    home: HomeUnderTest,
) -> None:
    web, db = start(home, "web", "--routed"), start(home, "db", "--routed")
    bridge = Path(f"/sys/class/net/wirt-{home.home.tag}.r/address").read_text().strip()
    enter = ["nsenter", f"--target={init_of(web)}", "--net"]
    with subprocess.Popen(
        [*enter, "python3", "-c", HEAR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as listening:
        assert listening.stdout is not None
        listening.stdout.readline()
        talked = [pings(web.address), pings(db.address), pings(web.address, home, "db")]
        heard = listening.communicate("\n")[0].split()
    as_other = []
    for address in (db.address, "192.0.2.1"):
        subprocess.run([*enter, "ip", "address", "add", f"{address}/32", "dev", "eth0"], check=True)
        command = ["ping", "-c1", "-W1", "-I", address, "169.254.1.1"]
        as_other.append(home.wirt("exec", "web", "--", *command).returncode)
        subprocess.run([*enter, "ip", "address", "del", f"{address}/32", "dev", "eth0"], check=True)
    own = home.wirt("exec", "web", "--", "ping", "-c1", "-W5", "-I", web.address, "169.254.1.1")
    neighbours = ["ip", "neighbour", "add", db.address, "lladdr", db.mac, "dev", "eth0"]
    subprocess.run([*enter, *neighbours], check=True)
    subprocess.run([*enter, "ip", "route", "add", db.address, "dev", "eth0"], check=True)
    directly = pings(db.address, home, "web")
    subprocess.run([*enter, "ip", "link", "set", "eth0", "address", db.mac], check=True)
    with_other_mac = pings("169.254.1.1", home, "web")

    assert talked == [True, True, True]
    # The node's own end of the card may ask for routers, as every interface does.
    assert set(heard) - {port_of(enter)} == {bridge}
    assert (as_other, own.returncode) == ([1, 1], 0)
    assert not directly
    assert not with_other_mac


def test_routed_card_is_kept_by_a_reboot_and_a_checkpoint_and_held_to_rates(
    home: HomeUnderTest,
) -> None:
    web = start(home, "web", "--routed")
    start(home, "db", "--routed")
    home.wirt("set", "web", "--rate-in", "20mbit", "--ip-add", "203.0.113.8", status=0)
    home.wirt("network", "add", "back", status=0)
    home.wirt("card", "add", "web", "--network", "back", status=0)

    def things() -> list[str]:
        commands = ("ip -oneline address", "ip route", "ip -6 route")
        said = [
            home.wirt("exec", "web", "--", *command.split(), status=0).stdout
            for command in commands
        ]
        lines = [
            re.sub(r"^\d+: |@if\d+| tentative| expires \S+", "", line)
            for one in said
            for line in one.splitlines()
            if "multicast" not in line
        ]
        return sorted(" ".join(line.split()) for line in lines)

    before = things()
    began = home.wirt("exec", "web", "--", "cut", "-d ", "-f22", "/proc/1/stat", status=0).stdout
    home.wirt("exec", "web", "--", "reboot", "-f")
    deadline = time.monotonic() + SECONDS
    while home.wirt("exec", "web", "--", "cut", "-d ", "-f22", "/proc/1/stat").stdout in (
        began,
        "",
    ):
        assert time.monotonic() < deadline
    rebooted, reached = things(), is_reached("203.0.113.8", home, "db")
    queue = subprocess.check_output(
        ["tc", "qdisc", "show", "dev", f"w{home.home.tag}{web.id}"], text=True
    )
    home.wirt("checkpoint", "web", status=0)
    gone = pings("203.0.113.8")
    home.wirt("resume", "web", status=0)

    assert any("203.0.113.8/32" in line for line in before)
    assert rebooted == before
    assert things() == before
    assert (reached, gone) == (True, False)
    assert "tbf" in queue
    assert is_reached("203.0.113.8", home, "db")
    assert is_reached(web.address)


def test_routed_card_that_cannot_be_is_refused(home: HomeUnderTest) -> None:
    subnet = json.loads(home.wirt("network", "show", "--json", status=0).stdout)["reach"]["subnet"]
    range6 = json.loads(home.wirt("network", "show", "--json", status=0).stdout)["reach"]["range6"]
    start(home, "web", "--routed", "--address", "203.0.113.9")
    refused = [
        home.wirt("create", "-t", TINY, *options, "other").stderr
        for options in (
            ["--proxy-arp"],
            ["--routed", "-a", "qemu"],
            ["--routed", "--address", NODE],
            ["--routed", "--address", "224.0.0.1"],
            ["--routed", "--address", "nowhere"],
            ["--routed", "--address", "203.0.113.9"],
            ["--address", "203.0.113.10"],
        )
    ]

    assert refused == [
        "wirt: the node cannot answer for guest other, whose card is on the bridge; pass --routed too\n",
        "wirt: guest other cannot have a routed card: approach qemu does not tell it of a gateway that "
        "is on none of its networks; use the approach lxc\n",
        f"wirt: address {NODE} is this node's own; choose another\n",
        f"wirt: address 224.0.0.1 cannot be routed to a guest; choose one of {subnet} or {range6}, or "
        "one that the node's neighbours send it packets for\n",
        "wirt: 'nowhere' is not an IP address; write one such as 203.0.113.7\n",
        "wirt: address 203.0.113.9 is in use by guest web; choose another or leave it out\n",
        f"wirt: address 203.0.113.10 is not ours; choose one of {subnet} or leave it out\n",
    ]


def test_further_routed_card_sends_from_its_addresses_by_itself_whatever_the_first_is(
    home: HomeUnderTest, outside: Outside
) -> None:
    more, last = "203.0.113.8", "203.0.113.9"
    home.wirt("network", "nat", "on", status=0)
    for name, options in (("web", ()), ("far", ("--routed", "--address", "203.0.113.20"))):
        guest = start(home, name, *options)
        ours = OURS if name == "web" else "198.51.100.78"
        added = ["--address", ours, "--address", last if name == "web" else more]
        said = home.wirt("card", "add", name, "--routed", "--proxy-arp", *added, status=0).stdout
        listed = home.wirt("card", "list", name, status=0).stdout.splitlines()[2].split()

        def works(name: str = name, ours: str = ours, first: str = guest.address) -> list[bool]:
            found = outside.run(BUSYBOX, "ping", "-c3", "-W1", ours, check=False).returncode
            from_it = ["ping", "-c1", "-W2", "-I", ours, OUTSIDE]
            return [
                found == 0,
                home.wirt("exec", name, "--", *from_it).returncode == 0,
                is_reached(first),
                is_reached(ours),
                pings(OUTSIDE, home, name),
            ]

        before = works()
        began = home.wirt("exec", name, "--", "cut", "-d ", "-f22", "/proc/1/stat").stdout
        home.wirt("exec", name, "--", "reboot", "-f")
        deadline = time.monotonic() + SECONDS
        while home.wirt("exec", name, "--", "cut", "-d ", "-f22", "/proc/1/stat").stdout in (
            began,
            "",
        ):
            assert time.monotonic() < deadline
        rebooted = works()
        home.wirt("checkpoint", name, status=0)
        home.wirt("resume", name, status=0)
        resumed = works()
        home.wirt("restart", "--force", name, status=0)
        restarted = works()
        home.wirt("card", "remove", name, "eth1", status=0)
        outside.run("ip", "neighbour", "flush", "all")
        gone = works()
        rules = home.wirt("exec", name, "--", "ip", "rule", status=0).stdout

        assert said == f"guest {name} has the card eth1 now: {ours}, {added[3]}\n"
        assert listed[:2] == ["eth1", "routed"]
        assert [before, rebooted, resumed, restarted] == [[True] * 5] * 4
        assert gone == [False, False, True, False, True]
        assert "7001" not in rules


def test_further_routed_card_that_cannot_be_is_refused(home: HomeUnderTest) -> None:
    home.wirt("network", "add", "back", status=0)
    home.wirt("create", "-t", TINY, "web", status=0)
    web = home.guests()[0]
    refused = [
        home.wirt("card", "add", "web", *options).stderr
        for options in (
            ["--proxy-arp"],
            ["--routed", "--network", "back"],
            ["--routed", "--address", web.address],
            ["--routed", "--address", NODE],
        )
    ]

    assert refused == [
        "wirt: the node cannot answer for a card of guest web that is on a bridge; pass --routed too\n",
        "wirt: a routed card is on no network; leave --network out\n",
        f"wirt: guest web has the address {web.address} already; leave it out\n",
        f"wirt: address {NODE} is this node's own; choose another\n",
    ]
    assert home.guests() == [web]
