"""``wirt password`` hands a password to the guest's own program, and to nobody else.

The tiny template has no ``chpasswd``: one is put in that says what it was given. The real one is asked in
tests/guest/test_password.py.
"""

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.terminal import open_terminal

CHPASSWD = 'cat > /run/given; printf "%s\\n" "$#" >> /run/given'


@pytest.fixture(scope="module")
def running(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a running guest, web."""
    module_home.wirt("create", "-t", TINY, "web", status=0)
    module_home.wirt("start", "web", status=0)
    install(module_home, CHPASSWD)
    return module_home


def install(home: HomeUnderTest, script: str) -> None:
    """Give the guest web a program chpasswd."""
    text = f"#!/bin/sh\n{script}\n"
    write = "cat > /usr/sbin/chpasswd; chmod 755 /usr/sbin/chpasswd"
    home.wirt("exec", "web", "--", "sh", "-c", write, stdin=text, status=0)


def given(home: HomeUnderTest) -> str:
    return home.wirt("exec", "web", "--", "cat", "/run/given", status=0).stdout


def test_password_on_standard_input_is_handed_over(running: HomeUnderTest) -> None:
    done = running.wirt("password", "web", stdin="s3cret: x\nmore", status=0)

    assert done.stdout == "password of root in guest web set\n"
    assert given(running) == "root:s3cret: x\n0\n"


def test_password_of_another_user_is_handed_over(running: HomeUnderTest) -> None:
    done = running.wirt("password", "web", "--user", "www-data", stdin="s3cret", status=0)

    assert done.stdout == "password of www-data in guest web set\n"
    assert given(running) == "www-data:s3cret\n0\n"


def test_password_typed_is_asked_twice_and_not_shown(running: HomeUnderTest) -> None:
    with open_terminal(running, "password", "web") as terminal:
        terminal.expect("password: ")
        terminal.type("typed-one\n")
        terminal.expect("again: ")
        terminal.type("typed-one\n")
        status = terminal.end()

    assert (status, "typed-one" in terminal.seen) == (0, False)
    assert given(running) == "root:typed-one\n0\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], "", "the password is empty; give one on standard input"),
        ([], "\n", "the password is empty; give one on standard input"),
        ([], "a\tb\n", "the password cannot be used; give at most 256 printable characters"),
        ([], "a" * 257, "the password cannot be used; give at most 256 printable characters"),
        (
            ["--user", "a:b"],
            "x",
            "'a:b' is no name of a user; a name has a-z, 0-9, '_', '.' and '-', and begins with a letter or '_'",
        ),
    ],
)
def test_password_that_cannot_be_is_refused(
    running: HomeUnderTest, arguments: list[str], stdin: str, message: str
) -> None:
    done = running.wirt("password", "web", *arguments, stdin=stdin, status=2)

    assert done.stderr == f"wirt: {message}\n"


def test_what_the_guest_says_is_told_without_what_drives_a_terminal(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    missing = home.wirt("password", "web", stdin="x", status=10)
    install(home, r"printf '\033[2Jno such user\nmore\n' >&2; exit 1")
    refused = home.wirt("password", "web", stdin="x", status=10)
    home.wirt("freeze", "web", status=0)
    frozen = home.wirt("password", "web", stdin="x", status=5)

    start = "wirt: cannot set the password of root in guest web: "
    assert missing.stderr == f"{start}it has no program chpasswd\n"
    assert refused.stderr == f"{start}[2Jno such user\n"
    assert frozen.stderr == "wirt: guest web is frozen; thaw it first\n"


def test_guest_that_says_much_and_goes_on_fills_nothing_of_the_node(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    install(home, "readlink /proc/self/fd/2; (while echo more; do :; done) & exit 1")
    handed = home.wirt("password", "web", stdin="x", status=10)
    left = home.wirt("exec", "web", "pidof", "chpasswd").stdout

    start = "wirt: cannot set the password of root in guest web: "
    assert handed.stderr.startswith(f"{start}pipe:[")
    assert left == ""

    install(home, "exec yes")
    flooded = home.wirt("password", "web", stdin="x", status=10)

    assert flooded.stderr == f"{start}y\n"


def test_password_of_a_stopped_guest_is_set_while_it_runs_for_that(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    install(home, CHPASSWD.replace("/run/", "/root/"))
    home.wirt("stop", "--force", "web", status=0)
    done = home.wirt("password", "web", stdin="s3cret", status=0)
    states = [guest.state for guest in home.guests()]
    home.wirt("start", "web", status=0)

    assert done.stdout == "password of root in guest web set\n"
    assert states == ["stopped"]
    assert home.wirt("exec", "web", "--", "cat", "/root/given").stdout == "root:s3cret\n0\n"
