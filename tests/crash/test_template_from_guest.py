"""A guest that becomes a template stands still meanwhile: whoever is killed then, the next command lets it go on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.crash import nodes
from tests.crash.nodes import FakeNode, LxcNode, must
from tests.homes import open_home

from wirt.host.cgroup import Cgroup, find_hierarchies
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

COMMAND = ["template", "from-guest", "web", "made"]


@pytest.fixture(params=["fake", "lxc"])
def node(
    request: pytest.FixtureRequest, tiny_templates: Path, busybox_tar: Path
) -> Iterator[FakeNode | LxcNode]:
    if request.param == "fake":
        with nodes.open_node("fake", tiny_templates) as opened:
            assert isinstance(opened, FakeNode)
            yield opened
    else:
        with open_home() as home:  # with templates of its own: one is made, again and again
            home.wirt("template", "import", str(busybox_tar), TINY, status=0)
            node = LxcNode(home)
            nodes.warm_up(node)
            yield node


def is_frozen(node: FakeNode | LxcNode) -> bool:
    """Ask the kernel, and not Wirt, which would let the guest go on."""
    if isinstance(node, FakeNode):
        return any(path.endswith("/frozen") for path in node.world().files)
    tag = f"w{node.home.home.tag}-"
    names = {name for tree in find_hierarchies() for name in os.listdir(tree.path)}
    return any(Cgroup(name).is_freezing() for name in names if name.startswith(tag))


def test_guest_that_becomes_a_template_goes_on_wherever_it_is_killed(
    node: FakeNode | LxcNode, tmp_path: Path
) -> None:
    trace = tmp_path / "points"
    must(node, "create", "-t", TINY, "web")
    must(node, "start", "web")
    status = node.run(*COMMAND, environment={TRACE_VARIABLE: str(trace)})
    points = list(dict.fromkeys(trace.read_text().split()))
    node.run("template", "remove", "made")
    before = node.world()
    problems, frozen = [], []
    for point in points:
        killed = node.run(*COMMAND, environment={KILL_VARIABLE: point})
        frozen += [point] if is_frozen(node) else []
        must(node, "list")
        problems += [point] if killed != -9 or is_frozen(node) else []
        # It is there if the command was killed late; whether it is whole is the cache's own test.
        node.run("template", "remove", "made")
        problems += [f"{point}: {line}" for line in node.world().difference(before)]

    assert status == 0
    assert problems == []
    assert {"template:after:freeze", "template:looking"} <= set(frozen)
    assert "template:after-settle" not in frozen
