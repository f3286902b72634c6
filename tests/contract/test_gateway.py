"""What every gateway promises, asked of the fake and of the kernel's, on a node with a network of the test's own."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests import netns

from wirt.errors import Conflict
from wirt.host import links
from wirt.model.forward import parse_forward
from wirt.model.presence import Presence
from wirt.network.base import Gateway, Network
from wirt.network.bridge import BridgeNetwork
from wirt.network.fake import FakeGateway, FakeNetwork
from wirt.network.gateway import NftGateway

SUBNET = IPv4Network("10.127.240.0/20")
PAIRS: dict[str, Callable[[Path, str], tuple[Network, Gateway]]] = {
    "fake": lambda directory, tag: (
        FakeNetwork(str(directory), tag, SUBNET),
        FakeGateway(str(directory), tag, SUBNET),
    ),
    "nft": lambda directory, tag: (BridgeNetwork(tag, SUBNET), NftGateway(tag, SUBNET)),
}
WEB = {"10.127.240.9": [parse_forward("8080:80"), parse_forward("192.0.2.2:80:80")]}
SHOP = {"10.127.240.10": [parse_forward("8000-8009:1-10/udp")]}


@pytest.fixture(scope="module", autouse=True)
def own_network(root_user: None) -> Iterator[None]:
    with netns.own_network(), netns.outside():
        yield


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Network, Gateway]]:
    network, gateway = PAIRS[request.param](
        tmp_path, "".join(secrets.choice("qxz") for _ in range(4))
    )
    yield network, gateway
    gateway.close()
    network.remove()
    assert gateway.probe() is Presence.ABSENT
    assert not netns.is_forwarding("eth0")


def test_nothing_leads_anywhere_without_a_bridge(pair: tuple[Network, Gateway]) -> None:
    _, gateway = pair
    gateway.open(WEB, outbound=True)

    assert gateway.probe() is Presence.ABSENT
    assert not gateway.look().is_up


@pytest.mark.parametrize("outbound", [True, False])
def test_what_is_opened_is_there_until_it_is_closed_and_each_can_be_done_again(
    pair: tuple[Network, Gateway], outbound: bool
) -> None:
    network, gateway = pair
    network.ensure_up()
    before = gateway.probe()
    for _ in range(2):
        gateway.open(WEB, outbound=outbound)
    opened, seen = gateway.probe(), gateway.look()
    for _ in range(2):
        gateway.close()

    assert (before, opened, gateway.probe()) == (
        Presence.ABSENT,
        Presence.PRESENT,
        Presence.ABSENT,
    )
    assert (seen.is_up, seen.switched) == (True, ["eth0"])
    assert gateway.look().switched == []


def test_last_forward_that_is_withdrawn_closes_it(pair: tuple[Network, Gateway]) -> None:
    network, gateway = pair
    network.ensure_up()
    gateway.open(WEB, outbound=False)
    gateway.open(SHOP, outbound=False)
    for _ in range(2):
        gateway.withdraw(WEB, outbound=False)
    one_left = gateway.probe()
    gateway.withdraw(SHOP, outbound=False)

    assert one_left is Presence.PRESENT
    assert gateway.probe() is Presence.ABSENT


def test_last_forward_that_is_withdrawn_leaves_the_way_out(pair: tuple[Network, Gateway]) -> None:
    network, gateway = pair
    network.ensure_up()
    gateway.open(WEB, outbound=True)
    gateway.withdraw(WEB, outbound=True)
    kept = gateway.probe()
    gateway.withdraw({}, outbound=False)

    assert kept is Presence.PRESENT
    assert gateway.probe() is Presence.ABSENT


def test_other_homes_port_is_not_free(own_network: None) -> None:
    one, other = (tag for tag in ("qqqx", "qqqz"))
    theirs, ours = NftGateway(one, SUBNET), NftGateway(other, SUBNET)
    bridge = BridgeNetwork(one, SUBNET)
    bridge.ensure_up()
    theirs.open(WEB, outbound=False)
    refusals = []
    for text in ("8080", "8080/udp", "80", "192.0.2.2:80:80", "192.0.2.3:80:80"):
        try:
            ours.check_free(parse_forward(text))
        except Conflict as error:
            refusals.append((text, error.message))
    theirs.check_free(parse_forward("8080"))
    theirs.close()
    bridge.remove()

    assert refusals == [
        (text, f"port {port} of this node is forwarded to a guest of another home")
        for text, port in (("8080", 8080), ("80", 80), ("192.0.2.2:80:80", 80))
    ]


def test_home_in_another_network_has_uplinks_of_its_own() -> None:
    pairs = [
        (BridgeNetwork(tag, SUBNET), NftGateway(tag, SUBNET))
        for tag in ("".join(secrets.choice("qxz") for _ in range(4)) for _ in range(2))
    ]
    (network, gateway), (its_network, its_gateway) = pairs
    network.ensure_up()
    gateway.open({}, outbound=True)
    with netns.own_network(), netns.outside():
        its_network.ensure_up()
        its_gateway.open({}, outbound=True)
        opened = its_gateway.look().switched, netns.is_forwarding("eth0")
        its_gateway.close()
        its_network.remove()
        closed = netns.is_forwarding("eth0")
    seen = netns.is_forwarding("eth0")
    gateway.close()
    network.remove()

    assert (opened, closed, seen) == ((["eth0"], True), False, True)
    assert not netns.is_forwarding("eth0")


def test_ipv6_of_a_kernel_with_one_switch_for_all_is_put_back_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "forwards_ipv6_singly", lambda: False)
    tags = ["".join(secrets.choice("qxz") for _ in range(4)) for _ in range(2)]
    subprocess.run(["ip", "address", "add", "2001:db8:7::1/64", "dev", "eth0", "nodad"], check=True)
    root = Path("/proc/sys/net/ipv6/conf")
    switches = [root / "all/forwarding", root / "eth0/accept_ra"]
    pairs = [(BridgeNetwork(tag, SUBNET), NftGateway(tag, SUBNET)) for tag in tags]
    seen = []

    def look() -> None:
        seen.append([switch.read_text().strip() for switch in switches])

    look()
    for network, gateway in pairs:
        network.ensure_up()
        gateway.open({}, outbound=True)
        look()
        network.ensure_up()
    names = pairs[0][1].look().switched
    for network, gateway in pairs:
        gateway.close()
        look()
        network.remove()
    subprocess.run(["ip", "address", "del", "2001:db8:7::1/64", "dev", "eth0"], check=True)

    assert seen == [["0", "1"], ["1", "2"], ["1", "2"], ["1", "2"], ["0", "1"]]
    assert names == ["all", "eth0"]
