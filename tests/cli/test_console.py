"""``wirt console`` as a person meets it; guests with a kernel of their own: tests/guest/test_console.py."""

import time
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest
from tests.terminal import open_terminal


@pytest.fixture(scope="module")
def running(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a running guest of each approach without a kernel of its own, called as it."""
    for approach in ("chroot", "lxc"):
        module_home.wirt("create", "-t", TINY, "-a", approach, approach, status=0)
        module_home.wirt("start", approach, status=0)
    return module_home


def test_container_takes_a_login_that_ends_of_itself(running: HomeUnderTest) -> None:
    with open_terminal(running, "console", "lxc") as terminal:
        terminal.expect("lxc login:")
        terminal.type("\x04")  # Ctrl-D

        terminal.end()


@pytest.mark.parametrize(
    ("command", "escape"),
    [(("wirt", "console", "lxc"), "\x1d"), (("vzctl", "console", "lxc"), "\x1b.")],
    ids=["wirt", "vzctl"],
)
def test_login_in_a_container_ends_when_its_terminal_is_left(
    running: HomeUnderTest, command: tuple[str, ...], escape: str
) -> None:
    program, *arguments = command
    path = str(Path(WIRT).with_name(program))
    with open_terminal(running, *arguments, program=path) as terminal:
        terminal.resize(33, 77)
        terminal.expect("lxc login:")
        for key in escape:
            terminal.type(key)
        status = terminal.end()
    deadline = time.monotonic() + 10
    while "login" in (left := running.wirt("exec", "lxc", "--", "ps", status=0).stdout):
        assert time.monotonic() < deadline, left

    assert status == 0


def test_console_without_a_terminal_points_to_the_log(running: HomeUnderTest) -> None:
    done = running.wirt("console", "lxc", status=2)

    assert done.stderr == (
        "wirt: console wants a terminal; for what the guest has said: wirt console lxc --log\n"
    )


def test_follow_without_log_is_refused(running: HomeUnderTest) -> None:
    done = running.wirt("console", "lxc", "--follow", status=2)

    assert done.stderr == ("wirt: --follow goes with --log; to look and type: wirt console lxc\n")


@pytest.mark.parametrize("command", [("console",), ("start", "--console")])
def test_chroot_has_no_console(running: HomeUnderTest, command: tuple[str, ...]) -> None:
    with open_terminal(running, *command, "chroot") as terminal:
        terminal.expect(
            "guest chroot has no console: approach chroot gives none; for a shell: wirt enter chroot"
        )

        assert terminal.end() == 6
