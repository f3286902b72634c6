"""Another guest of a guest, over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Freezable
from wirt.approaches.fake import FakeApproach
from wirt.errors import Conflict, Error, Failed, InvalidInput, Unsupported
from wirt.model.card import Card, CardKind
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops.cards import NewCard, add_card
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.freeze import freeze
from wirt.ops.networks import add_network
from wirt.ops.snapshot import create_snapshot
from wirt.ops.start import start
from wirt.state.memory import MemoryStore
from wirt.storage.fake import FakePool


@pytest.fixture
def stopped(tmp_path: Path, root_user: None) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    create_snapshot(context, "web", "one")
    web = context.store.find("web")
    context.store.settle(web.id, msgspec.structs.replace(web, number=101, boot_order=1))
    (root_of(context, web) / "data").write_text("data")
    return context


@pytest.fixture
def running(stopped: Context) -> Context:
    start(stopped, "web")
    return stopped


def root_of(context: Context, guest: Guest) -> Path:
    return Path(context.home.pool("fake"), guest.id, "root")


def calls(context: Context) -> list[str]:
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    return approach.calls


def do(context: Context, *names: str, address: str | None = None) -> Guest:
    return clone(context, *names, address=address, progress=lambda line: None)


def test_clone_has_the_definition_and_root_and_is_another_guest(stopped: Context) -> None:
    web = stopped.store.find("web")
    two = do(stopped, "web", "two")

    assert two == stopped.store.find("two")
    definition = {"approach", "template", "template_sha256", "pool", "limits"}
    for field in definition:
        assert getattr(two, field) == getattr(web, field)
    assert all(getattr(two, field) != getattr(web, field) for field in ("id", "address", "mac"))
    assert (two.number, two.boot_order) == (None, None)
    assert two.snapshots == ()
    assert (root_of(stopped, two) / "data").read_text() == "data"
    assert stopped.store.find("web") == web
    assert stopped.store.intents() == []


def test_clone_has_cards_like_its_originals_and_says_what_it_has_not(stopped: Context) -> None:
    add_network(stopped, "back", "192.168.7.0/24")
    add_card(stopped, "web", NewCard(network="back", name="lan", mtu=1400))
    add_card(stopped, "web", NewCard(mac="02:00:5e:00:53:01"))
    web = stopped.store.find("web")
    further = f"{web.address.rpartition('.')[0]}.77"
    device = Card(name="lan0", number=9, kind=CardKind.DEVICE, mac="", addresses=())
    changed = {"mtu": 1300, "addresses": (further,), "cards": (*web.cards, device)}
    stopped.store.settle(web.id, msgspec.structs.replace(web, **changed))
    said: list[str] = []
    two = clone(stopped, "web", "two", progress=said.append)
    lan, plain = two.cards
    held = [*web.held_addresses, *two.held_addresses]

    assert two.mtu == 1300
    assert (lan.name, lan.number, lan.network, lan.mtu) == ("lan", 1, "back", 1400)
    assert (plain.name, plain.number, plain.network) == ("eth2", 2, None)
    assert lan.addresses[0].startswith("192.168.7.")
    assert len(held) == len(set(held)) == 6
    assert len({card.mac for guest in (web, two) for card in guest.all_cards}) == 6
    assert said[-4:] == [
        f"card lan: {lan.addresses[0]}, {lan.mac}",
        f"card eth2: {plain.addresses[0]}, {plain.mac}",
        "left out: lan0, a device of the node that guest web has",
        f"left out: further addresses of guest web: {further}",
    ]


def test_running_guest_is_held_still_and_goes_on(running: Context) -> None:
    web = running.store.find("web")
    two = do(running, "web", "two")

    assert calls(running) == ["start", "freeze", "thaw"]
    assert running.store.find("web") == web
    assert (two.state, two.handle, two.boot) == (State.STOPPED, None, None)
    assert start(running, "two").state is State.RUNNING


def test_guest_that_a_person_has_frozen_stays_frozen(running: Context) -> None:
    freeze(running, "web")
    do(running, "web", "two")

    assert running.store.find("web").state is State.FROZEN
    assert calls(running)[-1] == "freeze"


def test_guest_of_a_pool_that_copies_in_an_instant_is_not_held(
    running: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakePool, "instant_copy", True)
    do(running, "web", "two")

    assert calls(running) == ["start"]


def test_running_guest_that_cannot_be_held_still_changes_nothing(running: Context) -> None:
    restless = fakes.without(Freezable, running.approach("fake"))
    with pytest.raises(Unsupported) as caught:
        do(msgspec.structs.replace(running, approach=lambda name: restless), "web", "two")

    assert str(caught.value) == (
        "guest web is running, and neither has pool fake copies of one instant nor can approach "
        "fake hold a guest still; stop it first"
    )
    assert [guest.name for guest in running.store.guests()] == ["web"]
    assert running.store.intents() == []


@pytest.mark.parametrize("call", [1, 2, 3])
def test_clone_that_fails_leaves_nothing_and_the_guest_as_it_was(
    running: Context, tmp_path: Path, call: int
) -> None:
    web = running.store.find("web")
    failing = fakes.open_context(tmp_path, running.store, fail="pool", fail_at=call)
    with pytest.raises(Failed, match="was told to fail"):
        do(failing, "web", "two")

    assert running.store.guests() == [web]
    assert running.store.intents() == []
    assert FakePool(running.home.pool("fake")).list_guests() == [web.id]
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    assert not approach.is_frozen(running.home.place(web.id))


@pytest.mark.parametrize(
    ("names", "address", "error"),
    [
        (("web", "web"), None, Conflict),
        (("web", "../two"), None, InvalidInput),
        (("web", "two"), "10.64.0.1.1", InvalidInput),
        (("web", "two"), "taken", Conflict),
    ],
)
def test_name_or_address_that_cannot_be_changes_nothing(
    stopped: Context, names: tuple[str, str], address: str | None, error: type[Error]
) -> None:
    web = stopped.store.find("web")
    with pytest.raises(error):
        do(stopped, *names, address=web.address if address == "taken" else address)

    assert stopped.store.guests() == [web]
    assert stopped.store.intents() == []


def test_clone_outlives_its_original(stopped: Context) -> None:
    two = do(stopped, "web", "two")
    destroy(stopped, "web")

    assert (root_of(stopped, two) / "data").read_text() == "data"
    assert start(stopped, "two").state is State.RUNNING


def test_clone_rests_on_the_version_of_the_template_that_its_original_has(
    stopped: Context,
) -> None:
    web = stopped.store.find("web")
    old = msgspec.structs.replace(web, template_sha256="1" * 64)
    stopped.store.settle(web.id, old)

    assert do(stopped, "web", "two").template_sha256 == "1" * 64
