"""What vzctl's options make of a container's addresses and cards, in its file and on the guest."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests import fakes

from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.configfile import parse_config
from wirt.dialects.vz.vzctl import cards
from wirt.model.card import VENET, Card
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
        ("veth_add", "veth101.0,02:00:5e:00:53:00,eth1", 21),
        ("veth_add", "veth101.0,02:00:5e:00:53:00,,02:00:5e:00:53:01", 21),
        ("mac", "02:00:5e:00:53:01", 20),
    ],
)
def test_value_that_cannot_be_is_refused(option: str, value: str, code: int) -> None:
    with pytest.raises(Refused) as refused:
        cards.read([(option, value)])

    assert refused.value.exit_code == code


@pytest.mark.parametrize(("value", "code"), [("off", 130), ("maybe", 21)])
def test_filter_of_macs_cannot_be_switched_off(value: str, code: int) -> None:
    with pytest.raises(Refused) as refused:
        cards.read([("ifname", "eth1"), ("mac_filter", value)])

    assert refused.value.exit_code == code


def test_file_keeps_what_it_says_of_an_interface_that_nobody_here_knows() -> None:
    config = parse_config('NETIF="ifname=eth1,gw=10.0.0.1,configure=none"', name="101.conf")
    asked = cards.read([("ifname", "eth1"), ("host_mac", "02:00:5e:00:53:02")])

    assert cards.changed(config, asked).get("NETIF") == (
        "ifname=eth1,host_mac=02:00:5e:00:53:02,gw=10.0.0.1,configure=none"
    )


def test_interfaces_of_2006_are_read_and_become_those_of_today_when_they_change() -> None:
    config = parse_config(
        'VETH="veth101.0,02:00:5e:00:53:00,eth0,02:00:5e:00:53:01 veth101.1,02:00:5e:00:53:02,eth1,'
        '02:00:5e:00:53:03 nonsense"',
        name="101.conf",
    )
    changed = cards.changed(config, cards.read([("veth_del", "veth101.1")]))

    assert changed.get("NETIF") == (
        "ifname=eth0,mac=02:00:5e:00:53:01,host_ifname=veth101.0,host_mac=02:00:5e:00:53:00"
    )
    assert changed.get("VETH") == ""


def change(
    context: Context, *options: tuple[str, str], config: str = ""
) -> tuple[Sequence[Card], str]:
    """Change the cards of the guest ``web`` as ``vzctl set`` does, and return them and its file's NETIF."""
    asked, file = cards.read(options), parse_config(config, name="101.conf")
    file = cards.changed(cards.begun(context, "web", file, asked), asked)
    cards.apply(context, "web", file, asked)
    told = cards.told(context, "web", file).get("NETIF") or ""
    return context.store.find("web").cards, told


def test_interface_has_the_names_and_macs_that_are_asked_for_at_both_ends(
    context: Context,
) -> None:
    own = f"wirt-{context.home.tag}"
    value = "eth1,02:00:5e:00:53:01,veth101.1,02:00:5e:00:53:02"
    (card,), told = change(context, ("netif_add", value))

    assert (card.mac, card.node_name, card.node_mac) == tuple(value.split(",")[1:])
    assert told == (
        "ifname=eth1,mac=02:00:5e:00:53:01,host_ifname=veth101.1,host_mac=02:00:5e:00:53:02,"
        f"bridge={own}"
    )


def test_interface_is_chosen_where_nothing_is_asked_for(context: Context) -> None:
    (card,), told = change(context, ("netif_add", "eth1"))
    guest = context.store.find("web")

    assert (card.node_name, card.node_mac) == ("", "fe:ff:ff:ff:ff:ff")
    assert f"host_ifname=w{context.home.tag}{guest.id}.1,host_mac=fe:ff:ff:ff:ff:ff" in told


def test_veth_of_2006_is_named_by_the_node_first_and_goes_by_its_name_there(
    context: Context,
) -> None:
    value = "veth101.0,02:00:5e:00:53:00,eth1,02:00:5e:00:53:01"
    (card,), told = change(context, ("veth_add", value))
    gone = change(context, ("veth_del", "veth101.0"), config=f'NETIF="{told}"')

    assert (card.name, card.node_name, card.node_mac, card.mac) == (
        "eth1",
        "veth101.0",
        "02:00:5e:00:53:00",
        "02:00:5e:00:53:01",
    )
    assert gone == ((), "")


