"""What a run will do: the profiles, the cells made from them, and the order of a block."""

from collections import Counter
from itertools import groupby
from typing import Any

import pytest

from wirt.bench.plan import PROFILES, build_cells, is_wanted, order_block
from wirt.bench.sample import Planned
from wirt.bench.workloads import INDEX_4_1, INDEX_5, WORKLOADS, Group
from wirt.errors import InvalidInput


def cells(profile: str, **changes: Any) -> list[Planned]:
    wishes: dict[str, Any] = {
        "suites": ("unix", "http"),
        "tests": (),
        "cpus": 2,
        "guests": 3,
        "blocks": None,
        "seconds": None,
    }
    return build_cells(PROFILES[profile], **{**wishes, **changes})


def unix(profile: str, **changes: Any) -> list[Planned]:
    return cells(profile, suites=("unix",), **changes)


def one(found: list[Planned], test: str, copies: int = 1) -> Planned:
    (cell,) = [cell for cell in found if (cell.test, cell.copies) == (test, copies)]
    return cell


def test_quick_takes_the_index_tests_with_one_copy_a_second_three_times() -> None:
    found = unix("quick")

    assert {cell.test for cell in found} == set(INDEX_4_1) | set(INDEX_5)
    assert {cell.copies for cell in found} == {1}
    assert {cell.seconds for cell in found} == {1.0}
    assert {(cell.blocks, cell.most_blocks, cell.target) for cell in found} == {(3, 3, None)}


def test_standard_takes_every_test_also_on_all_cpus_until_intervals_are_small() -> None:
    found = unix("standard", cpus=4)

    assert Counter(cell.test for cell in found) == dict.fromkeys(WORKLOADS, 2)
    assert {cell.copies for cell in found} == {1, 4}
    assert {cell.target for cell in found if WORKLOADS[cell.test].group is Group.CPU} == {0.01}
    assert {cell.target for cell in found if WORKLOADS[cell.test].group is not Group.CPU} == {0.03}
    assert all(cell.most_blocks > cell.blocks >= 5 for cell in found)


def test_standard_on_one_cpu_takes_every_test_once() -> None:
    assert Counter(cell.test for cell in unix("standard", cpus=1)) == dict.fromkeys(WORKLOADS, 1)


def test_standard_measures_web_servers_until_intervals_are_small_too() -> None:
    found = cells("standard", suites=("http",))

    assert {(cell.target, cell.blocks, cell.most_blocks) for cell in found} == {(0.03, 5, 20)}


def test_thesis_keeps_unixbenchs_own_durations_and_passes() -> None:
    found = unix("thesis")

    assert [(cell.test, cell.seconds, cell.blocks) for cell in found] == [
        (test, workload.seconds, workload.passes) for test, workload in WORKLOADS.items()
    ]
    assert all(cell.most_blocks == cell.blocks and cell.target is None for cell in found)


def test_thesis_loads_web_servers_for_thirty_minutes() -> None:
    found = cells("thesis", suites=("http",))

    assert [(cell.copies, cell.seconds, cell.blocks) for cell in found] == [
        (1, 1800, 1),
        (3, 1800, 1),
    ]


@pytest.mark.parametrize(("guests", "copies"), [(1, [1]), (2, [1, 2]), (7, [1, 7])])
def test_web_cells_are_one_server_and_as_many_as_are_asked_for(
    guests: int, copies: list[int]
) -> None:
    assert [cell.copies for cell in cells("quick", suites=("http",), guests=guests)] == copies


def test_cells_with_tests_blocks_and_seconds_of_their_own_take_these() -> None:
    found = cells("standard", tests=("pipe", "C", "pipe"), blocks=2, seconds=0.5, cpus=1)

    assert [cell.test for cell in found] == ["pipe", "C", "apache", "apache"]
    assert {(c.seconds, c.blocks, c.most_blocks, c.target) for c in found} == {(0.5, 2, 2, None)}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"suites": ("disk",)}, "there is no suite 'disk'; choose one of unix, http, lifecycle"),
        ({"tests": ("pope",)}, f"there is no test 'pope'; choose one of {', '.join(WORKLOADS)}"),
        (
            {"seconds": 7200.0},
            "a pass cannot take 7200 s; ask for 10ms to 1h; 100ms or more say something",
        ),
        (
            {"seconds": 0.0},
            "a pass cannot take 0 s; ask for 10ms to 1h; 100ms or more say something",
        ),
    ],
)
def test_cells_that_cannot_be_are_refused(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        cells("quick", **wish)

    assert str(refused.value) == message


ADAPTIVE = one(unix("standard"), "dhry2reg")
STEADY = [1.0, 1.001, 0.999, 1.0, 1.0]
NOISY = [1.0, 1.2, 0.8, 1.1, 0.9]


@pytest.mark.parametrize(
    ("done", "ratios", "wanted"),
    [
        (0, [], True),
        (4, STEADY[:4], True),
        (5, STEADY, False),
        (5, NOISY, True),
        (20, NOISY * 4, False),
        (5, [], False),  # it failed five times
    ],
)
def test_adaptive_cell_is_wanted_until_its_interval_is_small_or_the_cap_is_hit(
    done: int, ratios: list[float], wanted: bool
) -> None:
    assert is_wanted(ADAPTIVE, done, ratios) is wanted


def test_cell_without_target_is_wanted_for_its_blocks_only() -> None:
    cell = one(unix("quick"), "pipe")

    assert [is_wanted(cell, done, NOISY[:done]) for done in range(5)] == [True] * 3 + [False] * 2


WANTED = {"host": unix("quick"), "lxc": unix("quick"), "qemu": unix("quick")[:4]}


def test_order_of_a_block_has_every_pass_once() -> None:
    order = order_block(WANTED, seed=1, block=0)

    assert Counter((name, cell.test) for name, cell in order) == Counter(
        (name, cell.test) for name, found in WANTED.items() for cell in found
    )


def test_order_of_a_block_is_decided_by_the_seed_and_the_block() -> None:
    turned = dict(reversed(WANTED.items()))

    assert order_block(WANTED, seed=1, block=0) == order_block(turned, seed=1, block=0)
    assert order_block(WANTED, seed=1, block=0) != order_block(WANTED, seed=1, block=1)
    assert order_block(WANTED, seed=1, block=0) != order_block(WANTED, seed=2, block=0)


def test_order_of_a_block_has_the_subjects_of_a_cell_follow_each_other_in_any_order() -> None:
    rows = []
    for block in range(20):
        order = order_block(WANTED, seed=1, block=block)
        for test, group in groupby(order, key=lambda one: one[1].test):
            rows.append((test, tuple(name for name, _ in group)))

    assert len(rows) == 20 * len({cell.test for cells in WANTED.values() for cell in cells})
    assert {names[0] for _, names in rows} == set(WANTED)


def test_tests_beside_a_suite_that_has_none_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        cells("quick", suites=("http",), tests=("pipe",))

    assert str(caught.value) == (
        "test pipe is of suite unix, which is not asked for; "
        "leave --test or --suite out, or add --suite unix"
    )
