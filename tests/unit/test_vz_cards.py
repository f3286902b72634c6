"""What vzctl's options make of a container's addresses and cards, in its file and on the guest."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.configfile import parse_config
from wirt.dialects.vz.vzctl import cards
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
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


def test_stopped_container_has_the_first_address_as_its_own_and_the_others_beside_it(
    context: Context,
) -> None:
    cards.hold_addresses(context, "web", ["10.64.7.1", "10.64.7.2"])
    both = context.store.find("web").card.addresses
    cards.hold_addresses(context, "web", ["10.64.7.2"])

    assert both == ("10.64.7.1", "10.64.7.2")
    assert context.store.find("web").card.addresses == ("10.64.7.2",)


def test_running_container_keeps_its_own_address_and_has_all_others_beside_it(
    context: Context,
) -> None:
    own = start(context, "web").address
    cards.hold_addresses(context, "web", ["10.64.7.1", "10.64.7.2"])
    both = context.store.find("web").card.addresses
    cards.hold_addresses(context, "web", ["10.64.7.2"])

    assert both == (own, "10.64.7.1", "10.64.7.2")
    assert context.store.find("web").card.addresses == (own, "10.64.7.2")
