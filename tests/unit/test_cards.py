"""Cards of a guest and private networks, over a node of fakes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Error, Failed, InvalidInput
from wirt.model.card import Card, CardKind, check_card_name, check_node_name
from wirt.model.guest import Guest
from wirt.model.resources import NicKind
from wirt.ops.cards import CardRequest, NewCard, add_card, describe_cards, remove_card
from wirt.ops.checkpoint import find_obstacles
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.networks import add_network, remove_network
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.start import start
from wirt.ops.steps.cards import CardSteps
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore

DEVICE = Card(name="lan0", number=1, kind=CardKind.DEVICE, mac="", addresses=())


@pytest.fixture
def context(tmp_path: Path) -> Context:
    opened = fakes.open_context(tmp_path, MemoryStore())
    create(opened, CreateRequest(name="web", template="tiny", approach="fake"))
    add_network(opened, "back", "192.168.7.0/24")
    return opened


def on_node(context: Context) -> set[str]:
    """Return the bridges and cards that there are, without the home's tag and the guest's id."""
    plain = {context.home.tag: "TAG", context.store.find("web").id: "ID"}
    found = set()
    for path in Path(context.home.data).parent.glob("kernel/net/*"):
        name = path.name
        for known, word in plain.items():
            name = name.replace(known, word)
        found.add(name)
    return found


def test_card_of_a_stopped_guest_is_made_at_its_start_and_gone_with_its_end(
    context: Context,
) -> None:
    guest, card = add_card(context, "web", NewCard(network="back", addresses=("192.168.7.9",)))
    before = on_node(context)
    start(context, "web")
    running = on_node(context)
    stop(context, "web")
    stopped = on_node(context)
    destroy(context, "web")

    assert (card.name, card.number, card.addresses) == ("eth1", 1, ("192.168.7.9",))
    assert guest.cards == (card,)
    assert before == set()
    assert running == {"wirt-TAG", "wirt-TAG.1", "wirt-TAG-wTAGID", "wirt-TAG.1-wTAGID.1"}
    assert stopped == {"wirt-TAG", "wirt-TAG.1"}
    assert list(Path(context.home.data).parent.glob("kernel/net/*")) == []


def test_card_of_a_running_guest_is_there_at_once_and_gone_at_once(context: Context) -> None:
    start(context, "web")
    add_card(context, "web", NewCard(network="back"))
    with_card = on_node(context)
    remove_card(context, "web", "eth1")

    assert "wirt-TAG.1-wTAGID.1" in with_card
    assert "wirt-TAG.1-wTAGID.1" not in on_node(context)
    assert context.store.find("web").cards == ()


@pytest.mark.parametrize("call", [1, 2, 3])
def test_card_that_the_engine_or_network_refuses_leaves_what_was(
    context: Context, tmp_path: Path, call: int
) -> None:
    start(context, "web")
    fail, fail_at = ("approach", 1) if call == 3 else ("network", call)
    failing = fakes.open_context(tmp_path, context.store, fail=fail, fail_at=fail_at)
    if fail == "network":
        failing = msgspec.structs.replace(failing, private=lambda one: failing.network)
    before = on_node(context)
    with pytest.raises(Failed):
        add_card(failing, "web", NewCard(network="back"))

    assert context.store.find("web").cards == ()
    assert context.store.intents() == []
    assert on_node(context) - {"wirt-TAG.1"} == before


def test_cards_have_macs_addresses_and_names_of_their_own(context: Context) -> None:
    for network in (None, "back", "back"):
        add_card(context, "web", NewCard(network=network))
    guest = context.store.find("web")
    shown = describe_cards(context, guest)

    assert [card.name for card in guest.all_cards] == ["eth0", "eth1", "eth2", "eth3"]
    assert len({card.mac for card in guest.all_cards}) == 4
    assert len({one for _, addresses in shown for one in addresses}) == 8
    assert len(context.store.addresses()) == 4


def test_cards_on_one_bridge_share_their_addresses_and_others_do_not(context: Context) -> None:
    for network in (None, "back", None):
        add_card(context, "web", NewCard(network=network))
    guest = context.store.find("web")
    steps = CardSteps(context, guest)
    first, second, private, third = (guest.all_cards[place] for place in (0, 1, 2, 3))

    def shared(card: Card) -> set[str]:
        return {one.partition("/")[0] for one in steps.nic_of(card).shared if ":" not in one}

    assert shared(first) == {*second.addresses, *third.addresses}
    assert shared(third) == {*first.addresses, *second.addresses}
    assert shared(private) == set()


def test_addresses_and_mtu_are_kept_and_taken_back(context: Context) -> None:
    own = start(context, "web").address
    one, other, *_ = [f"10.64.7.{last}" for last in (7, 8, 9) if own != f"10.64.7.{last}"]
    add = CardRequest(add=(one, other), mtu=1400)
    guest = set_limits(context, "web", SetRequest(card=add))
    less = set_limits(context, "web", SetRequest(card=CardRequest(remove=(one,), mtu=0)))
    none = set_limits(context, "web", SetRequest(card=CardRequest(remove=("all",))))

    assert (guest.addresses, guest.mtu) == ((one, other), 1400)
    assert (less.addresses, less.mtu) == ((other,), None)
    assert none.addresses == ()


def test_network_is_removed_when_no_guest_is_on_it(context: Context) -> None:
    add_card(context, "web", NewCard(network="back"))
    with pytest.raises(Error) as caught:
        remove_network(context, "back")
    remove_card(context, "web", "eth1")
    remove_network(context, "back")

    assert str(caught.value) == (
        "network back is used by the guest web; remove their cards first: wirt card remove"
    )


def test_subnets_of_networks_do_not_overlap(context: Context) -> None:
    chosen = add_network(context, "front")
    with pytest.raises(Error) as caught:
        add_network(context, "other", "192.168.0.0/16")

    assert chosen.subnet != str(fakes.SUBNET)
    assert chosen.number == 2
    assert str(caught.value) == (
        "192.168.0.0/16 overlaps 192.168.7.0/24, which guests or this node have already; choose "
        "another or leave --subnet out"
    )


@pytest.mark.parametrize(
    ("subnet", "message"),
    [
        ("x", "'x' is not an IPv4 subnet; write one such as 192.168.7.0/24"),
        (
            "192.168.9.0/30",
            "192.168.9.0/30 cannot be a private network's; choose a private one of /16 to /29, such "
            "as 192.168.7.0/24",
        ),
    ],
)
def test_subnet_that_cannot_be_is_refused(context: Context, subnet: str, message: str) -> None:
    with pytest.raises(Error) as caught:
        add_network(context, "other", subnet)

    assert str(caught.value) == message


def test_device_stands_in_the_way_of_a_checkpoint(context: Context) -> None:
    running = start(context, "web")
    context.store.settle(running.id, msgspec.structs.replace(running, cards=(DEVICE,)))
    found = find_obstacles(context, "web")

    assert [(one.what, one.reason, one.hint) for one in found] == [
        (
            "card lan0",
            "is an interface of the node, whose state nobody could keep",
            "take it from the guest first: wirt card remove web lan0",
        )
    ]


def test_device_under_an_approach_that_hands_over_none_is_refused(context: Context) -> None:
    with pytest.raises(Error) as caught:
        add_card(context, "web", NewCard(device="lan0"))

    assert str(caught.value) == (
        "guest web cannot have a device of the node: approach fake hands over none; use the approach "
        "lxc"
    )


def test_guest_that_was_kept_before_there_were_cards_is_read(context: Context) -> None:
    kept = msgspec.to_builtins(context.store.find("web"))
    for field in ("addresses", "cards", "mtu"):
        del kept[field]

    assert msgspec.convert(kept, Guest) == context.store.find("web")


def test_routed_card_is_on_its_own_bridge_with_single_addresses(context: Context) -> None:
    request = CreateRequest(
        name="far",
        template="tiny",
        approach="fake",
        address="203.0.113.9",
        is_routed=True,
        is_proxied=True,
    )
    far = create(context, request)
    set_limits(context, "far", SetRequest(card=CardRequest(add=("2001:DB8::9",))))
    (_, addresses), *_ = describe_cards(context, context.store.find("far"))
    nic = context.routed().nic(far.id, far.card, NicKind.VETH)
    start(context, "far")
    net = Path(context.home.data).parent / "kernel/net"
    running = {path.name for path in net.iterdir()}
    stop(context, "far")
    stopped = {path.name for path in net.iterdir()}

    assert addresses[0] == "203.0.113.9/32"
    assert addresses[1].endswith("::cb00:7109/128")
    assert addresses[2] == "2001:db8::9/128"
    assert (nic.gateway, nic.gateway6) == ("169.254.1.1", "fe80::1")
    assert {f"wirt-{context.home.tag}.r", "gateway-proxied-203.0.113.9"} < running
    assert not {name for name in stopped if name.startswith("gateway-")}


def test_engine_that_forgets_cards_is_told_those_that_a_running_guest_has_now(
    context: Context, tmp_path: Path
) -> None:
    start(context, "web")
    _, card = add_card(context, "web", NewCard(network="back"))
    guest = context.store.find("web")
    again = next(tmp_path.glob("**/again.cards"))
    with_card = again.read_text()
    remove_card(context, "web", "eth1")

    assert with_card.splitlines()[1].split()[:2] == ["eth1", f"{card.addresses[0]}/24"]
    assert with_card.startswith(f"eth0 {guest.address}/20")
    assert "eth1" not in again.read_text()


@pytest.mark.parametrize("check", [check_card_name, check_node_name])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("lo", "the loopback, which every guest has for itself"),
        ("all", "the kernel's word for all cards"),
        ("default", "the kernel's word for cards to come"),
    ],
)
def test_name_that_means_something_already_is_refused_with_what_it_means(
    check: Callable[[str], str], name: str, what: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(name)

    assert str(caught.value) == f"{name!r} is {what}; choose another, such as eth1"
