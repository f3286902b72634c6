"""A stopped guest that gets packages runs meanwhile: whoever is killed then, it is stopped again by the next command."""

from pathlib import Path

from tests.conftest import TINY
from tests.crash.nodes import LxcNode
from tests.homes import HomeUnderTest

from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

COMMAND = ["install", "web", "hello"]


def test_install_killed_at_every_point_leaves_a_stopped_guest(
    home: HomeUnderTest, tmp_path: Path
) -> None:
    # The tiny system has no packages, so the command ends there; the way to it and from it is the same.
    node, trace = LxcNode(home), tmp_path / "points"
    home.wirt("create", "-t", TINY, "web", status=0)
    refused = home.wirt(*COMMAND, status=6)
    before = node.world()
    node.run(*COMMAND, environment={TRACE_VARIABLE: str(trace)})
    points = list(dict.fromkeys(trace.read_text().split()))
    problems = []
    for point in points:
        killed = node.run(*COMMAND, environment={KILL_VARIABLE: point})
        problems += [point] if killed != -9 else []
        problems += [point] if [guest.state for guest in home.guests()] != ["stopped"] else []
        problems += [f"{point}: {line}" for line in node.world().difference(before)]

    assert refused.stderr.splitlines() == [
        "starting web",
        "wirt: guest web has no packages of dpkg; its own package manager is reached by wirt exec",
    ]
    assert problems == []
    assert {"install:after:engine", "install:running"} <= set(points)


def test_install_in_a_frozen_guest_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("freeze", "web", status=0)
    done = home.wirt(*COMMAND, status=5)

    assert done.stderr == "wirt: guest web is frozen; thaw it first\n"
