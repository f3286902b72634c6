"""A stopped guest in which something is done runs meanwhile: whoever is killed then, the next command stops it again."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.crash.nodes import LxcNode, run_forked
from tests.homes import HomeUnderTest

from wirt.dialects.vz.vzctl.main import main as vzctl
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

INSTALL = ["install", "web", "hello"]
NOTHING: Mapping[str, str] = {}
Command = Callable[[HomeUnderTest, Mapping[str, str]], int]


def install(home: HomeUnderTest, environment: Mapping[str, str] = NOTHING) -> int:
    """Install a package. The tiny system has none, so it ends there; the way to it and from it is the same."""
    return LxcNode(home).run(*INSTALL, environment=environment)


def run_script(home: HomeUnderTest, environment: Mapping[str, str] = NOTHING) -> int:
    script = Path(home.base, "script")
    script.write_text("exit 6\n")
    return run_forked(
        lambda: vzctl(["runscript", "web", str(script)]), {**home.environment, **environment}
    )


@pytest.mark.parametrize(("verb", "command"), [("install", install), ("script", run_script)])
def test_killed_at_every_point_it_leaves_a_stopped_guest(
    home: HomeUnderTest, tmp_path: Path, verb: str, command: Command
) -> None:
    node, trace = LxcNode(home), tmp_path / "points"
    home.wirt("create", "-t", TINY, "web", status=0)
    ended = command(home, {})
    before = node.world()
    command(home, {TRACE_VARIABLE: str(trace)})
    points = list(dict.fromkeys(trace.read_text().split()))
    problems = []
    for point in points:
        killed = command(home, {KILL_VARIABLE: point})
        problems += [point] if killed != -9 else []
        problems += [point] if [guest.state for guest in home.guests()] != ["stopped"] else []
        problems += [f"{point}: {line}" for line in node.world().difference(before)]

    assert ended == 6
    assert problems == []
    assert {f"{verb}:after:engine", f"{verb}:running"} <= set(points)


def test_install_says_what_it_does_and_why_it_cannot(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    refused = home.wirt(*INSTALL, status=6)

    assert refused.stderr.splitlines() == [
        "starting web",
        "wirt: guest web has no packages of dpkg; its own package manager is reached by wirt exec",
    ]


def test_install_in_a_frozen_guest_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("freeze", "web", status=0)
    done = home.wirt(*INSTALL, status=5)

    assert done.stderr == "wirt: guest web is frozen; thaw it first\n"
