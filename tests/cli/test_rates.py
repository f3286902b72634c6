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


def seconds_in(home: HomeUnderTest) -> float:
    """Return how long it takes to send to a guest."""
    address = home.guests()[0].address
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


def rates_of(home: HomeUnderTest) -> tuple[bool, bool]:
    """Return whether the kernel holds the card to a rate in and out."""
    card = f"w{home.home.tag}{home.guests()[0].id}"
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
