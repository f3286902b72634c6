"""What every network promises, asked of the fake and of the bridge."""

import secrets
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests.leaks import snapshot_world

from wirt.errors import Failed, InvalidInput
from wirt.model.card import Card
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind
from wirt.network.base import Network
from wirt.network.bridge import BridgeNetwork
from wirt.network.fake import FakeNetwork

SUBNET = IPv4Network("10.127.240.0/20")
"""The last that a home would take."""

NETWORKS: dict[str, Callable[[Path, str], Network]] = {
    "fake": lambda directory, tag: FakeNetwork(str(directory / "net"), tag, SUBNET),
    "bridge": lambda directory, tag: BridgeNetwork(tag, SUBNET),
}
MADE_HERE = pytest.mark.parametrize("kind", [NicKind.TAP, NicKind.ALIAS])


@pytest.fixture
def tag() -> str:
    return "".join(secrets.choice("qxz") for _ in range(4))


@pytest.fixture(params=NETWORKS)
def network(
    request: pytest.FixtureRequest, tmp_path: Path, tag: str, root_user: None
) -> Iterator[Network]:
    before = snapshot_world(tag)
    made = NETWORKS[request.param](tmp_path, tag)
    yield made
    for kind in NicKind:
        made.detach(card(made, kind))
    made.remove()
    assert snapshot_world(tag).difference(before) == []


def card(network: Network, kind: NicKind, guest_id: str = "0000aa", *further: str) -> Nic:
    one = Card(mac=network.mac(guest_id), addresses=("10.127.240.9", *further))
    return network.nic(guest_id, one, kind)


def test_capability_of_a_network_on_this_node_is_yes(network: Network) -> None:
    assert network.probe_capability().available


@MADE_HERE
def test_attach_makes_the_nodes_side_and_detach_takes_it_away(
    network: Network, kind: NicKind
) -> None:
    nic = card(network, kind)
    network.ensure_up()

    assert network.probe(nic) is Presence.ABSENT
    network.attach(nic, list)
    assert network.probe(nic) is Presence.PRESENT
    network.detach(nic)
    assert network.probe(nic) is Presence.ABSENT


@MADE_HERE
def test_every_change_can_be_made_again(network: Network, kind: NicKind) -> None:
    nic = card(network, kind)
    for _ in range(2):
        network.ensure_up()
    for _ in range(2):
        network.attach(nic, list)
    present = network.probe(nic)
    for _ in range(2):
        network.detach(nic)
    for _ in range(2):
        network.remove()

    assert present is Presence.PRESENT
    assert network.probe(nic) is Presence.ABSENT


@MADE_HERE
def test_attach_without_the_bridge_is_refused_and_leaves_nothing_after_detach(
    network: Network, kind: NicKind
) -> None:
    nic = card(network, kind)
    with pytest.raises(Failed):
        network.attach(nic, list)
    network.detach(nic)

    assert network.probe(nic) is Presence.ABSENT


@MADE_HERE
def test_detach_after_the_bridge_is_gone_is_no_error(network: Network, kind: NicKind) -> None:
    nic = card(network, kind)
    network.ensure_up()
    network.attach(nic, list)
    network.remove()
    network.detach(nic)

    assert network.probe(nic) is Presence.ABSENT


def test_attach_of_veth_lets_it_through_and_leaves_the_making_to_the_engine(
    network: Network,
) -> None:
    nic = card(network, NicKind.VETH)
    network.ensure_up()
    network.attach(nic, list)
    attached = network.probe(nic)
    network.detach(nic)

    assert attached is Presence.PARTIAL
    assert network.probe(nic) is Presence.ABSENT


def test_closing_of_veth_lets_it_through_no_longer_than_the_block(network: Network) -> None:
    nic = card(network, NicKind.VETH)
    network.ensure_up()
    network.attach(nic, list)
    with network.closing(nic):
        pass

    assert network.probe(nic) is Presence.ABSENT


