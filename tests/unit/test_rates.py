"""Rates of a guest's card: which there can be, and the verb over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.model.rates import Rates, check_rates
from wirt.model.resources import NicKind
from wirt.network import shaper
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.rates import RatesRequest
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
    """Return what the kernel holds the one card to: in and out."""
    return [
        path.name.partition("-")[2].partition("-")[2]
        for path in (base / "kernel/net").glob("rates-*")
    ]


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