@pytest.mark.parametrize("is_running", [False, True])
def test_interface_is_changed_by_its_name_and_keeps_its_address(
    context: Context, is_running: bool
) -> None:
    (before,), told = change(context, ("netif_add", "eth1"))
    if is_running:
        start(context, "web")
    options = [("ifname", "eth1"), ("mac", "02:00:5e:00:53:01"), ("host_ifname", "veth101.1")]
    (after,), told = change(context, *options, config=f'NETIF="{told}"')

    assert (after.number, after.name, after.addresses) == (1, "eth1", before.addresses)
    assert (after.mac, after.node_name) == ("02:00:5e:00:53:01", "veth101.1")
    assert "mac=02:00:5e:00:53:01,host_ifname=veth101.1," in told


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("eth1,,lo", "'lo' is the loopback, which every guest has for itself"),
        ("eth1,,a/b", "'a/b' is not a name of an interface of the node"),
        ("eth1,,wirt-x", "this node has an interface wirt-x, or it is a name of Wirt's own"),
        ("eth1,,,03:00:5e:00:53:01", "'03:00:5e:00:53:01' is not the MAC of a card"),
        (
            "eth1,02:00:5e:00:53:01,,02:00:5e:00:53:01",
            "both ends of card eth1 would have the MAC 02:00:5e:00:53:01",
        ),
        ("eth1,,,MAC", "the MAC MAC is that of card eth0 of guest web"),
        ("eth1,,veth102.0", "veth102.0 is what a card of guest shop is called on this node"),
        ("eth1,02:00:5e:00:53:09", "the MAC 02:00:5e:00:53:09 is that of card eth1 of guest shop"),
        ("eth1,,,,nowhere", "there is no network nowhere"),
    ],
)
def test_end_on_the_node_that_cannot_be_is_refused(
    context: Context, value: str, message: str
) -> None:
    shop = create(context, CreateRequest(name="shop", template="tiny", approach="fake"))
    theirs = cards.read([("netif_add", "eth1,,veth102.0,02:00:5e:00:53:09")])
    cards.apply(context, shop.name, parse_config("", name="102.conf"), theirs)
    mac = context.store.find("web").mac
    with pytest.raises(Refused) as refused:
        change(context, ("netif_add", value.replace("MAC", mac)))

    assert refused.value.exit_code == 130
    assert refused.value.message == message.replace("MAC MAC", f"MAC {mac}")


def test_container_is_brought_to_the_interfaces_of_its_file_if_vzctl_made_its_card(
    context: Context,
) -> None:
    for name, card_name in (("far", VENET), ("near", "eth0")):
        request = CreateRequest(
            name=name,
            template="tiny",
            approach="fake",
            card_name=card_name,
            is_routed=card_name == VENET,
        )
        create(context, request)
    nothing = parse_config("", name="101.conf")
    asked = cards.read([("netif_add", "eth1"), ("netif_add", "eth2"), ("netif_add", "eth3")])
    for name in ("far", "near"):
        cards.apply(context, name, nothing, asked)
    value = "ifname=eth1;ifname=eth2,mac=02:00:5e:00:53:02;ifname=eth4,host_ifname=veth101.4"
    file = parse_config(f'NETIF="{value}"', name="101.conf")
    before = [context.store.find(name).cards for name in ("far", "near")]
    for name in ("far", "near"):
        cards.bring_cards(context, context.store.find(name), nothing)
    untouched = [context.store.find(name).cards for name in ("far", "near")]
    for name in ("far", "near"):
        cards.bring_cards(context, context.store.find(name), file)
    far, near = (context.store.find(name).cards for name in ("far", "near"))

    assert untouched == before
    assert near == before[1]
    assert [card.name for card in far] == ["eth1", "eth2", "eth4"]
    assert far[0] == before[0][0]
    assert far[1].mac == "02:00:5e:00:53:02"
    assert (far[2].node_name, far[2].number) == ("veth101.4", 3)


def test_file_from_another_node_means_the_cards_that_came_along_and_not_its_bridges(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    create(
        context,
        CreateRequest(
            name="far", template="tiny", approach="fake", card_name=VENET, is_routed=True
        ),
    )
    asked = cards.read([("netif_add", "eth1,02:00:5e:00:53:01"), ("netif_add", "eth2,,veth101.2")])
    cards.apply(context, "far", parse_config("", name="101.conf"), asked)
    before = context.store.find("far").cards
    value = (
        "ifname=eth1,mac=02:00:5e:00:53:01,host_ifname=wothr12ab34.1,host_mac=fe:ff:ff:ff:ff:ff,"
        "bridge=wirt-othr;ifname=eth2,host_ifname=veth101.2,bridge=wirt-othr"
    )
    file = parse_config(f'NETIF="{value};ifname=eth3,bridge=vmbr0"', name="101.conf")
    cards.bring_cards(context, context.store.find("far"), file)

    assert context.store.find("far").cards == before
    assert capsys.readouterr().err == (
        "Warning: eth3 is left as it is: there is no network vmbr0; see wirt network list\n"
    )


def test_file_that_says_nothing_of_cards_is_told_what_there_is_before_they_are_changed(
    context: Context,
) -> None:
    change(context, ("netif_add", "eth1"))
    nothing = parse_config("", name="101.conf")
    begun = cards.begun(context, "web", nothing, cards.read([("netif_add", "eth2")]))
    unasked = cards.begun(context, "web", nothing, cards.read([("ipadd", "10.64.0.9")]))

    assert (begun.get("NETIF") or "").startswith("ifname=eth1,mac=")
    assert unasked == nothing


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
    assert hold(context, "far") == ()
    assert next(net.glob(f"wirt-{context.home.tag}.r-*")).read_text() == ""
    assert context.store.find("far").address == own
    assert hold(context, "far", "203.0.113.8") == ("203.0.113.8",)


def test_container_whose_file_says_nothing_of_addresses_has_one_of_the_homes(
    context: Context,
) -> None:
    request = CreateRequest(
        name="far", template="tiny", approach="fake", card_name=VENET, is_routed=True
    )
    own = create(context, request).address
    hold(context, "far")
    cards.hold_addresses(context, "far", parse_config("", name="101.conf"))

    assert context.store.find("far").card.addresses == (own,)


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