@MADE_HERE
def test_closing_leaves_the_taking_away_to_detach(network: Network, kind: NicKind) -> None:
    nic = card(network, kind)
    network.ensure_up()
    network.attach(nic, list)
    with network.closing(nic):
        pass

    assert network.probe(nic) is Presence.PRESENT
    network.detach(nic)
    assert network.probe(nic) is Presence.ABSENT


@pytest.mark.parametrize("kind", NicKind)
def test_closing_of_a_card_that_is_not_there_is_no_error(network: Network, kind: NicKind) -> None:
    nic = card(network, kind)
    with network.closing(nic):
        pass
    network.ensure_up()
    with network.closing(nic):
        pass

    assert network.probe(nic) is Presence.ABSENT


def test_card_that_is_cut_off_is_there_and_joined_again(network: Network) -> None:
    nic = card(network, NicKind.TAP)
    network.ensure_up()
    network.attach(nic, list)

    def cut(one: Nic) -> None:
        network.cut(one, list)

    for act in (cut, cut, network.silence, network.silence, network.join, network.join):
        act(nic)

        assert network.probe(nic) is Presence.PRESENT


def test_card_that_is_not_there_is_not_cut_off_and_joined_without_error(network: Network) -> None:
    nic = card(network, NicKind.TAP)
    network.join(nic)

    with pytest.raises(Failed):
        network.cut(nic, list)


def test_nic_names_differ_by_guest_and_fit_the_kernel(network: Network) -> None:
    one, other = (card(network, NicKind.TAP, guest_id) for guest_id in ("0000aa", "0000bb"))

    assert one.interface != other.interface
    assert one.mac != other.mac
    assert max(len(nic.interface) for nic in (one, other)) <= 15
    assert one.gateway == "10.127.240.1"


def test_choose_address_without_a_wish_takes_the_next_free_by_the_id(network: Network) -> None:
    chosen = network.choose_address(None, {"10.127.240.2", "10.127.240.3"}, "000000")

    assert chosen == "10.127.240.4"


def test_choose_address_with_one_of_ours_takes_it(network: Network) -> None:
    assert network.choose_address("10.127.250.1", set(), "000000") == "10.127.250.1"


@pytest.mark.parametrize("text", ["10.1.1.1", "10.127.240.1", "10.127.240.0", "x", "::1"])
def test_choose_address_with_none_of_ours_is_refused(network: Network, text: str) -> None:
    with pytest.raises(InvalidInput):
        network.choose_address(text, set(), "000000")


def test_call_told_to_fail_fails_once(tmp_path: Path) -> None:
    network = FakeNetwork(str(tmp_path), "abcd", SUBNET, fail_at=2)
    network.ensure_up()
    with pytest.raises(Failed, match="attach was told to fail"):
        network.attach(card(network, NicKind.TAP), list)
    network.attach(card(network, NicKind.TAP), list)

    assert network.probe(card(network, NicKind.TAP)) is Presence.PRESENT


@pytest.mark.parametrize("kind", [NicKind.VETH, NicKind.TAP])
def test_filter_that_somebody_flushed_is_made_anew_with_all_who_run(
    tmp_path: Path, tag: str, root_user: None, kind: NicKind
) -> None:
    network = BridgeNetwork(tag, SUBNET)
    running, gone, new = (
        network.nic(
            guest_id,
            Card(mac=network.mac(guest_id), addresses=(f"10.127.240.{last}",)),
            kind,
        )
        for last, guest_id in enumerate(("0000aa", "0000bb", "0000cc"), start=9)
    )
    network.ensure_up()
    network.attach(running, list)
    network.attach(gone, list)
    subprocess.run(["nft", "delete", "table", "bridge", network.bridge], check=True)
    network.detach(gone)
    network.attach(new, lambda: [running])
    tables = snapshot_world(tag).tables
    for nic in (running, new):
        network.detach(nic)
    network.remove()

    table = f"table bridge wirt-{tag}"
    assert {text for text in tables if text.endswith("set ports")} == {
        f"{nic.interface} in set ports" for nic in (running, new)
    }
    assert table in tables
    assert snapshot_world(tag).tables == frozenset()
