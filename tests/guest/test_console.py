"""The console of a guest with a kernel of its own: from the first word, by several at once, until the end.

Under QEMU it is the same pipe and the same log: test_qemu.py types at it.
"""

from tests.homes import HomeUnderTest
from tests.terminal import open_terminal

ESCAPE = "\x1d"
SECONDS = 180.0


def test_two_watch_a_guest_from_its_first_word_to_its_last(
    guest_home: HomeUnderTest,
) -> None:
    guest_home.wirt("create", "web", "-a", "uml", "--memory", "256M", status=0)
    with open_terminal(guest_home, "start", "--console", "web") as first:
        first.expect("console of web; Ctrl-] leaves it")
        first.expect("Linux version", seconds=SECONDS)
        first.expect("web login: ", seconds=SECONDS)
        with open_terminal(guest_home, "console", "web") as second:
            second.expect("web login: ")
            first.type("root\r")
            for terminal in (first, second):
                terminal.expect("Password: ")
            second.type("wrong\r")
            for terminal in (first, second):
                terminal.expect("Login incorrect")
            first.type(ESCAPE)
            first.expect("left the console of web")
            status = first.end()
            guest_home.wirt("stop", "web", status=0)
            second.expect("guest web has ended")
            second.end()
    log = guest_home.wirt("console", "web", "--log", status=0).stdout

    assert status == 0
    assert log.index("Linux version") < log.index("web login: ")
