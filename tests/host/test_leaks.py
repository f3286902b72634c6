"""The leak detector must see each kind of thing appear and go, or the crash tests prove nothing."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.leaks import World, snapshot_world

from wirt.host.cgroup import Cgroup


@pytest.fixture
def tag() -> str:
    return f"wlk{secrets.token_hex(3)}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give a stack of clean-ups that runs even if the test fails."""
    with ExitStack() as stack:
        yield stack


def check(*argv: str | Path) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_difference_of_the_same_world_is_empty(tmp_path: Path, tag: str) -> None:
    before = snapshot_world(tag, homes=[tmp_path])

    assert snapshot_world(tag, homes=[tmp_path]).difference(before) == []


def test_difference_with_a_mount_names_it_until_it_is_unmounted(
    tmp_path: Path, stack: ExitStack
) -> None:
    before = snapshot_world("no-such-tag", homes=[tmp_path])
    check("mount", "-t", "tmpfs", "none", tmp_path)
    stack.callback(check, "umount", tmp_path)

    with_mount = snapshot_world("no-such-tag", homes=[tmp_path]).difference(before)
    stack.close()

    assert with_mount == [f"mounts: {tmp_path} (tmpfs of none) #1 was left"]
    assert snapshot_world("no-such-tag", homes=[tmp_path]).difference(before) == []


def test_difference_with_a_second_mount_of_the_same_counts_it(
    tmp_path: Path, stack: ExitStack
) -> None:
    for _ in range(2):
        check("mount", "-t", "tmpfs", "none", tmp_path)
        stack.callback(check, "umount", tmp_path)
    both = snapshot_world("no-such-tag", homes=[tmp_path])
    stack.close()

    gone = snapshot_world("no-such-tag", homes=[tmp_path]).difference(both)

    assert gone == [
        f"mounts: {tmp_path} (tmpfs of none) #1 is gone",
        f"mounts: {tmp_path} (tmpfs of none) #2 is gone",
    ]


def test_difference_with_a_cgroup_names_it_in_every_hierarchy(tag: str, stack: ExitStack) -> None:
    before = snapshot_world(tag)
    group = Cgroup(tag)
    stack.callback(group.remove)
    group.ensure()

    lines = snapshot_world(tag).difference(before)

    assert len(lines) == len(group.hierarchies)
    assert all(line.startswith("cgroups: /sys/fs/cgroup") and tag in line for line in lines)


def test_difference_with_an_interface_names_it(tag: str, stack: ExitStack) -> None:
    before = snapshot_world(tag)
    check("ip", "link", "add", tag, "type", "bridge")
    stack.callback(check, "ip", "link", "delete", tag)

    assert snapshot_world(tag).difference(before) == [f"interfaces: {tag} was left"]


def test_difference_with_a_packet_filter_table_names_it(tag: str, stack: ExitStack) -> None:
    before = snapshot_world(tag)
    check("nft", "add", "table", "inet", tag)
    stack.callback(check, "nft", "delete", "table", "inet", tag)

    assert snapshot_world(tag).difference(before) == [f"tables: table inet {tag} was left"]


def test_difference_with_a_loop_device_names_it(tmp_path: Path, tag: str, stack: ExitStack) -> None:
    image = tmp_path / tag
    image.write_bytes(bytes(1024**2))
    before = snapshot_world(tag)
    device = check("losetup", "--find", "--show", image)
    stack.callback(check, "losetup", "--detach", device)

    assert snapshot_world(tag).difference(before) == [
        f"loops: {Path(device).name} of {image} was left"
    ]


def test_difference_with_a_process_names_it_until_it_ends(tag: str) -> None:
    before = snapshot_world(tag)
    with subprocess.Popen(["sh", "-c", f"read go # {tag}"], stdin=subprocess.PIPE) as started:
        lines = snapshot_world(tag).difference(before)

    assert len(lines) == 1
    assert lines[0].startswith(f"processes: {started.pid} sh -c read go # {tag} (started at tick")
    assert snapshot_world(tag).difference(before) == []


def test_difference_with_a_file_below_a_home_names_it(tmp_path: Path, tag: str) -> None:
    before = snapshot_world(tag, homes=[tmp_path])
    (tmp_path / "guests").mkdir()
    (tmp_path / "guests" / "half").touch()

    assert snapshot_world(tag, homes=[tmp_path]).difference(before) == [
        f"files: {tmp_path}/guests was left",
        f"files: {tmp_path}/guests/half was left",
    ]


def test_snapshot_without_a_tag_sees_the_whole_node() -> None:
    world = snapshot_world()

    assert isinstance(world, World)
    assert "lo" in world.interfaces
    assert any(mount.startswith("/proc ") for mount in world.mounts)
