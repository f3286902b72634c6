"""Making and removing pools, killed at any point: after the next command the node is as before, or as after."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.crash.nodes import LxcNode, must

from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

REMOVE = ["pool", "remove", "fast"]


@pytest.fixture(scope="module")
def node(tiny_templates: Path) -> Iterator[LxcNode]:
    with homes.open_home(tiny_templates) as home:
        # In the home, so that it belongs to the world that is looked at.
        Path(home.home.data, "elsewhere").mkdir()
        yield LxcNode(home)


@pytest.mark.parametrize("kind", ["btrfs", "directory"])
def test_pool_command_killed_at_any_point_leaves_before_or_after(
    node: LxcNode, kind: str, tmp_path: Path
) -> None:
    place = f"{node.home.home.data}/elsewhere"
    where = ["--size", "256M"] if kind == "btrfs" else ["--kind", kind, "--path", place]
    create = ["pool", "create", "fast", *where]
    must(node, *create)
    must(node, *REMOVE)
    without = node.world()
    must(node, *create)
    there = node.world()
    must(node, *REMOVE)
    problems, counts = [], []
    for command, other, before, after in (
        (create, REMOVE, without, there),
        (REMOVE, create, there, without),
    ):
        trace = tmp_path / command[1]
        if node.world() != before:
            must(node, *other)
        assert node.run(*command, environment={TRACE_VARIABLE: str(trace)}) == 0
        points = list(dict.fromkeys(trace.read_text().split()))
        counts.append(len(points))
        for point in points:
            if node.world() != before:
                must(node, *other)
            status = node.run(*command, environment={KILL_VARIABLE: point})
            must(node, "list")
            # What is half made is taken away, and so is what is half taken away.
            done = point.endswith(":after-settle") or (
                command == REMOVE and not point.endswith(":before-intent")
            )
            left = node.world().difference(after if done else before)
            problems += [f"{point}: {line}" for line in left]
            problems += [] if status == -signal.SIGKILL else [f"{point}: ended {status}"]
    if node.world() != without:
        must(node, *REMOVE)

    assert problems == []
    assert min(counts) >= 6
