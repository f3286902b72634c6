"""``wirt console`` as a person meets it; guests with a kernel of their own: tests/guest/test_console.py."""

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
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
