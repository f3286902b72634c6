"""Going into a guest, setting a password in it and waiting for it, over a node of fakes."""

import os
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.fake import FakeApproach
from wirt.approaches.registry import APPROACHES, load_approach
from wirt.errors import Failed, InvalidInput, Unsupported, WrongState
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.enter import enter
from wirt.ops.password import set_password
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.ops.wait import wait
from wirt.state.memory import MemoryStore


@pytest.fixture
def running(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    start(context, "web")
    return context


def test_guests_with_their_own_kernel_hand_on_no_terminal() -> None:
    needs = {name: load_approach(name).needs for name in APPROACHES}

    assert {name for name in needs if not needs[name].terminal} == {
        name for name in needs if needs[name].own_kernel
    }


def test_enter_of_an_approach_without_terminals_tries_nothing(running: Context) -> None:
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.needs = msgspec.structs.replace(approach.needs, terminal=False)
    with pytest.raises(Unsupported) as caught:
        enter(running, "web")

    assert str(caught.value) == (
        "guest web cannot be entered: approach fake hands on no terminal; "
        "run one command at a time: wirt exec web -- COMMAND"
    )
    assert approach.calls == ["start"]


def test_wait_for_a_guest_that_is_ready_returns_it(running: Context) -> None:
    assert wait(running, "web", 1.0) == running.store.find("web")


def test_wait_for_a_stopped_guest_is_refused(running: Context) -> None:
    stop(running, "web")
    with pytest.raises(WrongState, match="guest web is not running; start it first"):
        wait(running, "web", 1.0)


def test_password_that_cannot_be_handed_over_in_one_line_reaches_no_guest(running: Context) -> None:
    approach = running.approach("fake")
    assert isinstance(approach, FakeApproach)
    for user, password in (("root", "a\nroot:b"), ("root", ""), ("a:b", "x"), ("a\nb", "x")):
        with pytest.raises(InvalidInput):
            set_password(running, "web", user, password)

    assert approach.calls == ["start"]


def test_password_that_the_guest_does_not_take_fails(running: Context, tmp_path: Path) -> None:
    open_before = os.listdir("/proc/self/fd")
    failing = fakes.open_context(tmp_path, running.store, fail="approach", fail_at=1)
    with pytest.raises(Failed):
        set_password(failing, "web", "root", "x")

    assert len(os.listdir("/proc/self/fd")) == len(open_before)
