"""A guest that has come to another node: the neighbours of each of its cards are told there of all of its addresses."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_migrate import Pair, pair
from tests.conftest import TINY

from wirt.model.names import interface_name

__all__ = ["pair"]

LISTENER = """
import json, select, socket, sys
listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("listening", flush=True)
heard = set()
while not select.select([sys.stdin], [], [], 0)[0]:
    if select.select([listening], [], [], 0.05)[0]:
        frame, (interface, *_) = listening.recvfrom(200)
        if frame[12:14] == b"\\x08\\x06" and frame[28:32] == frame[38:42]:
            heard.add((interface, frame[6:12].hex(":"), socket.inet_ntoa(frame[28:32])))
        if frame[12:14] == b"\\x86\\xdd" and frame[54:55] == b"\\x88" and frame[:2] == b"\\x33\\x33":
            heard.add((interface, frame[6:12].hex(":"), socket.inet_ntop(socket.AF_INET6, frame[62:78])))
print(json.dumps(sorted(heard)))
"""
"""Says at the end who was said, on which interface, to have which address, without having been asked."""


@pytest.mark.parametrize("mode", ["live", "refresh"])
def test_neighbours_of_every_card_are_told_of_every_address(pair: Pair, mode: str) -> None:
    pair.add()
    private = ["network", "add", "back", "--subnet", "192.168.77.0/24"]
    pair.here.wirt(*private, status=0)
    pair.on_b(*private)
    pair.here.wirt("create", "web", "-t", TINY, status=0)
    (web,) = pair.here.guests()
    more = (
        f"{web.address.rpartition('.')[0]}.{(int(web.address.rpartition('.')[2]) + 100) % 250 + 1}"
    )
    pair.here.wirt("set", "web", "--ip-add", more, status=0)
    pair.here.wirt("card", "add", "web", "--network", "back", "--address", "192.168.77.9", status=0)
    pair.here.wirt("start", "web", status=0)
    pair.on_b("create", "stays", "-t", TINY)
    pair.on_b("card", "add", "stays", "--network", "back")
    pair.on_b("start", "stays")
    (web,) = pair.here.guests()
    script = "ip -o address show dev eth0 scope global; ip -o address show dev eth1 scope global"
    inside = pair.here.wirt("exec", "web", "--", "sh", "-c", script, status=0).stdout
    addresses = {
        (words[1], words[3].partition("/")[0]) for words in map(str.split, inside.splitlines())
    }
    with subprocess.Popen(
        ["nsenter", f"--net={pair.netns}", sys.executable, "-c", LISTENER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "listening\n"
        pair.here.wirt("migrate", "web", "b", "--mode", mode, status=0)
        heard, _ = listening.communicate("end\n", timeout=60)
    stays = next(one for one in pair.there.guests() if one.name == "stays")
    neighbours = [interface_name(pair.there.home.tag, stays.id, number) for number in (0, 1)]
    cards = {"eth0": (neighbours[0], web.card.mac), "eth1": (neighbours[1], web.cards[0].mac)}

    told = {tuple(one) for one in json.loads(heard)}
    assert {(*cards[name], address) for name, address in addresses} <= told
    # Two of IPv4 on the first card and one on the other; of IPv6 as many as the node has the guest have.
    assert len(addresses) == 3 + len(addresses_of_ipv6(addresses))
    assert bool(addresses_of_ipv6(addresses)) == Path("/proc/sys/net/ipv6").is_dir()


def addresses_of_ipv6(addresses: set[tuple[str, str]]) -> list[str]:
    return [one for _, one in addresses if ":" in one and socket.inet_pton(socket.AF_INET6, one)]
