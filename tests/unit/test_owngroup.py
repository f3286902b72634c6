"""What the control groups of this process allow it, read from trees as kernels write them."""

from pathlib import Path

import pytest

from wirt.host.kerneltree import KernelTree
from wirt.host.owngroup import OwnLimits, Throttling, probe_limits, probe_throttling

V2 = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = (
    "31 1 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 1 0:28 / /cg/memory rw - cgroup cgroup rw,memory\n"
    "33 1 0:29 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
)


def tree(root: Path, mounts: str, own: str, files: dict[str, str]) -> KernelTree:
    for path, text in {
        "/proc/self/mountinfo": mounts,
        "/proc/self/cgroup": own,
        **files,
    }.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return KernelTree(root)


@pytest.fixture
def v2(tmp_path: Path) -> KernelTree:
    top = "/sys/fs/cgroup"
    files = {
        f"{top}/cpu.stat": "usage_usec 5\n",
        f"{top}/a.slice/cpu.max": "150000 100000\n",
        f"{top}/a.slice/cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_usec 250000\n",
        f"{top}/a.slice/memory.max": "1073741824\n",
        f"{top}/a.slice/b/cpu.max": "max 100000\n",
        f"{top}/a.slice/b/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
        f"{top}/a.slice/b/memory.max": "max\n",
        f"{top}/a.slice/b/cpuset.cpus.effective": "0-1\n",
        f"{top}/cpuset.cpus.effective": "0-3\n",
    }
    return tree(tmp_path, V2, "0::/a.slice/b\n", files)


@pytest.fixture
def v1(tmp_path: Path) -> KernelTree:
    files = {
        "/cg/cpu/job/cpu.cfs_quota_us": "50000\n",
        "/cg/cpu/job/cpu.cfs_period_us": "100000\n",
        "/cg/cpu/job/cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 1500000000\n",
        "/cg/cpu/cpu.cfs_quota_us": "-1\n",
        "/cg/cpu/cpu.cfs_period_us": "100000\n",
        "/cg/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/cg/memory/job/memory.limit_in_bytes": "536870912\n",
        "/cg/cpuset/cpuset.effective_cpus": "0-7\n",
    }
    own = "4:cpu,cpuacct:/job\n3:memory:/job\n2:cpuset:/\n0::/\n"
    return tree(tmp_path, V1, own, files)


def test_limits_of_version_2_are_the_smallest_on_the_way_up(v2: KernelTree) -> None:
    assert probe_limits(v2) == OwnLimits(cpus=1.5, cpuset="0-1", memory=1 << 30)


def test_limits_of_version_1_are_read_in_each_tree(v1: KernelTree) -> None:
    assert probe_limits(v1) == OwnLimits(cpus=0.5, cpuset="0-7", memory=512 << 20)


def test_throttling_is_summed_over_the_groups_above(v2: KernelTree) -> None:
    assert probe_throttling(v2) == Throttling(times=3, seconds=0.25)


def test_throttling_of_version_1_is_counted_in_nanoseconds(v1: KernelTree) -> None:
    assert probe_throttling(v1) == Throttling(times=2, seconds=1.5)


def test_process_in_no_group_has_no_limits_and_nothing_counted(tmp_path: Path) -> None:
    bare = tree(tmp_path, "", "", {})

    assert probe_limits(bare) == OwnLimits()
    assert probe_throttling(bare) is None


def test_container_that_sees_its_own_part_of_the_tree_finds_its_group(tmp_path: Path) -> None:
    mounts = "30 1 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    files = {"/sys/fs/cgroup/in/cpu.max": "200000 100000\n"}

    assert probe_limits(tree(tmp_path, mounts, "0::/box/in\n", files)).cpus == 2.0
