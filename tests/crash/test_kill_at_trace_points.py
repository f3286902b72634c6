"""Whatever a command was doing when it was killed: after the next command the node is as before it, or as after it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.conftest import TINY
from tests.crash import nodes
from tests.crash.nodes import LxcNode, Node, must
from tests.leaks import World

from wirt.host import process
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE

KILLED = -signal.SIGKILL


class Case(msgspec.Struct, frozen=True):
    """A command, those that lead to the state it starts from, and those that lead back there."""

    before: list[list[str]]
    command: list[str]
    back: list[list[str]]
    finished_from: str | None = None
    """The point from which it is finished, whatever its later points are called."""
    always_undone: bool = False
    """Whether it is undone until it has settled, though a part of it is finished for that."""


CREATE = ["create", "-t", TINY, "web"]
START = ["start", "web"]
# Started once, a guest has its log: so the worlds before and after are the same in that, too.
END, DESTROY = ["stop", "--force", "web"], ["destroy", "web"]
SET = ["set", "web", "--memory"]
FREEZE, THAW = ["freeze", "web"], ["thaw", "web"]
SNAPSHOT, FORGET = ["snapshot", "create", "web", "one"], ["snapshot", "delete", "web", "one"]
CHANGE, RESTORE = ["exec", "web", "touch", "new"], ["snapshot", "restore", "web", "one"]
MOUNT, UNMOUNT = ["mount", "web"], ["unmount", "web"]
CHECKPOINT, RESUME = ["checkpoint", "web", "one"], ["resume", "web"]
# CRIU works in the guest's /tmp, which is the guest's own from then on: here it is before.
KEPT = [CREATE, START, ["exec", "web", "chmod", "1777", "tmp"], CHECKPOINT]
ONE_FILE = f"/var/tmp/wirt-test-{os.getpid()}.wirt"
EXPORT = ["snapshot", "export", "web", "one", ONE_FILE, "--force"]
IMPORT = ["snapshot", "import", ONE_FILE]
CLONE = ["clone", "web", "other"]
# Of a copy nothing is left but the file, which is there before.
COPY = ["copy", "/etc/hostname", "web:/file"]
CASES = {
    "create": Case([], CREATE, [DESTROY]),
    "start": Case([CREATE, START, END], START, [END]),
    "stop": Case([CREATE, START], ["stop", "web"], [START]),
    "stop-force": Case([CREATE, START], END, [START]),
    "destroy": Case([CREATE], DESTROY, [CREATE]),
    "destroy-force": Case([CREATE, START], ["destroy", "--force", "web"], [CREATE, START]),
    "freeze": Case([CREATE, START], FREEZE, [THAW]),
    "thaw": Case([CREATE, START, FREEZE], THAW, [FREEZE]),
    # Changed once, a guest has what is done when it reboots by itself.
    "set-running": Case(
        [CREATE, START, [*SET, "96M"], [*SET, "512M"]], [*SET, "96M"], [[*SET, "512M"]]
    ),
    "stop-frozen": Case([CREATE, START, FREEZE], END, [START, FREEZE]),
    "clone-running": Case([CREATE, START], CLONE, [["destroy", "other"]]),
    "mount": Case([CREATE, MOUNT, UNMOUNT], MOUNT, [UNMOUNT]),
    "unmount": Case([CREATE, MOUNT], UNMOUNT, [MOUNT]),
    "copy": Case([CREATE, COPY], COPY, []),
    "run": Case([], ["run", "-t", TINY, "true"], []),
    "snapshot-running": Case([CREATE, START], SNAPSHOT, [FORGET]),
    "checkpoint": Case([*KEPT, FORGET, START], CHECKPOINT, [FORGET, START], "suspend:after-intent"),
    "checkpoint-running": Case([*KEPT, FORGET, START], [*CHECKPOINT, "--keep-running"], [FORGET]),
    "checkpoint-delete": Case(KEPT, FORGET, [START, CHECKPOINT]),
    "resume": Case([*KEPT, RESUME, END], RESUME, [END], always_undone=True),
    "import": Case([*KEPT, EXPORT, DESTROY], IMPORT, [DESTROY]),
    "snapshot-delete": Case([CREATE, START, END, SNAPSHOT], FORGET, [SNAPSHOT]),
    "restore-force": Case(
        [CREATE, SNAPSHOT, START, CHANGE], [*RESTORE, "--force"], [START, CHANGE]
    ),
}
UNDONE = frozenset(
    {
        "checkpoint",
        "clone",
        "create",
        "freeze",
        "hold",
        "import",
        "mount",
        "restore",
        "resume",
        "run",
        "snapshot",
        "start",
    }
)
"""What is undone if it is killed; the others are finished."""
ON_BTRFS = [
    "create",
    "clone-running",
    "snapshot-running",
    "snapshot-delete",
    "restore-force",
    "import",
]
"""What is something else there."""
ON_IMAGES = [
    "create",
    "start",
    "stop-force",
    "clone-running",
    "copy",
    "snapshot-running",
    "import",
]
"""The same; going back is part of undo, in test_set.py."""
WITH_DEVICES = Case(
    [CREATE, ["set", "web", "--device", "/dev/full:r", "--rate-out", "1mbit"], START, END],
    START,
    [END],
)
"""A start that makes device files and holds the card to a rate too."""


@pytest.fixture(scope="module", autouse=True)
def file() -> Iterator[None]:
    """Take away what was exported."""
    yield
    Path(ONE_FILE).unlink(missing_ok=True)


@pytest.fixture(scope="module", params=["fake", "lxc"])
def node(request: pytest.FixtureRequest, tiny_templates: Path) -> Iterator[Node]:
    with nodes.open_node(request.param, tiny_templates) as opened:
        yield opened


@pytest.fixture(scope="module")
def node_on_btrfs(btrfs_templates: Path) -> Iterator[Node]:
    with nodes.open_node("lxc-btrfs", btrfs_templates) as opened:
        yield opened


@pytest.fixture(scope="module")
def node_on_images(tiny_templates: Path) -> Iterator[Node]:
    with nodes.open_node("lxc-image", tiny_templates) as opened:
        yield opened


class Scene:
    """A node that is brought into the state before a command, again and again."""

    def __init__(self, node: Node, case: Case, trace: Path) -> None:
        self.node = node
        self.case = case
        self.trace = trace
        # "destroy" of a guest that is not there is an error, and that is fine here.
        for name in ("web", "other"):
            node.run("destroy", "--force", name)
        self._must(case.before)
        self.before = node.world()
        self.points = self.points_of(*case.command)
        self.after = node.world()

    def prepare(self) -> None:
        """Bring the node into the state before the command, the short way if it is in it."""
        if self.node.world() != self.before:
            self._must(self.case.back)
            assert self.node.world().difference(self.before) == []

    def points_of(self, *command: str) -> list[str]:
        """Run a command and return the trace points that it reached, in order, each once."""
        self.trace.unlink(missing_ok=True)
        self.trace.touch()
        status = self.node.run(*command, environment={TRACE_VARIABLE: str(self.trace)})
        assert status == 0, f"{command} ended {status}"
        return list(dict.fromkeys(self.trace.read_text().split()))

    def run_killed(self, point: str, *command: str) -> list[str]:
        status = self.node.run(*command, environment={KILL_VARIABLE: point})
        return [] if status == KILLED else [f"{point}: ended {status} and was not killed"]

    def judge(self, what: str, expected: World) -> list[str]:
        """Return what is wrong after the next command."""
        must(self.node, "list")
        return [f"{what}: {line}" for line in self.node.world().difference(expected)]

    def is_undone(self, point: str) -> bool:
        """Return whether what was begun is undone if the command is killed at a point."""
        if self.case.always_undone:
            return True
        first = self.case.finished_from
        if first is not None and self.points.index(point) >= self.points.index(first):
            return False
        return point.partition(":")[0] in UNDONE

    def problems_if_killed_anywhere(self) -> list[str]:
        """Return what is wrong after the command was killed at each of its points in turn."""
        problems = []
        for point in self.points:
            self.prepare()
            problems += self.run_killed(point, *self.case.command)
            begun = not point.endswith(":before-intent")
            settled = point == self.points[-1]
            done = settled or (begun and not self.is_undone(point))
            problems += self.judge(point, self.after if done else self.before)
        return problems

    def _must(self, commands: list[list[str]]) -> None:
        for command in commands:
            must(self.node, *command)


@pytest.mark.parametrize("verb", CASES)
def test_command_killed_at_every_point_leaves_before_or_after(
    node: Node, verb: str, tmp_path: Path
) -> None:
    scene = Scene(node, CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert len(scene.points) >= 6


@pytest.mark.parametrize("verb", ON_BTRFS)
def test_command_on_btrfs_killed_at_every_point_leaves_before_or_after(
    node_on_btrfs: Node, verb: str, tmp_path: Path
) -> None:
    scene = Scene(node_on_btrfs, CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert len(scene.points) >= 6


@pytest.mark.parametrize("verb", ON_IMAGES)
def test_command_on_images_killed_at_every_point_leaves_before_or_after(
    node_on_images: Node, verb: str, tmp_path: Path
) -> None:
    scene = Scene(node_on_images, CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert len(scene.points) >= 6


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pool", ["node_on_btrfs", "node_on_images"])
# A command that makes a guest for itself alone asks for no pool.
@pytest.mark.parametrize("verb", [verb for verb in CASES if verb != "run"])
def test_every_command_on_both_pools_killed_at_every_point_leaves_before_or_after(
    request: pytest.FixtureRequest, pool: str, verb: str, tmp_path: Path
) -> None:
    scene = Scene(request.getfixturevalue(pool), CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert len(scene.points) >= 6


def test_start_with_devices_killed_at_every_point_leaves_before_or_after(
    node_on_btrfs: Node, tmp_path: Path
) -> None:
    scene = Scene(node_on_btrfs, WITH_DEVICES, tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert "start:after:devices" in scene.points


@pytest.mark.parametrize(
    ("verb", "point"),
    [
        ("create", "create:after:root"),
        ("start", "start:after:engine"),
        ("stop", "stop:after-intent"),
        ("destroy", "destroy:after-undo:engine"),
        ("freeze", "freeze:after:freeze"),
        ("run", "run:after:engine"),
        ("snapshot-running", "snapshot:after:snapshot"),
        ("checkpoint", "checkpoint:before:dump"),
        ("checkpoint", "suspend:after-intent"),
        ("resume", "resume:after:engine"),
        ("restore-force", "switch:after-intent"),
    ],
)
def test_recovery_killed_at_every_point_is_finished_by_the_next(
    node: Node, verb: str, point: str, tmp_path: Path
) -> None:
    scene = Scene(node, CASES[verb], tmp_path / "points")
    expected = scene.before if scene.is_undone(point) else scene.after
    scene.prepare()
    problems = scene.run_killed(point, *scene.case.command)
    recovery = scene.points_of("list")
    for inner in recovery:
        scene.prepare()
        problems += scene.run_killed(point, *scene.case.command)
        problems += scene.run_killed(inner, "list")
        problems += scene.judge(f"{point}, then {inner}", expected)

    assert problems == []
    assert len(recovery) >= 4


def test_burial_killed_at_every_point_is_finished_by_the_next(node: Node, tmp_path: Path) -> None:
    if not isinstance(node, LxcNode):
        return
    scene = Scene(node, CASES["stop-force"], tmp_path / "points")

    def end_engine() -> None:
        handle = node.home.guests()[0].handle
        assert handle is not None
        assert handle.pid is not None
        os.kill(handle.pid, signal.SIGKILL)
        assert process.wait_gone(handle.pid, 10)

    scene.prepare()
    end_engine()
    problems = []
    burial = scene.points_of("list")
    for point in burial:
        scene.prepare()
        end_engine()
        problems += scene.run_killed(point, "list")
        problems += scene.judge(point, scene.after)

    assert problems == []
    assert any(point.startswith("bury:") for point in burial)
