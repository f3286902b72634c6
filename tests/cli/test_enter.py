"""``wirt enter``, and ``wirt exec`` on a terminal: what a person sees there is the guest's."""

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.terminal import Terminal, open_terminal

APPROACHES = ["chroot", "lxc"]
PROMPT = "# "


@pytest.fixture(scope="module")
def running(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a running guest of each approach, called as it."""
    for approach in APPROACHES:
        module_home.wirt("create", "-t", TINY, "-a", approach, approach, status=0)
        module_home.wirt("start", approach, status=0)
    return module_home


def wait_for_size(terminal: Terminal, size: str) -> None:
    """Have the guest wait until its terminal has this size."""
    terminal.type(f'until [ "$(stty size)" = "{size}" ]; do :; done; echo now-$(stty size)\n')
    terminal.expect(f"now-{size}")


@pytest.mark.parametrize("approach", APPROACHES)
def test_command_on_a_terminal_has_one_of_its_size(running: HomeUnderTest, approach: str) -> None:
    with open_terminal(
        running, "exec", approach, "--", "sh", "-c", "test -t 0 && stty size"
    ) as terminal:
        terminal.expect("30 90")

        assert terminal.end() == 0


@pytest.mark.parametrize("approach", APPROACHES)
def test_resize_of_the_terminal_passes_through(running: HomeUnderTest, approach: str) -> None:
    with open_terminal(running, "enter", approach) as terminal:
        terminal.expect(PROMPT)  # what is typed before is lost: lxc-attach begins with no input
        wait_for_size(terminal, "30 90")
        terminal.resize(50, 132)
        wait_for_size(terminal, "50 132")
        terminal.type("exit 7\n")

        assert terminal.end() == 7


@pytest.mark.parametrize("approach", APPROACHES)
def test_enter_is_a_login_shell_at_home(running: HomeUnderTest, approach: str) -> None:
    with open_terminal(running, "enter", approach) as terminal:
        terminal.expect(PROMPT)  # what is typed before is lost: lxc-attach begins with no input
        terminal.type("echo $0 $PWD $HOME $USER $SHELL.\n")
        terminal.expect("/root /root root /bin/sh.")
        terminal.expect(PROMPT)
        terminal.type("\x04")  # Ctrl-D

        assert terminal.end() == 0


@pytest.mark.parametrize("approach", APPROACHES)
def test_ctrl_c_is_for_what_runs_in_the_guest(running: HomeUnderTest, approach: str) -> None:
    with open_terminal(running, "enter", approach) as terminal:
        terminal.expect(PROMPT)  # what is typed before is lost: lxc-attach begins with no input
        # What says that it is ready is in the foreground by then, and the shell waits for it.
        terminal.type("sh -c 'echo ready-$((1 + 1)); exec sleep 1000'\n")
        terminal.expect("ready-2")
        terminal.type("\x03")
        terminal.type("echo went-$((1 + 2))\n")
        terminal.expect("went-3")
        terminal.type("exit\n")

        assert terminal.end() in (0, 130)


def test_terminal_of_a_container_is_not_the_nodes(running: HomeUnderTest) -> None:
    with open_terminal(running, "exec", "lxc", "--", "sh", "-c", "ls -1 /dev/pts; echo .") as one:
        one.expect("0")
        one.expect("ptmx")
        one.expect(".")

        assert one.end() == 0


def test_enter_without_a_terminal_says_what_to_do(running: HomeUnderTest) -> None:
    done = running.wirt("enter", "lxc", status=125)

    assert done.stderr == (
        "wirt: enter wants a terminal; to run a command: wirt exec lxc -- COMMAND\n"
    )


def test_enter_of_a_stopped_guest_is_refused(running: HomeUnderTest) -> None:
    running.wirt("create", "-t", TINY, "off", status=0)
    with open_terminal(running, "enter", "off") as terminal:
        terminal.expect("wirt: guest off is not running; start it first")

        assert terminal.end() == 125
