"""The verbs over a node of fakes: what they change, what they refuse, and that a failure at any call is undone."""

import os
from collections.abc import Callable
from importlib import import_module
from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest
from tests import fakes
from typing_extensions import override

from wirt.approaches.fake import FakeApproach
from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound, Unsupported, WrongState
from wirt.host.run import SILENT
from wirt.model.guest import Handle
from wirt.model.launch import Launch
from wirt.model.lifecycle import State
from wirt.ops import guests
from wirt.ops.cleanup import clean_up
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.execute import execute
from wirt.ops.freeze import freeze
from wirt.ops.run import run
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.ops.template import take_template
from wirt.state.memory import MemoryStore
from wirt.units import MIB

create_module = import_module("wirt.ops.create")  # the name is the function's in this file
WEB = CreateRequest(name="web", approach="fake", template="tiny")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def context(tmp_path: Path, store: MemoryStore) -> Context:
    return fakes.open_context(tmp_path, store)


@pytest.fixture
def running(context: Context) -> Context:
    create(context, WEB)
    start(context, "web")
    return context


def things(base: Path) -> set[str]:
    return {str(path.relative_to(base)) for path in base.rglob("*")}


def test_create_makes_a_stopped_guest_with_an_address_of_its_own(context: Context) -> None:
    one, two = create(context, WEB), create(context, msgspec.structs.replace(WEB, name="two"))

    assert (one.state, one.pool) == (State.STOPPED, "fake")
    assert one.address != two.address
    assert {IPv4Address(guest.address) in fakes.SUBNET for guest in (one, two)} == {True}
    assert context.store.find("web") == one
    assert context.store.intents() == []


def test_create_of_a_name_that_is_taken_changes_nothing(context: Context, tmp_path: Path) -> None:
    create(context, WEB)
    before = things(tmp_path)
    with pytest.raises(Conflict):
        create(context, WEB)

    assert things(tmp_path) == before


def test_create_whose_chosen_address_is_taken_meanwhile_takes_the_next(
    context: Context, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_module, "new_guest_id", iter(["000000", "000ffd"]).__next__)
    first = create(context, WEB)
    # There are 4093 addresses: both ids stand for the first. What the other command saw before the first one had written down what it took.
    seen = iter([set(), {first.address}])
    monkeypatch.setattr(store, "addresses", lambda: next(seen))
    other = create(context, msgspec.structs.replace(WEB, name="other"))

    assert int(IPv4Address(other.address)) == int(IPv4Address(first.address)) + 1


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (msgspec.structs.replace(WEB, name="a/b"), InvalidInput),
        (msgspec.structs.replace(WEB, address="10.1.1.1"), InvalidInput),
        (
            msgspec.structs.replace(WEB, limits=msgspec.structs.replace(WEB.limits, memory=MIB)),
            InvalidInput,
        ),
        (
            msgspec.structs.replace(WEB, limits=msgspec.structs.replace(WEB.limits, cpus=3)),
            InvalidInput,
        ),
    ],
)
def test_create_of_what_cannot_be_changes_nothing(
    context: Context, tmp_path: Path, request_: CreateRequest, kind: type[Error]
) -> None:
    before = things(tmp_path)
    with pytest.raises(kind):
        create(context, request_)

    assert things(tmp_path) == before


def test_create_where_no_pool_has_the_form_of_root_says_so(context: Context) -> None:
    approach = context.approach("fake")
    approach.needs = msgspec.structs.replace(approach.needs, root="qcow2")
    with pytest.raises(Unsupported) as caught:
        create(context, WEB)

    assert str(caught.value) == "no pool of this node has qcow2 roots; see wirt doctor"


def test_start_and_stop_lead_there_and_back(running: Context, tmp_path: Path) -> None:
    stop(running, "web")
    stopped = things(tmp_path)
    start(running, "web")
    state = running.store.find("web").state
    stop(running, "web", force=True)

    assert state is State.RUNNING
    assert running.store.find("web").state is State.STOPPED
    assert things(tmp_path) == stopped


def test_destroy_of_the_last_guest_takes_the_bridge_with_it(
    running: Context, tmp_path: Path
) -> None:
    destroy(running, "web", force=True)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert left == [tmp_path / "template" / "init"]
    with pytest.raises(NotFound):
        running.store.find("web")


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (start, "guest web is running already; to start it anew, stop it first"),
        (destroy, "guest web is running; stop it first or pass --force"),
    ],
)
def test_verb_on_a_running_guest_is_refused(
    running: Context, verb: Callable[..., object], message: str
) -> None:
    with pytest.raises(WrongState) as caught:
        verb(running, "web")

    assert str(caught.value) == message
    assert running.store.intents() == []


def test_execute_in_a_stopped_guest_is_refused(context: Context) -> None:
    create(context, WEB)
    with pytest.raises(WrongState, match="guest web is not running; start it first"):
        execute(context, "web", ["true"], streams=SILENT)


def test_execute_gives_the_status(running: Context) -> None:
    assert execute(running, "web", ["sh", "-c", "exit 3"], streams=SILENT) == 3


def test_run_leaves_nothing_whatever_the_command_says(context: Context, tmp_path: Path) -> None:
    run(context, WEB, ["true"], streams=SILENT)
    before = things(tmp_path)
    status = run(context, WEB, ["false"], streams=SILENT)

    assert status == 1
    assert things(tmp_path) == before
    assert context.store.is_empty()


class Broken(FakeApproach):
    """An approach whose guests do not start, and whose error points to their log."""

    @override
    def start(self, launch: Launch) -> Handle:
        raise Failed("the guest did not start", hint=f"see {launch.place.log}")


