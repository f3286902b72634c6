"""``wirt wait``, and what Wirt sees of a guest that ends or restarts from inside."""

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host import process


def test_guest_that_powers_off_from_inside_is_stopped_and_tidied_up(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("stop", "web", status=0)
    stopped = home.world()
    home.wirt("start", "web", status=0)
    handle = home.guests()[0].handle
    assert handle is not None
    assert handle.pid is not None
    home.wirt("exec", "web", "--", "kill", "-37", "1")
    gone = process.wait_gone(handle.pid, 10)
    listed = home.wirt("list", status=0).stdout.splitlines()[1]

    assert gone
    assert listed.split()[1] == "stopped"
    assert home.world().difference(stopped) == []
    home.wirt("start", "web", status=0)


def test_wait_says_when_a_running_guest_is_ready(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    stopped = home.wirt("wait", "web", status=5)
    home.wirt("start", "--no-wait", "web", status=0)
    ready = home.wirt("wait", "web", status=0)

    assert stopped.stderr == "wirt: guest web is not running; start it first\n"
    assert ready.stdout == "guest web is ready\n"


@pytest.mark.parametrize("verb", ["wait", "enter", "password"])
def test_guest_that_is_not_there_is_not_found(home: HomeUnderTest, verb: str) -> None:
    done = home.wirt(verb, "nemo", stdin="x")

    assert done.returncode == (125 if verb == "enter" else 3)
