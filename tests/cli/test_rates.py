"""Rates of a running container's card, felt by both sides."""

import socket
import subprocess
import time
from contextlib import closing

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

SIZE = 1_200_000
"""Bytes: at 4 Mbit/s, two seconds and a half, less what may go at once."""
AT_LEAST, AT_MOST = 1.0, 15.0


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


def seconds_out(home: HomeUnderTest) -> float:
    """Return how long a guest takes to send."""
    gateway = home.wirt("exec", "web", "--", "ip", "route", status=0).stdout.split()[2]
    with closing(socket.create_server((gateway, 0))) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        send = f"head -c {SIZE} /dev/zero | nc {gateway} {port}"
        with home.spawn("exec", "web", "--", "sh", "-c", send) as sender:
            peer, _ = server.accept()
            began = time.monotonic()
            with closing(peer):
                peer.settimeout(20)
                got = 0
                while data := peer.recv(65536):
                    got += len(data)
            ended = time.monotonic()
            sender.wait(20)
    assert got == SIZE
    return ended - began


def seconds_in(home: HomeUnderTest, address: str | None = None) -> float:
    """Return how long it takes to send to a guest."""
    address = address or home.guests()[0].address
    with home.spawn(
        "exec", "web", "--", "sh", "-c", "echo up; nc -l -p 9000 -e sh -c 'cat | wc -c >&2'"
    ) as taker:
        assert taker.stdout is not None
        taker.stdout.readline()
        with closing(connect(address, 9000)) as there:
            began = time.monotonic()
            there.sendall(bytes(SIZE))
            there.shutdown(socket.SHUT_WR)
            while there.recv(65536):
                pass
            ended = time.monotonic()
        taker.wait(20)
    return ended - began


def connect(address: str, port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection((address, port), 20)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise


def rates_of(home: HomeUnderTest, number: int = 0) -> tuple[bool, bool]:
    """Return whether the kernel holds a card to a rate in and out."""
    card = f"w{home.home.tag}{home.guests()[0].id}{f'.{number}' if number else ''}"
    queue = subprocess.run(["tc", "qdisc", "show", "dev", card], capture_output=True, text=True)
    table = subprocess.run(["nft", "list", "table", "netdev", card], capture_output=True)
    return "tbf" in queue.stdout, table.returncode == 0


@pytest.mark.alone
def test_card_is_held_to_its_rates_at_once_and_from_every_start(web: HomeUnderTest) -> None:
    free = seconds_out(web), seconds_in(web)
    said = web.wirt("set", "web", "--rate-in", "4mbit", "--rate-out", "4mbit", status=0).stdout
    held = seconds_out(web), seconds_in(web)
    web.wirt("stop", "--force", "web", status=0)
    stopped = rates_of(web)
    web.wirt("start", "web", status=0)
    again, started = seconds_out(web), rates_of(web)
    web.wirt("set", "web", "--rate-in", "unlimited", "--rate-out", "unlimited", status=0)
    freed = seconds_out(web), seconds_in(web)

    assert said == "guest web has 4 Mbit/s in, 4 Mbit/s out now\n"
    assert max(*free, *freed) < AT_LEAST / 2
    assert min(*held, again) > AT_LEAST
    assert max(*held, again) < AT_MOST
    assert (stopped, started, rates_of(web)) == ((False, False), (True, True), (False, False))


def test_one_rate_is_set_without_the_other(web: HomeUnderTest) -> None:
    found = []
    for option in ("--rate-in", "--rate-out"):
        web.wirt("set", "web", option, "1gbit", status=0)
        found.append(rates_of(web))
    web.wirt("set", "web", "--rate-in", "unlimited", status=0)

    assert found == [(True, False), (True, True)]
    assert rates_of(web) == (False, True)


def test_further_card_is_held_to_its_own_rates_until_it_is_gone(web: HomeUnderTest) -> None:
    said = web.wirt("card", "add", "web", "--rate-in", "4mbit", status=0).stdout
    first, further = (card.addresses[0] for card in web.guests()[0].all_cards)
    took = seconds_in(web, further), seconds_in(web, first)
    more = web.wirt("card", "set", "web", "eth1", "--rate-out", "4mbit", status=0).stdout
    shown = web.wirt("show", "web", status=0).stdout
    listed = web.wirt("card", "list", "web", status=0).stdout.splitlines()[2]
    web.wirt("restart", "--force", "web", status=0)
    started = rates_of(web), rates_of(web, 1)
    free = web.wirt("card", "set", "web", "eth1", "--rate-in", "unlimited", status=0).stdout
    freed = seconds_in(web, further), rates_of(web, 1)
    web.wirt("card", "remove", "web", "eth1", status=0)

    assert said == f"guest web has the card eth1 now: {further}\n"
    assert AT_LEAST < took[0] < AT_MOST
    assert took[1] < AT_LEAST / 2
    assert more == "card eth1 of guest web has 4 Mbit/s in, 4 Mbit/s out now\n"
    assert "; 4 Mbit/s in, 4 Mbit/s out\n" in shown
    assert "4 Mbit/s in, 4 Mbit/s out" in listed
    assert started == ((False, False), (True, True))
    assert free == "card eth1 of guest web has 4 Mbit/s out now\n"
    assert freed[0] < AT_LEAST / 2
    assert freed[1] == (False, True)
    assert rates_of(web, 1) == (False, False)
