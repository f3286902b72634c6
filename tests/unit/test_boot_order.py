"""Starting guests with the node, over a node of fakes."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import Failed
from wirt.model.lifecycle import State
from wirt.ops.autostart import set_autostart
from wirt.ops.boot import boot, build_unit
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze
from wirt.ops.start import start
from wirt.state.memory import MemoryStore


@pytest.fixture
def stopped(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    for name in ("a", "b", "c", "off"):
        create(context, CreateRequest(name=name, approach="fake", template="tiny"))
    for name, order in (("a", 50), ("b", 0), ("c", 50)):
        set_autostart(context, name, order)
    return context


def states(context: Context) -> dict[str, State]:
    return {guest.name: guest.state for guest in context.store.guests()}


def test_boot_starts_what_was_chosen_in_its_order_and_nothing_else(stopped: Context) -> None:
    booted = [(one.guest.name, one.error) for one in boot(stopped, ready_seconds=1)]

    assert booted == [("b", None), ("a", None), ("c", None)]
    assert states(stopped)["off"] is State.STOPPED


def test_boot_leaves_alone_what_runs_or_is_frozen(stopped: Context) -> None:
    for name in ("a", "b"):
        start(stopped, name)
    freeze(stopped, "b")
    booted = [one.guest.name for one in boot(stopped, ready_seconds=1)]

    assert booted == ["c"]
    assert states(stopped)["b"] is State.FROZEN


def test_guests_that_ran_when_the_node_went_down_are_started(
    stopped: Context, tmp_path: Path
) -> None:
    list(boot(stopped, ready_seconds=1))
    anew = fakes.open_context(tmp_path, stopped.store, boot_id="two")

    assert [one.guest.name for one in boot(anew, ready_seconds=1)] == ["b", "a", "c"]


def test_guest_that_fails_stops_none_of_the_others(stopped: Context, tmp_path: Path) -> None:
    failing = fakes.open_context(tmp_path, stopped.store, fail="approach", fail_at=1)
    booted = {one.guest.name: one.error for one in boot(failing, ready_seconds=1)}

    assert isinstance(booted.pop("b"), Failed)
    assert booted == {"a": None, "c": None}
    assert states(stopped)["b"] is State.STOPPED


def test_place_of_a_guest_is_kept_and_taken_back(stopped: Context) -> None:
    assert stopped.store.find("b").boot_order == 0
    set_autostart(stopped, "b", None)

    assert stopped.store.find("b").boot_order is None


def test_unit_names_the_program_and_the_home_as_systemd_reads_them() -> None:
    text = build_unit("/opt/a b/wirt", {"WIRT_RUN": "/r", "WIRT_HOME": '/50%"x\\'})

    assert text.splitlines()[-7:] == [
        "TimeoutStartSec=infinity",
        'Environment="WIRT_HOME=/50%%\\"x\\\\"',
        'Environment="WIRT_RUN=/r"',
        'ExecStart="/opt/a b/wirt" boot',
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
