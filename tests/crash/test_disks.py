"""A command that changes a guest's further disks, killed at every point, on a node of files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.crash import nodes, test_kill_at_trace_points
from tests.crash.nodes import Node
from tests.crash.test_kill_at_trace_points import CREATE, END, START, Case, Scene

ADD, REMOVE = ["disk", "add", "web", "data"], ["disk", "remove", "web", "data"]
STOPPED = [CREATE, START, END]
CASES = {
    "add": Case(STOPPED, ADD, [REMOVE]),
    "add-running": Case([CREATE, START], ADD, [REMOVE], "attach:after:plug"),
    "remove": Case([*STOPPED, ADD], REMOVE, [ADD], "detach:after-intent"),
    "remove-running": Case([CREATE, START, ADD], REMOVE, [ADD], "detach:after:plug"),
    "start": Case([*STOPPED, ADD], START, [END]),
    "destroy-force": Case(
        [CREATE, START, ADD], ["destroy", "--force", "web"], [CREATE, START, ADD]
    ),
}


@pytest.fixture(scope="module")
def node(tiny_templates: Path) -> Iterator[Node]:
    with nodes.open_node("fake", tiny_templates) as opened:
        yield opened


@pytest.mark.parametrize("verb", CASES)
def test_change_of_disks_killed_at_every_point_leaves_before_or_after(
    node: Node, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undone = test_kill_at_trace_points.UNDONE | {"attach", "detach"}
    monkeypatch.setattr(test_kill_at_trace_points, "UNDONE", undone)
    scene = Scene(node, CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert scene.before != scene.after
    assert len(scene.points) >= 5


def test_growing_killed_at_every_point_is_finished(node: Node, tmp_path: Path) -> None:
    before = [*STOPPED, ADD]
    scene = Scene(node, Case(before, ["disk", "grow", "web", "data"], []), tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert [point.partition(":")[0] for point in scene.points] == ["grow"] * 6
