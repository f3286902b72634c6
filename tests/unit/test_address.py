"""Other addresses for a guest's first card, over a node of fakes."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Conflict, InvalidInput
from wirt.ops.address import set_addresses
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.start import start
from wirt.state.memory import MemoryStore


@pytest.fixture
def context(tmp_path: Path) -> Context:
    opened = fakes.open_context(tmp_path, MemoryStore())
    for name in ("web", "shop"):
        create(opened, CreateRequest(name=name, template="tiny", approach="fake"))
    return opened


def free(context: Context) -> str:
    """Return an address that neither guest has: theirs follow from their ids."""
    some = ("10.64.7.7", "10.64.7.8", "10.64.7.9")
    return next(one for one in some if one not in context.store.addresses())


def test_address_of_a_stopped_guest_is_kept(context: Context) -> None:
    before, wanted = context.store.find("web").address, free(context)
    changed = set_addresses(context, "web", [wanted])

    assert changed.address == context.store.find("web").address == wanted
    assert before not in context.store.addresses()


def test_guest_without_an_address_that_is_wanted_has_the_one_that_create_would_choose(
    context: Context,
) -> None:
    before = context.store.find("web").address
    set_addresses(context, "web", [free(context)])

    assert set_addresses(context, "web", []).address == before


def test_address_of_a_running_guest_on_the_bridge_stays(context: Context) -> None:
    running, wanted = start(context, "web"), free(context)
    changed = set_addresses(context, "web", [wanted])

    assert changed.card.addresses == (running.address, wanted)
    assert set_addresses(context, "web", [running.address]) == running


def test_address_that_is_taken_or_none_of_ours_changes_nothing(context: Context) -> None:
    before = context.store.find("web")
    with pytest.raises(Conflict, match="in use by guest shop"):
        set_addresses(context, "web", [context.store.find("shop").address])
    with pytest.raises(InvalidInput, match=r"address 192\.0\.2\.1 is not ours"):
        set_addresses(context, "web", ["192.0.2.1"])

    assert context.store.find("web") == before
