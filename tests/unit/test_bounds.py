"""What is written to control groups: the files of either version, and what they mean."""

import pytest

from wirt.host.bounds import (
    CONTROLLERS,
    Bandwidth,
    Setting,
    build_bounds,
    build_cpu_bounds,
    build_shares,
)
from wirt.units import MIB, UNBOUNDED


def on(version: int) -> dict[str, int]:
    """Return the versions of a node whose controllers are all in one tree."""
    return dict.fromkeys(CONTROLLERS, version)


def written(settings: list[Setting]) -> dict[str, str]:
    return {setting.file: setting.value for setting in settings}


def test_bounds_on_a_node_without_a_controller_leave_its_own_out() -> None:
    found = build_bounds({"memory": 2}, memory=256 * MIB, cpus=2, processes=100, cpu_pin=(0,))

    assert [setting.file for setting in found] == ["memory.max"]


@pytest.mark.parametrize("version", [1, 2])
def test_group_is_bound_to_processors_only_if_some_are_named(version: int) -> None:
    plain = build_bounds(on(version), memory=256 * MIB, cpus=2, processes=100)
    pinned = build_bounds(on(version), memory=256 * MIB, cpus=2, processes=100, cpu_pin=(0, 2, 3))

    assert "cpuset.cpus" not in written(plain)
    assert written(pinned) == {**written(plain), "cpuset.cpus": "0,2,3"}


@pytest.mark.parametrize(
    ("weight", "shares"),
    [(1, "10"), (100, "1024"), (300, "3072"), (10_000, "102400")],
)
def test_weight_is_in_both_versions_what_the_kernel_takes_it_for(weight: int, shares: str) -> None:
    assert written(build_shares(on(1), cpu_weight=weight)) == {"cpu.shares": shares}
    assert written(build_shares(on(2), cpu_weight=weight)) == {"cpu.weight": str(weight)}


@pytest.mark.parametrize(
    ("swap", "first", "second"),
    [
        (None, ["memory.limit_in_bytes=67108864"], ["memory.max=67108864"]),
        (
            0,
            [
                "memory.memsw.limit_in_bytes=-1",
                "memory.limit_in_bytes=67108864",
                "memory.memsw.limit_in_bytes=67108864",
            ],
            ["memory.max=67108864", "memory.swap.max=0"],
        ),
        (
            16 * MIB,
            [
                "memory.memsw.limit_in_bytes=-1",
                "memory.limit_in_bytes=67108864",
                "memory.memsw.limit_in_bytes=83886080",
            ],
            ["memory.max=67108864", "memory.swap.max=16777216"],
        ),
        (
            UNBOUNDED,
            ["memory.memsw.limit_in_bytes=-1", "memory.limit_in_bytes=67108864"],
            ["memory.max=67108864", "memory.swap.max=max"],
        ),
    ],
)
def test_swap_is_bounded_without_memory_ever_exceeding_memory_and_swap(
    swap: int | None, first: list[str], second: list[str]
) -> None:
    for version, wanted in ((1, first), (2, second)):
        found = build_bounds({"memory": version}, memory=64 * MIB, cpus=1, processes=100, swap=swap)

        assert [f"{setting.file}={setting.value}" for setting in found] == wanted


def test_guarantee_is_given_to_both_groups_in_version_2_and_taken_back_with_none() -> None:
    inner = build_bounds(on(2), memory=64 * MIB, cpus=1, processes=100, memory_guarantee=MIB)

    assert written(inner)["memory.low"] == str(MIB)
    assert written(build_shares(on(2), memory_guarantee=MIB)) == {"memory.low": str(MIB)}
    assert written(build_shares(on(1), memory_guarantee=MIB)) == {
        "memory.soft_limit_in_bytes": str(MIB)
    }
    assert written(build_shares(on(1), memory_guarantee=0)) == {"memory.soft_limit_in_bytes": "-1"}
    assert written(build_shares(on(2), memory_guarantee=0)) == {"memory.low": "0"}
    assert build_shares(on(1)) == []


@pytest.mark.parametrize(("cpus", "quota"), [(2.0, 200_000), (0.2, 20_000), (0.01, 1000)])
def test_processors_are_bounded_by_parts_of_one(cpus: float, quota: int) -> None:
    old = build_bounds({"cpu": 1}, memory=64 * MIB, cpus=cpus, processes=100)
    new = build_bounds({"cpu": 2}, memory=64 * MIB, cpus=cpus, processes=100)

    assert [setting.value for setting in old] == ["100000", str(quota)]
    assert [setting.value for setting in new] == [f"{quota} 100000"]


def test_engine_without_a_limit_has_all_the_time_that_it_can_take() -> None:
    old = build_cpu_bounds(on(1), cpus=None, cpu_pin=(0, 1))
    new = build_cpu_bounds(on(2), cpus=0.5, cpu_pin=(1,))

    assert written(old) == {
        "cpuset.cpus": "0,1",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "-1",
    }
    assert written(new) == {"cpuset.cpus": "1", "cpu.max": "50000 100000"}


def test_bandwidth_is_bounded_on_every_disk_and_given_back() -> None:
    bandwidth = Bandwidth(disks=["254:0", "7:1"], read=2 * MIB, write=UNBOUNDED, writes=100)
    found = {
        version: [
            f"{setting.file}={setting.value}"
            for setting in build_bounds(
                {"blkio" if version == 1 else "io": version},
                memory=64 * MIB,
                cpus=1,
                processes=100,
                bandwidth=bandwidth,
            )
        ]
        for version in (1, 2)
    }

    assert found == {
        1: [
            "blkio.throttle.read_bps_device=254:0 2097152",
            "blkio.throttle.write_bps_device=254:0 0",
            "blkio.throttle.read_iops_device=254:0 0",
            "blkio.throttle.write_iops_device=254:0 100",
            "blkio.throttle.read_bps_device=7:1 2097152",
            "blkio.throttle.write_bps_device=7:1 0",
            "blkio.throttle.read_iops_device=7:1 0",
            "blkio.throttle.write_iops_device=7:1 100",
        ],
        2: [
            "io.max=254:0 rbps=2097152 wbps=max riops=max wiops=100",
            "io.max=7:1 rbps=2097152 wbps=max riops=max wiops=100",
        ],
    }


def test_weight_of_a_disk_is_written_to_whatever_file_the_kernel_has_for_it() -> None:
    old, new = (build_shares(on(version), io_weight=300) for version in (1, 2))

    assert written(old) == {"blkio.bfq.weight": "300"}
    assert written(new) == {"io.bfq.weight": "300", "io.weight": "300"}
    assert all(setting.is_optional for setting in (*old, *new))
