"""Disks on the pool ``image`` that grow under running guests. Run in the lab: the kernel asks for CAP_SYS_RESOURCE."""

from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.crash import nodes
from tests.crash.nodes import LxcNode, must
from tests.crash.test_kill_at_trace_points import KILLED
from tests.crash.test_set import points_of, sizes
from tests.homes import HomeUnderTest

from wirt.ops.journal import KILL_VARIABLE
from wirt.units import MIB

GROW = ["set", "web", "--disk", "160M"]
FILL = "dd if=/dev/zero of=/root/filler bs=1M count=100 conv=fsync"
CREATE = ["create", "-t", TINY, "--pool", "image", "--disk", "64M", "web"]


@pytest.mark.parametrize("approach", ["lxc", "chroot"])
def test_guest_has_the_larger_disk_at_once_and_after_a_restart(
    home: HomeUnderTest, approach: str
) -> None:
    home.wirt(*CREATE, "-a", approach, status=0)
    home.wirt("start", "web", status=0)
    before = home.wirt("exec", "web", "sh", "-c", FILL)
    said = home.wirt(*GROW, status=0).stdout
    home.wirt("exec", "web", "sh", "-c", FILL, status=0)
    home.wirt("restart", "--force", "web", status=0)
    kept = home.wirt("exec", "web", "stat", "-c", "%s", "/root/filler", status=0).stdout

    assert "No space left on device" in before.stderr
    assert said == "guest web has a disk of 160 MiB now\n"
    assert kept == f"{100 * MIB}\n"
    assert home.guests()[0].limits.disk == 160 * MIB


def test_growth_killed_at_any_point_leaves_what_is_kept_and_the_disk_the_same(
    tiny_templates: Path, tmp_path: Path
) -> None:
    with nodes.open_node("lxc-image", tiny_templates) as node:
        assert isinstance(node, LxcNode)

        must(node, "create", "-t", TINY, "--disk", "64M", "web")
        must(node, "start", "web")
        size = 80
        points = points_of(node, tmp_path / "points", "set", "web", "--disk", f"{size}M")
        problems = []
        for point in points:
            larger = ["set", "web", "--disk", f"{size + 16}M"]
            status = node.run(*larger, environment={KILL_VARIABLE: point})
            must(node, "list")
            # What has grown cannot be made smaller while it is mounted, so it is kept.
            if points.index(point) >= points.index("resize:after:disk"):
                size += 16
            if (status, sizes(node)) != (KILLED, (size * MIB, size * MIB)):
                problems.append(f"{point}: ended {status}, {sizes(node)}, not {size} MiB")

    assert problems == []
    assert len(points) >= 6
