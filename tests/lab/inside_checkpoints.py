"""Checkpoints that rest on each other: run in the lab host, whose kernel marks the pages that a process writes to."""

import json
from pathlib import Path

import pytest
from tests.guest.test_checkpoints import ask, connected, counts, running
from tests.homes import HomeUnderTest

from wirt.units import MIB

__all__ = ["counts", "running"]

pytestmark = pytest.mark.timeout(1500)


def checkpoints_of(home: HomeUnderTest) -> dict[str, int]:
    """Return the bytes of memory of each."""
    said = home.wirt("snapshot", "list", "web", "--json", status=0).stdout
    return {one["name"]: one["memory"] for one in json.loads(said)}


def test_next_checkpoints_hold_what_has_changed_and_each_is_whole_without_the_others(
    running: HomeUnderTest, counts: Path, tmp_path: Path
) -> None:
    file = str(tmp_path / "web.wirt")
    with connected(running, counts, 64) as lines:
        ask(lines)
        running.wirt("checkpoint", "web", "one", "--keep-running", status=0)
        ask(lines)
        running.wirt("checkpoint", "web", "two", "--keep-running", status=0)
        ask(lines)
        running.wirt("checkpoint", "web", "three", status=0)
        sizes = checkpoints_of(running)
        running.wirt("snapshot", "delete", "web", "one", status=0)
        running.wirt("snapshot", "delete", "web", "two", status=0)
        running.wirt("snapshot", "export", "web", "three", file, status=0)
        running.wirt("destroy", "web", status=0)
        running.wirt("snapshot", "import", file, status=0)
        running.wirt("resume", "web", status=0)
        last = ask(lines)

    assert sizes["one"] > 64 * MIB
    assert sizes["two"] < 8 * MIB
    assert sizes["three"] < 8 * MIB
    assert last == b"4 whole\n"


def test_checkpoint_after_a_resume_is_whole(running: HomeUnderTest, counts: Path) -> None:
    with connected(running, counts, 18) as lines:
        ask(lines)
        running.wirt("checkpoint", "web", "one", "--keep-running", status=0)
        running.wirt("checkpoint", "web", "two", status=0)
        running.wirt("resume", "web", status=0)
        running.wirt("checkpoint", "web", "three", "--keep-running", status=0)
        sizes = checkpoints_of(running)
        last = ask(lines)

    assert sizes["two"] < 8 * MIB < 18 * MIB < sizes["three"]
    assert last == b"2 whole\n"
