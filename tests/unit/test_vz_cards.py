"""What vzctl's options make of a container's addresses and cards, in its file and on the guest."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.configfile import parse_config
from wirt.dialects.vz.vzctl import cards
from wirt.model.card import VENET
from wirt.model.forward import parse_forward
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.forward import add_forward
from wirt.ops.start import start
from wirt.state.memory import MemoryStore


@pytest.fixture
def context(tmp_path: Path) -> Context:
    opened = fakes.open_context(tmp_path, MemoryStore())
    create(opened, CreateRequest(name="web", template="tiny", approach="fake"))
    return opened


@pytest.mark.parametrize(
    ("had", "options", "has"),
    [
        ("", [("ipadd", "10.64.0.9/24"), ("ip", "fd00::9")], "10.64.0.9 fd00::9"),
        ("10.64.0.9", [("ipadd", "10.64.0.10"), ("ipadd", "10.64.0.9")], "10.64.0.9 10.64.0.10"),
        ("10.64.0.9 fd00::9", [("ipdel", "10.64.0.9")], "fd00::9"),
        ("10.64.0.9 fd00::9", [("ipdel", "all"), ("ipadd", "10.64.0.7")], "10.64.0.7"),
    ],
)
def test_file_holds_what_was_there_and_comes_without_what_goes(
    had: str, options: list[tuple[str, str]], has: str
) -> None:
    config = parse_config(f'IP_ADDRESS="{had}"', name="101.conf")

    assert cards.changed(config, cards.read(options)).get("IP_ADDRESS") == has


def test_file_holds_cards_as_vzctl_writes_them() -> None:
    config = parse_config('NETIF="ifname=eth1,mac=02:00:5e:00:53:01;ifname=eth2"', name="101.conf")
    asked = cards.read([("netif_del", "eth2"), ("netif_add", "eth3,02:00:5e:00:53:03,,,back")])

    assert cards.changed(config, asked).get("NETIF") == (
        "ifname=eth1,mac=02:00:5e:00:53:01;ifname=eth3,mac=02:00:5e:00:53:03,bridge=back"
    )


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("ipadd", "10.0.0", 71),
        ("ipdel", "x", 71),
        ("netif_add", "", 21),
        ("netif_add", "a,b,c,d,e,f", 21),
        ("netif_add", "eth1,,veth101.1", 130),
    ],
)
def test_value_that_cannot_be_is_refused(option: str, value: str, code: int) -> None:
    with pytest.raises(Refused) as refused:
        cards.read([(option, value)])

    assert refused.value.exit_code == code


def hold(context: Context, name: str, *addresses: str) -> tuple[str, ...]:
    config = parse_config(f'IP_ADDRESS="{" ".join(addresses)}"', name="101.conf")
    cards.hold_addresses(context, name, config)
    return context.store.find(name).card.addresses


def test_stopped_container_has_the_first_address_as_its_own_and_the_others_beside_it(
    context: Context,
) -> None:
    own = context.store.find("web").address

    assert hold(context, "web", "10.64.7.1", "10.64.7.2") == ("10.64.7.1", "10.64.7.2")
    assert hold(context, "web", "10.64.7.2") == ("10.64.7.2",)
    assert hold(context, "web", "10.64.7.2", "10.64.7.1") == ("10.64.7.2", "10.64.7.1")
    assert hold(context, "web") == (own,)


def test_running_container_on_the_bridge_keeps_its_own_address_and_has_all_others_beside_it(
    context: Context,
) -> None:
    own = start(context, "web").address

    assert hold(context, "web", "10.64.7.1", "10.64.7.2") == (own, "10.64.7.1", "10.64.7.2")
    assert hold(context, "web", "10.64.7.2") == (own, "10.64.7.2")


def test_running_container_with_a_routed_card_has_those_alone_and_is_filtered_and_led_to_by_them(
    context: Context,
) -> None:
    request = CreateRequest(
        name="far", template="tiny", approach="fake", card_name=VENET, is_routed=True
    )
    own = create(context, request).address
    start(context, "far")
    both = hold(context, "far", "203.0.113.7", "2001:db8::7")
    net = Path(context.home.data).parent / "kernel/net"
    card = next(net.glob(f"wirt-{context.home.tag}.r-*")).read_text().split()

    assert both == ("203.0.113.7", "2001:db8::7")
    assert (card[0], card[-1]) == ("203.0.113.7/32", "2001:db8::7/128")
    assert hold(context, "far") == (own,)


def test_running_container_that_ports_lead_to_keeps_its_address(context: Context) -> None:
    create(
        context,
        CreateRequest(name="far", template="tiny", approach="fake", is_routed=True),
    )
    own = add_forward(context, "far", parse_forward("8080:80")).address
    start(context, "far")

    assert hold(context, "far", "203.0.113.7") == (own, "203.0.113.7")


def test_address_in_use_ends_with_the_status_for_that_and_one_that_cannot_be_with_another(
    context: Context,
) -> None:
    other = create(context, CreateRequest(name="shop", template="tiny", approach="fake"))
    with pytest.raises(Refused) as taken:
        hold(context, "web", other.address)
    with pytest.raises(Refused) as foreign:
        hold(context, "web", "192.0.2.1")

    assert (taken.value.exit_code, foreign.value.exit_code) == (78, 34)


def test_container_is_brought_to_the_addresses_of_its_file_if_vzctl_made_its_card(
    context: Context,
) -> None:
    create(
        context,
        CreateRequest(
            name="far", template="tiny", approach="fake", card_name=VENET, is_routed=True
        ),
    )
    config = parse_config('IP_ADDRESS="203.0.113.7"', name="101.conf")
    before = context.store.find("web")
    for name in ("web", "far"):
        cards.bring_addresses(context, context.store.find(name), config)

    assert context.store.find("far").card.addresses == ("203.0.113.7",)
    assert context.store.find("web") == before
