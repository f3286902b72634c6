"""``wirt compare`` has guests go to a second home: whatever becomes of the command, nothing of either home is left."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.leaks import World, snapshot_world

LIVES = ("compare", "-t", TINY, "--suite", "lifecycle", "-a", "lxc", "--blocks", "1")
SECONDS = 60.0


def left_of(home: HomeUnderTest) -> list[str]:
    """Return what there is of a home, and of the second one that it may have had."""
    tag = home.home.second.tag
    second = snapshot_world(f"w{tag}", f"wirt-{tag}").difference(World.empty())
    own = home.world().difference(World.empty())
    memory = [f"memory: {path}" for path in Path("/dev/shm").glob(f"wirt-w{tag}-*")]
    return [line for line in own if not line.startswith("files:")] + second + memory


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_nothing_left(home: HomeUnderTest) -> bool:
    assert home.guests() == []
    assert home.wirt("node", "list", "--json", status=0).stdout.strip() == "[]"
    assert not Path(home.home.second.data).exists()
    assert not Path(home.home.second.run).exists()
    assert left_of(home) == []
    return True


def test_comparison_interrupted_while_a_guest_goes_leaves_nothing(home: HomeUnderTest) -> None:
    process = home.spawn(*LIVES)
    roots = Path(home.home.second.data, "pools")
    try:
        until(lambda: any(roots.glob("*/*")), "no guest came")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "go on with: wirt compare --resume " in said
    assert is_nothing_left(home)


@pytest.mark.parametrize(
    "point", ["migrate:after-receive", "migrate:after-copy", "handover:after-take"]
)
def test_comparison_killed_while_a_guest_goes_is_tidied_up_after_by_the_next_command(
    home: HomeUnderTest, point: str
) -> None:
    process = home.spawn(*LIVES, environment={"WIRT_KILL_AT": point})
    process.communicate(timeout=SECONDS)
    there = Path(home.home.second.data)

    assert process.returncode == -signal.SIGKILL
    assert there.is_dir()
    assert is_nothing_left(home)


def test_guest_that_does_not_come_to_the_second_home_is_a_failure_and_leaves_nothing(
    home: HomeUnderTest,
) -> None:
    process = home.spawn(*LIVES, environment={"WIRT_KILL_AT": "receive:before:engine"})
    _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert "failed: lxc, life: " in said
    assert is_nothing_left(home)
