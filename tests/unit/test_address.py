"""Another address for a guest, over a node of fakes."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Conflict, InvalidInput, WrongState
from wirt.ops.address import set_address
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.start import start
from wirt.state.memory import MemoryStore

FREE = "10.64.7.7"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    opened = fakes.open_context(tmp_path, MemoryStore())
    for name in ("web", "shop"):
        create(opened, CreateRequest(name=name, template="tiny", approach="fake"))
    return opened


def test_address_of_a_stopped_guest_is_kept(context: Context) -> None:
    before = context.store.find("web").address
    changed = set_address(context, "web", FREE)

    assert changed.address == context.store.find("web").address == FREE
    assert before not in context.store.addresses()


def test_address_that_is_left_out_is_the_one_that_create_would_choose(context: Context) -> None:
    before = context.store.find("web").address
    set_address(context, "web", FREE)

    assert set_address(context, "web", None).address == before


def test_address_of_a_running_guest_stays(context: Context) -> None:
    running = start(context, "web")
    with pytest.raises(WrongState, match="guest web is running, and its card keeps its address"):
        set_address(context, "web", FREE)

    assert set_address(context, "web", running.address) == running


def test_address_that_is_taken_or_none_of_ours_changes_nothing(context: Context) -> None:
    before = context.store.find("web")
    with pytest.raises(Conflict, match="in use by guest shop"):
        set_address(context, "web", context.store.find("shop").address)
    with pytest.raises(InvalidInput, match=r"address 192\.0\.2\.1 is not ours"):
        set_address(context, "web", "192.0.2.1")

    assert context.store.find("web") == before
