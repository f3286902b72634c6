"""The console of a guest, over a node of fakes: what is refused, and what is read of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import fakes

from wirt.approaches.base import HasConsole
from wirt.approaches.registry import APPROACHES, load_approach
from wirt.errors import Failed, Unsupported, WrongState
from wirt.ops.console import check_console, console, show_log
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.start import start
from wirt.state.memory import MemoryStore


@pytest.fixture
def made(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


@pytest.fixture
def keyboard() -> Iterator[int]:
    """Give a terminal that nobody types at."""
    master, terminal = os.openpty()
    yield terminal
    os.close(master)
    os.close(terminal)


def never() -> None:
    raise AssertionError("nobody joined anything")


def test_guests_with_their_own_kernel_have_a_console_and_containers_take_logins() -> None:
    approaches = {name: load_approach(name) for name in APPROACHES}

    assert {name for name, one in approaches.items() if isinstance(one, HasConsole)} == {
        name for name, one in approaches.items() if one.needs.own_kernel
    }
    assert {name for name, one in approaches.items() if one.needs.logins} == {"lxc"}


def test_console_of_an_approach_without_one_says_what_to_do_instead(
    made: Context, keyboard: int
) -> None:
    start(made, "web")
    with pytest.raises(Unsupported) as caught:
        console(made, "web", joined=never, keyboard=keyboard)

    assert str(caught.value) == (
        "guest web has no console: approach fake gives none; for a shell: wirt enter web"
    )
    with pytest.raises(Unsupported):
        check_console(made, "web", keyboard=keyboard)


def test_console_of_a_stopped_guest_is_refused_and_its_log_followed_by_nobody(
    made: Context, keyboard: int
) -> None:
    for look in (
        lambda: console(made, "web", joined=never, keyboard=keyboard),
        lambda: show_log(made, "web", follow=True),
    ):
        with pytest.raises(WrongState) as caught:
            look()
        assert str(caught.value) == (
            "guest web is not running; start it first; pass --log to see what it said"
        )


def test_log_of_a_guest_that_never_ran_is_missed_in_one_line(made: Context) -> None:
    with pytest.raises(
        Failed, match=r"^guest web has said nothing yet; it may when it runs: wirt start web$"
    ):
        show_log(made, "web")


def test_log_is_written_as_it_is(made: Context, tmp_path: Path) -> None:
    said = b"Linux version 6.1\r\n\x1b[0;32m  OK\x1b[0m\r\n" * 1000
    path = Path(made.home.place(made.store.find("web").id).log)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(said)
    shown = os.open(tmp_path / "shown", os.O_WRONLY | os.O_CREAT)
    try:
        show_log(made, "web", screen=shown)
    finally:
        os.close(shown)

    assert (tmp_path / "shown").read_bytes() == said
