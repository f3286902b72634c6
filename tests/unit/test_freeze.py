"""Holding a guest still and giving it another name, over a node of fakes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Freezable
from wirt.approaches.fake import FakeApproach
from wirt.errors import Conflict, Failed, InvalidInput, TimedOut, Unsupported, WrongState
from wirt.host.run import SILENT
from wirt.model.guest import Handle
from wirt.model.launch import Place
from wirt.model.lifecycle import State
from wirt.ops.cleanup import clean_up
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.execute import execute
from wirt.ops.freeze import freeze, thaw
from wirt.ops.rename import rename
from wirt.ops.restart import restart
from wirt.ops.snapshot import create_snapshot
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore

WEB = CreateRequest(name="web", approach="fake", template="tiny")


@pytest.fixture
def running(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, WEB)
    start(context, "web")
    return context


def calls(context: Context) -> list[str]:
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    return approach.calls


def test_freeze_and_thaw_lead_there_and_back(running: Context) -> None:
    before = running.store.find("web")
    frozen = freeze(running, "web")
    kept = running.store.find("web")
    thawed = thaw(running, "web")

    assert frozen == kept == msgspec.structs.replace(before, state=State.FROZEN)
    assert thawed == running.store.find("web") == before
    assert calls(running) == ["start", "freeze", "thaw"]
    assert running.store.intents() == []


class Stalling(FakeApproach):
    """Guests that stand still, and answer nobody, until they may try again."""

    stalled = True

    def is_stalled(self, place: Place) -> bool:
        return self.stalled

    def try_again(self, place: Place) -> None:
        self.stalled = False

    def exec(self, place: Place, handle: Handle, argv: list[str], **more: Any) -> int:
        if self.stalled:
            raise TimedOut("the guest's agent did not answer in time")
        return super().exec(place, handle, argv, **more)


def test_guest_that_found_no_room_says_so_and_goes_on_when_it_is_thawed(tmp_path: Path) -> None:
    stalling = Stalling(f"{tmp_path}/kernel/guests")
    plain = fakes.open_context(tmp_path, MemoryStore())
    context = msgspec.structs.replace(plain, approach=lambda name: stalling)
    create(context, WEB)
    start(context, "web")
    with pytest.raises(Failed) as caught:
        execute(context, "web", ["true"], streams=SILENT)
    thawed = thaw(context, "web")
    status = execute(context, "web", ["true"], streams=SILENT)
    with pytest.raises(WrongState) as refused:
        thaw(context, "web")

    assert str(caught.value) == (
        "guest web stands still: there was no room for what it wrote to its disk; make some in pool "
        f"{thawed.pool}, and let it go on: wirt thaw web"
    )
    assert thawed.state is State.RUNNING
    assert status == 0
    assert str(refused.value) == "guest web is not frozen; there is nothing to thaw"


def test_freeze_of_an_approach_that_cannot_changes_nothing(running: Context) -> None:
    restless = fakes.without(Freezable, running.approach("fake"))
    with pytest.raises(Unsupported) as caught:
        freeze(msgspec.structs.replace(running, approach=lambda name: restless), "web")

    assert str(caught.value) == (
        "guest web cannot be frozen: approach fake cannot hold a guest still; stop it instead"
    )
    assert running.store.intents() == []


def test_freeze_that_fails_leaves_the_guest_running(running: Context, tmp_path: Path) -> None:
    failing = fakes.open_context(tmp_path, running.store, fail="approach", fail_at=1)
    with pytest.raises(Failed):
        freeze(failing, "web")

    assert running.store.find("web").state is State.RUNNING
    assert running.store.intents() == []
    assert freeze(running, "web").state is State.FROZEN


@pytest.mark.parametrize("end", [stop, destroy])
def test_frozen_guest_is_ended_by_force_alone(running: Context, end: Callable[..., object]) -> None:
    freeze(running, "web")
    with pytest.raises(WrongState, match="guest web is frozen; thaw"):
        end(running, "web")
    end(running, "web", force=True)

    assert [guest.state for guest in running.store.guests()] in ([], [State.STOPPED])


def test_frozen_guest_whose_engine_has_ended_is_stopped(running: Context) -> None:
    guest = freeze(running, "web")
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.end(running.home.place(guest.id))

    clean_up(running)

    assert running.store.find("web").state is State.STOPPED


def test_snapshot_of_a_frozen_guest_leaves_it_frozen(running: Context) -> None:
    guest = freeze(running, "web")
    create_snapshot(running, "web", "one")
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)

    assert approach.is_frozen(running.home.place(guest.id))
    assert running.store.find("web").state is State.FROZEN


def test_restart_stops_and_starts(running: Context) -> None:
    guest = restart(running, "web")

    assert guest.state is State.RUNNING
    assert calls(running) == ["start", "stop", "start"]


def test_rename_keeps_everything_but_the_name(running: Context) -> None:
    before = running.store.find("web")
    after = rename(running, "web", "shop")

    assert after == running.store.find("shop") == msgspec.structs.replace(before, name="shop")
    assert [guest.name for guest in running.store.guests()] == ["shop"]


def test_rename_to_a_name_that_is_taken_changes_nothing(running: Context) -> None:
    create(running, msgspec.structs.replace(WEB, name="shop"))
    with pytest.raises(Conflict, match="there is a guest shop already"):
        rename(running, "web", "shop")

    assert [guest.name for guest in running.store.guests()] == ["shop", "web"]


def test_rename_to_what_is_no_name_changes_nothing(running: Context) -> None:
    with pytest.raises(InvalidInput):
        rename(running, "web", "../web")

    assert [guest.name for guest in running.store.guests()] == ["web"]
