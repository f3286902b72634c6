"""A change of a guest that is killed at any point: what is kept of its limits and what its root has are the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.containers import cpu_pin, cpu_weight, kernel_says
from tests.crash import nodes
from tests.crash.nodes import LxcNode, must
from tests.crash.test_kill_at_trace_points import KILLED

from wirt.host import affinity, btrfs
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE
from wirt.storage.loopdisk import DISK
from wirt.units import MIB, render_cpus

SMALL, LARGE = 64 * MIB, 160 * MIB


@pytest.fixture(params=["lxc-btrfs", "lxc-image"])
def node(
    request: pytest.FixtureRequest, tiny_templates: Path, btrfs_templates: Path
) -> Iterator[LxcNode]:
    templates = btrfs_templates if request.param == "lxc-btrfs" else tiny_templates
    with nodes.open_node(request.param, templates) as opened:
        assert isinstance(opened, LxcNode)
        must(opened, "create", "-t", TINY, "--disk", "64M", "web")
        yield opened


def sizes(node: LxcNode) -> tuple[int, int | None]:
    """Return the size that is kept, and the one that the root really has."""
    guest = node.home.guests()[0]
    directory = Path(node.home.home.pool(guest.pool), guest.id)
    if guest.pool == "image":
        assert not (directory / f"{DISK}.new").exists()
        return guest.limits.disk, (directory / DISK).stat().st_size
    return guest.limits.disk, btrfs.read_quota(f"{directory}/layer/volume").limit


def points_of(node: LxcNode, trace: Path, *command: str) -> list[str]:
    trace.unlink(missing_ok=True)
    assert node.run(*command, environment={TRACE_VARIABLE: str(trace)}) == 0
    return list(dict.fromkeys(trace.read_text().split()))


def test_set_killed_at_any_point_leaves_before_or_after(node: LxcNode, tmp_path: Path) -> None:
    change = ["set", "web", "--disk", "160M"]
    points = points_of(node, tmp_path / "points", *change)
    problems = []
    for point in points:
        must(node, "set", "web", "--disk", "64M")
        status = node.run(*change, environment={KILL_VARIABLE: point})
        must(node, "list")
        wanted = LARGE if point.endswith(":after-settle") else SMALL
        if (status, sizes(node)) != (KILLED, (wanted, wanted)):
            problems.append(f"{point}: ended {status}, {sizes(node)}")

    assert problems == []
    assert len(points) >= 6


def test_undo_killed_at_any_point_leaves_before_or_after(node: LxcNode, tmp_path: Path) -> None:
    change = ["set", "web", "--disk", "160M", "--snapshot"]
    must(node, *change)
    points = points_of(node, tmp_path / "points", "undo", "web")
    problems = []
    for point in points:
        if not node.home.guests()[0].snapshots:
            must(node, *change)
        status = node.run("undo", "web", environment={KILL_VARIABLE: point})
        must(node, "list")
        guest = node.home.guests()[0]
        done = point.startswith("switch:") and not point.endswith(":before-intent")
        wanted = SMALL if done else LARGE
        directory = Path(node.home.home.pool(guest.pool), guest.id)
        # Nothing of the root before, nor of one that was prepared.
        layers = [path.name for path in directory.rglob("*.*") if path.name != DISK]
        found = (status, sizes(node), bool(guest.snapshots), (directory / "snapshots").exists())
        if (*found, layers) != (KILLED, (wanted, wanted), not done, not done, []):
            problems.append(f"{point}: {found}")

    assert problems == []
    assert len(points) >= 10


def held_to(node: LxcNode) -> tuple[str, int, str]:
    """Return what the kernel holds the container to."""
    memory = kernel_says(node.home, "memory", "memory.limit_in_bytes", "memory.max")
    return memory, cpu_weight(node.home), cpu_pin(node.home)


def test_limits_of_a_container_killed_at_any_point_are_kept_and_the_kernels_alike(
    tiny_templates: Path, tmp_path: Path
) -> None:
    cpus = affinity.usable()
    change = ["set", "web", "--memory", "96M", "--cpu-weight", "300", "--cpu-pin", str(cpus[0])]
    back = ["set", "web", "--memory", "64M", "--cpu-weight", "100", "--cpu-pin", "all"]
    before, after = (
        (str(64 * MIB), 100, render_cpus(cpus)),
        (str(96 * MIB), 300, str(cpus[0])),
    )
    problems = []
    with nodes.open_node("lxc", tiny_templates) as node:
        assert isinstance(node, LxcNode)
        must(node, "create", "-t", TINY, "web")
        must(node, "start", "web")
        points = points_of(node, tmp_path / "points", *change)
        for point in points:
            must(node, *back)
            status = node.run(*change, environment={KILL_VARIABLE: point})
            must(node, "list")
            wanted = before if point.endswith(":before-intent") else after
            limits = node.home.guests()[0].limits
            kept = str(limits.memory), limits.cpu_weight, render_cpus(limits.cpu_pin or cpus)
            if (status, kept, held_to(node)) != (KILLED, wanted, wanted):
                problems.append(f"{point}: ended {status}, kept {kept}, held to {held_to(node)}")

    assert problems == []
    assert len(points) >= 6


def test_name_servers_killed_at_any_point_are_kept_and_the_guests_alike(
    tiny_templates: Path, tmp_path: Path
) -> None:
    change, back = (["set", "web", "--dns", f"192.0.2.{last}"] for last in (2, 1))
    problems = []
    with nodes.open_node("lxc", tiny_templates) as node:
        assert isinstance(node, LxcNode)
        must(node, "create", "-t", TINY, "web")
        must(node, "start", "web")
        points = points_of(node, tmp_path / "points", *change)
        for point in points:
            must(node, *back)
            status = node.run(*change, environment={KILL_VARIABLE: point})
            must(node, "list")
            wanted = "192.0.2.1" if point.endswith(":before-intent") else "192.0.2.2"
            kept = node.home.guests()[0].naming.dns
            read = node.home.wirt("exec", "web", "--", "cat", "/etc/resolv.conf", status=0).stdout
            if (status, kept, read) != (KILLED, (wanted,), f"nameserver {wanted}\n"):
                problems.append(f"{point}: ended {status}, kept {kept}, the guest has {read}")

    assert problems == []
    assert len(points) >= 6
