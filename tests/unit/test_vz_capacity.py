"""What containers use and are promised of a node, and a node divided among containers."""

import pytest

from wirt.dialects.vz import vzcalc, vzmemcheck
from wirt.dialects.vz.account import Account, Entry, implied_by_memory
from wirt.dialects.vz.capacity import Node, percents_of, shares_of, sum_of, wholes_of
from wirt.dialects.vz.configfile import parse_config
from wirt.dialects.vz.split import LEVELS, render_value, split, split_vswap
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006, Pair
from wirt.dialects.vz.validation import Rules, Severity, find
from wirt.errors import InvalidInput
from wirt.model.counter import UNITS
from wirt.units import GIB, MIB

NODE = Node(low=1000 * MIB, memory=1000 * MIB, swap=1000 * MIB)
BUFFERS = ("tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf")


def account(**entries: Entry) -> Account:
    return {name: entries.get(name, Entry()) for name in UNITS}


USED = account(
    kmemsize=Entry(held=4 * MIB, limit=20 * MIB),
    **{name: Entry(held=MIB, limit=5 * MIB) for name in BUFFERS},
    physpages=Entry(held=2560),
    oomguarpages=Entry(held=5120, barrier=7680),
    vmguarpages=Entry(barrier=10240),
    privvmpages=Entry(held=12800, barrier=15360, limit=20480),
    numproc=Entry(held=25, barrier=50),
)
"""8 MiB of the kernel's memory used and 40 promised; 10 MiB of RAM, 20 with swap, 50 allocated, of 80."""


