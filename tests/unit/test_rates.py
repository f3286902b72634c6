"""Rates of a guest's card: which there can be, and the verb over a node of fakes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Error, Failed, InvalidInput, Unsupported
from wirt.model.card import Card, CardKind
from wirt.model.rates import Rates, check_rates
from wirt.model.resources import NicKind
from wirt.network import shaper
from wirt.ops.cards import NewCard, add_card, remove_card
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.rates import RatesRequest, set_card
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore
from wirt.units import UNBOUNDED, parse_rate, render_rate

SLOW = SetRequest(rates=RatesRequest(inward=10_000_000))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


def held_to(base: Path) -> list[str]:
    """Return what the kernel holds cards to: in and out, of a further one after its number."""
    return sorted(
        path.name.partition("-")[2][len("wabcd12ab34") :].lstrip("-")
        for path in (base / "kernel/net").glob("rates-*")
    )


@pytest.mark.parametrize(
    ("text", "rate", "shown"),
    [
        ("10mbit", 10_000_000, "10 Mbit/s"),
        ("1.5G", 1_500_000_000, "1.5 Gbit/s"),
        ("64000", 64_000, "64 kbit/s"),
        ("500 kbit", 500_000, "500 kbit/s"),
        ("9bit", 9, "9 bit/s"),
    ],
)
def test_rate_is_read_and_shown(text: str, rate: int, shown: str) -> None:
    assert parse_rate(text) == rate
    assert render_rate(rate) == shown


@pytest.mark.parametrize("text", ["", "fast", "-1mbit", "10MB", "1e9", "10 mbit/s", "1,5g"])
def test_rate_that_cannot_be_read_says_what_one_is(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rate(text)

    assert str(caught.value) == (
        f"{text!r} is not a rate; write bits per second with kbit, mbit or gbit, such as 10mbit"
    )


@pytest.mark.parametrize(
    ("rates", "shown"),
    [(Rates(inward=1000), "1 kbit/s"), (Rates(outward=10**12), "1000 Gbit/s")],
)
def test_rate_of_no_use_is_refused(rates: Rates, shown: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_rates(rates)

    assert str(caught.value) == (
        f"a guest cannot be held to {shown}; ask for 64 kbit/s to 100 Gbit/s"
    )


def test_what_is_sent_beyond_the_rate_is_dropped_by_a_table_of_the_card() -> None:
    none = "add table netdev wabcd12ab34\ndelete table netdev wabcd12ab34\n"

    assert shaper.build_outward("wabcd12ab34", None) == none
    assert shaper.build_outward("wabcd12ab34", 8_000_000) == none + (
        "table netdev wabcd12ab34 {\n"
        "\tchain from-guest {\n"
        '\t\ttype filter hook ingress device "wabcd12ab34" priority 0; policy accept;\n'
        "\t\tlimit rate over 1000000 bytes/second burst 131072 bytes drop\n"
        "\t}\n"
        "}\n"
    )


def test_what_is_sent_to_it_waits_in_a_bucket() -> None:
    words = " ".join(shaper.build_inward("wabcd12ab34", 1_000_000_000))

    assert words == (
        "qdisc replace dev wabcd12ab34 root tbf rate 1000000000bit burst 2500000 latency 50ms"
    )


def test_rates_of_a_stopped_guest_come_with_its_start_and_go_with_its_stop(
    context: Context, tmp_path: Path
) -> None:
    set_limits(context, "web", SLOW)
    before = held_to(tmp_path)
    start(context, "web")
    running = held_to(tmp_path)
    stop(context, "web", force=True)

    assert (before, running, held_to(tmp_path)) == ([], ["10000000-None"], [])


def test_rates_of_a_running_guest_come_and_go_at_once(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    set_limits(context, "web", SLOW)
    set_limits(context, "web", SetRequest(rates=RatesRequest(outward=2_000_000)))
    both = held_to(tmp_path)
    freed = RatesRequest(inward=UNBOUNDED, outward=UNBOUNDED)
    set_limits(context, "web", SetRequest(rates=freed))

    assert both == ["10000000-2000000"]
    assert held_to(tmp_path) == []
    assert context.store.find("web").rates == Rates()
    assert context.store.intents() == []


def test_rates_that_the_kernel_refuses_stay_as_they_were(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    set_limits(context, "web", SLOW)
    failing = fakes.open_context(tmp_path, context.store, fail="shaper", fail_at=1)
    with pytest.raises(Failed):
        set_limits(failing, "web", SetRequest(rates=RatesRequest(inward=1_000_000)))

    assert context.store.find("web").rates == Rates(inward=10_000_000)
    assert held_to(tmp_path) == ["10000000-None"]
    assert context.store.intents() == []


def test_guest_without_a_card_is_refused(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    approach = context.approach("fake")
    monkeypatch.setattr(
        approach, "needs", msgspec.structs.replace(approach.needs, nic=NicKind.ALIAS)
    )
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SLOW)

    assert str(caught.value) == (
        "guest web cannot be held to a rate: it has no card of its own; give it another approach"
    )


def test_further_card_of_a_running_guest_is_held_at_once_from_every_start_and_until_it_goes(
    context: Context, tmp_path: Path
) -> None:
    start(context, "web")
    add_card(context, "web", NewCard(rates=Rates(outward=2_000_000)))
    added = held_to(tmp_path)
    _, card = set_card(context, "web", "eth1", RatesRequest(inward=4_000_000))
    set_card(context, "web", "eth0", RatesRequest(inward=8_000_000))
    both = held_to(tmp_path)
    stop(context, "web", force=True)
    stopped = held_to(tmp_path)
    start(context, "web")
    started = held_to(tmp_path)
    set_card(context, "web", "eth1", RatesRequest(outward=UNBOUNDED))
    one = held_to(tmp_path)
    remove_card(context, "web", "eth1")

    assert (added, card.rates) == ([".1-None-2000000"], Rates(inward=4_000_000, outward=2_000_000))
    assert both == started == [".1-4000000-2000000", "8000000-None"]
    assert (stopped, one) == ([], [".1-4000000-None", "8000000-None"])
    assert held_to(tmp_path) == ["8000000-None"]
    assert context.store.intents() == []


def test_cards_that_reboot_with_their_guest_have_one_script_for_all_that_are_held(
    context: Context, tmp_path: Path
) -> None:
    def script() -> list[str]:
        (found,) = tmp_path.rglob("again.rates")
        return [line.partition(" ")[2] for line in found.read_text().splitlines()]

    start(context, "web")
    set_limits(context, "web", SLOW)
    add_card(context, "web", NewCard(rates=Rates(outward=2_000_000)))
    added = script()
    remove_card(context, "web", "eth1")
    removed = script()
    set_limits(context, "web", SetRequest(rates=RatesRequest(inward=UNBOUNDED)))

    assert added == ["10000000 None", "None 2000000"]
    assert (removed, script()) == (["10000000 None"], [])


@pytest.mark.parametrize("call", [0, 1])
def test_rates_of_a_new_card_that_the_kernel_refuses_leave_no_card(
    context: Context, tmp_path: Path, call: int
) -> None:
    start(context, "web")
    failing = fakes.open_context(tmp_path, context.store, fail="shaper", fail_at=1)
    changes: list[Callable[[], object]] = [
        lambda: add_card(failing, "web", NewCard(rates=Rates(outward=2_000_000))),
        lambda: set_card(failing, "web", "eth0", RatesRequest(outward=2_000_000)),
    ]
    with pytest.raises(Failed):
        changes[call]()

    guest = context.store.find("web")
    assert (guest.cards, guest.rates, held_to(tmp_path)) == ((), Rates(), [])
    assert context.store.intents() == []


def test_guest_is_made_with_rates_and_its_clone_has_them(context: Context) -> None:
    slow = Rates(inward=64_000)
    request = CreateRequest(name="db", approach="fake", template="tiny", rates=slow)
    create(context, request)
    add_card(context, "db", NewCard(rates=slow))
    clone(context, "db", "twin", progress=lambda line: None)

    assert [card.rates for card in context.store.find("twin").all_cards] == [slow, slow]


def test_what_cannot_be_held_says_why(context: Context) -> None:
    device = Card(name="lan0", number=1, kind=CardKind.DEVICE, mac="", addresses=())
    guest = msgspec.structs.replace(context.store.find("web"), cards=(device,))
    context.store.settle(guest.id, guest)
    said = {}
    for card, request in {
        "lan0": RatesRequest(inward=64_000),
        "eth9": RatesRequest(inward=64_000),
        "eth0": RatesRequest(),
    }.items():
        with pytest.raises(Error) as caught:
            set_card(context, "web", card, request)
        said[card] = str(caught.value)
    with pytest.raises(InvalidInput) as caught_too:
        add_card(context, "web", NewCard(rates=Rates(inward=1)))

    assert said == {
        "lan0": "card lan0 of guest web cannot be held to a rate: it is a device of the node, and nothing "
        "of Wirt's is between it and its network; have what it is plugged into do so",
        "eth9": "guest web has no card eth9; see wirt card list web",
        "eth0": "there is nothing to set; say what, such as --rate-in 10mbit",
    }
    assert str(caught_too.value) == (
        "a guest cannot be held to 1 bit/s; ask for 64 kbit/s to 100 Gbit/s"
    )