def test_run_of_a_guest_that_does_not_start_sends_nobody_to_a_log_that_is_gone(
    context: Context, tmp_path: Path
) -> None:
    broken = Broken(f"{tmp_path}/kernel/guests")
    with pytest.raises(Failed) as caught:
        run(
            msgspec.structs.replace(context, approach=lambda name: broken),
            WEB,
            ["true"],
            streams=SILENT,
        )

    assert caught.value.hint == (
        "the log went with the guest; to keep both use wirt create and wirt start"
    )
    assert context.store.is_empty()


def test_guest_whose_engine_has_ended_is_stopped_for_everyone(
    running: Context, tmp_path: Path
) -> None:
    guest = running.store.find("web")
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.end(running.home.place(guest.id))
    observed = guests.observed(running, guest)
    clean_up(running)

    assert observed.state is State.STOPPED
    assert running.store.find("web").state is State.STOPPED
    assert os.listdir(tmp_path / "kernel" / "guests") == []


def test_guest_of_an_earlier_boot_does_not_run(
    running: Context, store: MemoryStore, tmp_path: Path
) -> None:
    later = fakes.open_context(tmp_path, store, boot_id="two")
    clean_up(later)

    assert store.find("web").state is State.STOPPED
    assert start(later, "web").boot == "two"


PORTS = ["approach", "pool", "network"]


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("verb", ["create", "start", "run"])
def test_verb_that_fails_at_any_call_is_undone(verb: str, port: str, tmp_path: Path) -> None:
    """If the undoing fails too, the next command does it."""
    ways: dict[str, Callable[[Context], object]] = {
        "create": lambda context: create(context, WEB),
        "start": lambda context: start(context, "web"),
        "run": lambda context: run(context, WEB, ["true"], streams=SILENT),
    }
    problems, failures = [], 0
    for number in range(1, 12):
        base, store = tmp_path / str(number), MemoryStore()
        plain = fakes.open_context(base, store)
        if verb == "start":
            create(plain, WEB)
            start(plain, "web")
            stop(plain, "web")
        else:
            run(plain, WEB, ["true"], streams=SILENT)
        before, guest_before = things(base), store.guests()
        try:
            ways[verb](fakes.open_context(base, store, fail=port, fail_at=number))
        except Failed:
            failures += 1
        else:
            break
        clean_up(plain)
        if (things(base), store.guests(), store.intents()) != (before, guest_before, []):
            problems.append(f"call {number}: {things(base) ^ before} {store.intents()}")

    assert problems == []
    assert failures >= 1 or (verb, port) in {("create", "approach"), ("create", "network")}


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("verb", ["stop", "destroy"])
def test_verb_that_fails_at_any_call_is_finished_by_the_next(
    verb: str, port: str, tmp_path: Path
) -> None:
    ways: dict[str, Callable[[Context], object]] = {
        "stop": lambda context: stop(context, "web"),
        "destroy": lambda context: destroy(context, "web", force=True),
    }
    problems, failures = [], 0
    for number in range(1, 12):
        base, store = tmp_path / str(number), MemoryStore()
        plain = fakes.open_context(base, store)
        create(plain, WEB)
        start(plain, "web")
        try:
            ways[verb](fakes.open_context(base, store, fail=port, fail_at=number))
        except Failed:
            failures += 1
        else:
            break
        clean_up(plain)
        states = [guest.state for guest in store.guests()]
        if (states, store.intents()) != ([State.STOPPED] if verb == "stop" else [], []):
            problems.append(f"call {number}: {states} {store.intents()}")
        if list((base / "kernel" / "guests").iterdir()):
            problems.append(f"call {number}: the engine still runs")

    assert problems == []
    assert failures >= 1


def test_os_error_in_a_step_is_told_as_ours(context: Context, tmp_path: Path) -> None:
    # A file where the guests' directories should be.
    Path(context.home.data, "guests").write_text("")
    with pytest.raises(Failed) as caught:
        create(context, WEB)

    assert str(caught.value).startswith("cannot create guest web: Not a directory (")
    assert context.store.is_empty()


def test_running_guest_stands_still_while_it_becomes_a_template(
    running: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = running.store.find("web")
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    place = running.home.place(guest.id)
    seen = []

    def take(tree: str, name: str, **told: object) -> object:
        seen.append((approach.is_frozen(place), os.path.isdir(tree), told["origin"]))
        return running.templates.get(name)

    monkeypatch.setattr(running.templates, "take_tree", take)
    take_template(running, "web", "made", progress=lambda text: None)

    assert seen == [(True, True, "guest web")]
    assert not approach.is_frozen(place)
    assert running.store.find("web") == guest


def test_frozen_guest_that_becomes_a_template_stays_frozen(running: Context) -> None:
    guest = freeze(running, "web")
    take_template(running, "web", "made", progress=lambda text: None)

    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    assert approach.is_frozen(running.home.place(guest.id))
    assert running.store.find("web") == guest


@pytest.mark.parametrize("fails", ["freeze", "packing"])
def test_guest_that_cannot_become_a_template_goes_on_as_it_was(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    context = fakes.open_context(tmp_path, store, fail="approach", fail_at=2)
    if fails == "packing":
        context = fakes.open_context(tmp_path, store)

        def refuse(*_: object, **__: object) -> None:
            raise InvalidInput("no")

        monkeypatch.setattr(context.templates, "take_tree", refuse)
    create(context, WEB)
    guest = start(context, "web")
    before = things(tmp_path)
    with pytest.raises((Failed, InvalidInput)):
        take_template(context, "web", "made", progress=lambda text: None)

    assert things(tmp_path) == before
    assert store.find("web") == guest
    assert store.intents() == []