def test_shares_are_those_of_the_formulas() -> None:
    shares = shares_of(USED, NODE)

    assert [getattr(shares, field) // MIB for field in shares.__struct_fields__] == [
        *(8, 40, 10 + 8, 20 + 8, 30 + 40, 50 + 8, 40 + 40, 80 + 40)
    ]
    assert [whole // MIB for whole in wholes_of(NODE).values()] == [400, 400, 1000, *[2000] * 5]
    assert percents_of(shares, NODE)["low_commit"] == 10.0
    assert sum_of([shares, shares]).alloc_limit == 2 * shares.alloc_limit


def test_what_nobody_knows_counts_as_nothing() -> None:
    assert set(percents_of(shares_of(account(), NODE), NODE).values()) == {0.0}
    assert set(percents_of(sum_of([]), NODE).values()) == {0.0}


def test_what_is_unlimited_ends_where_the_containers_memory_or_the_node_does() -> None:
    endless = {name: Entry(limit=UNLIMITED) for name in ("kmemsize", "privvmpages", *BUFFERS)}
    alone = shares_of(account(**endless), NODE)
    bounded = {"physpages": Entry(limit=25_600), "swappages": Entry(limit=12_800)}
    held = shares_of(account(**endless, **bounded), NODE)
    old = account(**{**endless, "privvmpages": Entry(limit=UNLIMITED_2006)})

    assert (alone.low_commit, alone.alloc_limit) == (1000 * MIB, 2000 * MIB)
    assert (held.low_commit, held.all_commit, held.alloc_limit) == (100 * MIB, 150 * MIB, 150 * MIB)
    assert shares_of(old, NODE) == alone


def test_memory_and_swap_alone_imply_what_is_promised() -> None:
    config = parse_config('PHYSPAGES="0:25600"\nSWAPPAGES="0:12800"\n', name="101.conf")
    more = parse_config(
        'PHYSPAGES="0:256"\nSWAPPAGES="0:256"\nVM_OVERCOMMIT="1.5"\n', name="101.conf"
    )

    assert implied_by_memory(config) == {
        "lockedpages": Pair(25_600, UNLIMITED),
        "oomguarpages": Pair(25_600, UNLIMITED),
        "vmguarpages": Pair(38_400, UNLIMITED),
        "privvmpages": Pair(UNLIMITED, UNLIMITED),
    }
    assert implied_by_memory(more)["privvmpages"] == Pair(768, 768)
    assert implied_by_memory(parse_config('PHYSPAGES="0:unlimited"\n', name="101.conf")) == {}


def test_vzmemcheck_prints_percents_and_their_sum() -> None:
    shares = shares_of(USED, NODE)
    text = vzmemcheck.render(
        {102: shares, 101: shares}, NODE, is_long=True, is_absolute=False, first="CTID       "
    )

    assert text == (
        "Output values in %\n"
        "CTID        LowMem  LowMem     RAM MemSwap MemSwap   Alloc   Alloc   Alloc\n"
        "              util  commit    util    util  commit    util  commit   limit\n"
        "101           2.00   10.00    1.80    1.40    3.50    2.90    4.00    6.00\n"
        "102           2.00   10.00    1.80    1.40    3.50    2.90    4.00    6.00\n"
        f"{'-' * 74}\n"
        "Summary:      4.00   20.00    3.60    2.80    7.00    5.80    8.00   12.00 "
    )


def test_vzmemcheck_prints_mbytes_of_what_there_is() -> None:
    text = vzmemcheck.render(
        {101: shares_of(USED, NODE)}, NODE, is_long=False, is_absolute=True, first=""
    )

    assert text.splitlines()[3:] == [
        "   8.00   40.00   18.00   28.00   70.00   58.00   80.00  120.00 ",
        " 400.00  400.00 1000.00 2000.00 2000.00 2000.00 2000.00 2000.00 ",
    ]


def test_vzcalc_prints_each_resource_and_the_most_of_memory() -> None:
    text = vzcalc.render(USED, NODE, threads=1000, is_running=True, is_long=True)

    assert text == (
        "Resource     Current(%)  Promised(%)  Max(%)\n"
        "Low Mem          2.00      10.00      10.00\n"
        "Total RAM        1.80        n/a        n/a\n"
        "Mem + Swap       1.40       3.50        n/a\n"
        "Alloc. Mem       2.90       4.00       6.00\n"
        "Num. Proc        2.50        n/a       5.00\n"
        f"{'-' * 44}\n"
        "Memory           2.90      10.00      10.00"
    )


def test_vzcalc_knows_no_share_of_threads_for_a_container_without_a_limit() -> None:
    endless = account(numproc=Entry(held=10, barrier=UNLIMITED))
    text = vzcalc.render(endless, NODE, threads=1000, is_running=True, is_long=True)

    assert "Num. Proc        1.00        n/a        n/a\n" in text


def test_vzcalc_of_a_stopped_container_knows_nothing_current() -> None:
    text = vzcalc.render(USED, NODE, threads=None, is_running=False, is_long=False)

    assert text.splitlines()[1:] == ["Memory            n/a      10.00      10.00"]


@pytest.mark.parametrize("memory", [1, 2, 8, 64])
@pytest.mark.parametrize("count", [1, 4, 30])
def test_split_values_are_consistent_and_fit_the_node(memory: int, count: int) -> None:
    node = Node(low=memory * GIB, memory=memory * GIB, swap=GIB)
    made = split(node, count=count, threads=30000, disk=100 * GIB, inodes=1_000_000)
    text = "\n".join(render_value(key, pair) for key, pair in made.values.items())
    again = parse_config(text, name="sample")
    found = find({key.lower(): pair for key, pair in made.values.items()}, Rules())

    assert [one for one in found if one.severity is not Severity.RECOMMENDATION] == []
    assert list(again.names()) == list(made.values)
    assert made.values["VMGUARPAGES"].barrier * 4096 * count <= node.memory + node.swap
    assert made.values["DISKSPACE"].limit * 1024 * count <= 45 * GIB
    assert made.values["DISKINODES"].limit == 500_000 // count


def test_split_commits_more_of_a_small_node_before_it_refuses() -> None:
    node = Node(low=GIB, memory=GIB, swap=GIB)
    made = [split(node, count=count, threads=8000, disk=0, inodes=0) for count in range(1, 700, 20)]
    with pytest.raises(InvalidInput, match="this node has too little memory for 900 containers"):
        split(node, count=900, threads=8000, disk=0, inodes=0)
    levels = [one.level for one in made]

    assert levels == sorted(levels)
    assert set(levels) == set(range(len(LEVELS)))
    assert not any({"DISKSPACE", "DISKINODES"} & set(one.values) for one in made)


def test_split_into_memory_and_swap_alone_sets_nothing_else() -> None:
    made = split_vswap(NODE, count=4, disk=100 * GIB, inodes=0)
    physpages, swappages = made.values["PHYSPAGES"], made.values["SWAPPAGES"]

    assert set(made.values) == {"PHYSPAGES", "SWAPPAGES", "DISKSPACE"}
    assert (physpages.barrier, swappages) == (0, type(swappages)(0, 2 * physpages.limit))
    assert physpages.limit * 4096 <= 0.6 * NODE.memory
