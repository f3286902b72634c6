"""A change of a guest that is killed at any point: what is kept of its limits and what its root has are the same."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests import containers
from tests.conftest import TINY
from tests.containers import kernel_says
from tests.crash import nodes
from tests.crash.nodes import LxcNode, must
from tests.crash.test_kill_at_trace_points import KILLED

from wirt.host import affinity, btrfs
from wirt.ops.journal import KILL_VARIABLE, TRACE_VARIABLE
from wirt.storage.loopdisk import DISK
from wirt.units import MIB, UNBOUNDED, render_cpus

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
        layers = [
            path.name
            for path in directory.rglob("*.*")
            # A file of the guest's own is none.
            if path.name not in (DISK, "modules.dep")
        ]
        found = (status, sizes(node), bool(guest.snapshots), (directory / "snapshots").exists())
        if (*found, layers) != (KILLED, (wanted, wanted), not done, not done, []):
            problems.append(f"{point}: {found}")

    assert problems == []
    assert len(points) >= 10


class Held(NamedTuple):
    """What a container is held to."""

    memory: int
    cpu_weight: int
    cpu_pin: str
    swap: int | None
    memory_guarantee: int
    io_write: int | None


def kept(node: LxcNode) -> Held:
    """Return what the guest is said to be held to."""
    limits = node.home.guests()[0].limits
    return Held(
        memory=limits.memory,
        cpu_weight=limits.cpu_weight,
        cpu_pin=render_cpus(limits.cpu_pin or affinity.usable()),
        swap=None if limits.swap == UNBOUNDED else limits.swap,
        memory_guarantee=limits.memory_guarantee,
        io_write=None if limits.io_write == UNBOUNDED else limits.io_write,
    )


def held(node: LxcNode) -> Held:
    """Return what the kernel holds the container to."""
    memory = kernel_says(node.home, "memory", "memory.limit_in_bytes", "memory.max")
    return Held(
        memory=int(memory),
        cpu_weight=containers.cpu_weight(node.home),
        cpu_pin=containers.cpu_pin(node.home),
        swap=containers.swap(node.home),
        memory_guarantee=containers.memory_guarantee(node.home),
        io_write=containers.io_write(node.home),
    )


def options(limits: Held) -> list[str]:
    """Return what to type to hold a guest to limits."""
    values = {
        name: "unlimited" if value is None else value for name, value in limits._asdict().items()
    }
    return [
        part
        for name, value in values.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def test_limits_of_a_container_killed_at_any_point_are_kept_and_the_kernels_alike(
    tiny_templates: Path, tmp_path: Path
) -> None:
    cpus = affinity.usable()
    before = Held(64 * MIB, 100, render_cpus(cpus), None, 0, None)
    after = Held(96 * MIB, 300, str(cpus[0]), 0, 32 * MIB, 2 * MIB)
    change = ["set", "web", *options(after)]
    problems = []
    with nodes.open_node("lxc", tiny_templates) as node:
        assert isinstance(node, LxcNode)
        must(node, "create", "-t", TINY, "web")
        must(node, "start", "web")
        points = points_of(node, tmp_path / "points", *change)
        for point in points:
            must(node, "set", "web", *options(before))
            status = node.run(*change, environment={KILL_VARIABLE: point})
            must(node, "list")
            wanted = before if point.endswith(":before-intent") else after
            if (status, kept(node), held(node)) != (KILLED, wanted, wanted):
                problems.append(f"{point}: ended {status}, kept {kept(node)}, held {held(node)}")

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


def test_rates_killed_at_any_point_are_kept_and_the_cards_alike(
    tiny_templates: Path, tmp_path: Path
) -> None:
    change, back = (["set", "web", "--rate-out", rate] for rate in ("2mbit", "unlimited"))
    problems = []
    with nodes.open_node("lxc", tiny_templates) as node:
        assert isinstance(node, LxcNode)
        must(node, "create", "-t", TINY, "web")
        must(node, "start", "web")
        card = f"w{node.home.home.tag}{node.home.guests()[0].id}"
        points = points_of(node, tmp_path / "points", *change)
        for point in points:
            must(node, *back)
            status = node.run(*change, environment={KILL_VARIABLE: point})
            must(node, "list")
            is_before = point.endswith(":before-intent")
            kept = node.home.guests()[0].rates.outward
            asked = ["nft", "list", "table", "netdev", card]
            table = subprocess.run(asked, capture_output=True, text=True).stdout
            wanted = (None, False) if is_before else (2_000_000, True)
            if (status, (kept, "rate over 250" in table)) != (KILLED, wanted):
                problems.append(f"{point}: ended {status}, kept {kept}, {table}")
        # The table does not go with the card: it has to be taken away.
        must(node, *change)
        for point in points_of(node, tmp_path / "points", "stop", "--force", "web"):
            node.run("start", "web")
            node.run("stop", "--force", "web", environment={KILL_VARIABLE: point})
            must(node, "list")
            left = any(card in table for table in node.home.world().tables if "netdev" in table)
            if left == (not point.endswith(":before-intent")):
                problems.append(f"{point}: {'left' if left else 'lost'} the table")

    assert problems == []
    assert len(points) >= 6
