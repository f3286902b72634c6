from typing import Any

import msgspec
import pytest
from tests.unit.measured import header, run, sample, series, web

from wirt.bench import caveats, compare
from wirt.bench.sample import HOST, HOST_AGAIN, IMPORTED, BlockEnd, Failure, Finish, Meanwhile, Run

CALM = [*series(HOST, [100, 100, 100, 100, 100]), *series("lxc", [98, 98, 98, 98, 98])]


def warnings(measured: Run) -> list[str]:
    return compare.analyse(measured).warnings


def test_calm_run_in_a_calm_place_warns_of_nothing() -> None:
    environment = {
        "cpu": {"model": "x", "count": 4, "governor": "performance"},
        "load_before": 0.3,
        "node_is_guest": None,
    }

    assert warnings(run(CALM, about={"environment": environment})) == []


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"cpu": {"count": 2}, "load_before": 0.5},
            "The node was busy before the run began: load 0.50 on 2 CPUs; "
            "stop other work and measure again for figures to rely on.",
        ),
        (
            {"cpu": {"governor": "powersave"}},
            "The CPU frequency governor is powersave, so the clock may change between passes; "
            "set it to performance for steady figures.",
        ),
        (
            {"node_is_guest": "kvm"},
            "The node is itself a guest (kvm), so other guests of its host may disturb the "
            "figures, and emulation below it costs more than on bare metal.",
        ),
    ],
)
def test_environment_that_disturbs_is_named(environment: dict[str, Any], sentence: str) -> None:
    assert caveats.of_environment(environment) == [sentence]


def end(block: int, **node: float) -> BlockEnd:
    return BlockEnd(block=block, command=0.0, harness={}, node=msgspec.convert(node, Meanwhile))


def test_other_programs_are_judged_right_before_blocks_and_not_by_the_load() -> None:
    environment = {"cpu": {"count": 2}, "load_before": 9.0}
    calm = [end(0, others_percent=3.0), end(1, others_percent=9.9)]
    busy = [end(0, others_percent=30.0), end(1), end(2, others_percent=55.4)]

    assert caveats.of_environment(environment, calm) == []
    assert caveats.of_environment(environment, busy) == [
        "Other programs used up to 55 % of the node's CPU time right before blocks 1 and 3; "
        "stop them and measure again for figures to rely on."
    ]


def test_quota_that_stopped_the_command_and_heat_are_named() -> None:
    ends = [
        end(0, throttled=2, throttled_seconds=0.5, overheated=0),
        end(1, throttled=3, throttled_seconds=1.0, overheated=1),
    ]

    assert caveats.of_environment({}, ends) == [
        "The CPU quota of the cgroup that wirt compare ran in stopped it 5 times, for 1.5 s in all; "
        "run it where there is none, for the host's figures are too low.",
        "The processors slowed down 1 time because they were hot; cool the machine for steady figures.",
    ]


def test_quota_below_the_processors_is_named() -> None:
    environment = {"cpu": {"usable": 2}, "cgroup_limits": {"cpus": 1.5}}

    assert caveats.of_environment(environment) == [
        "The cgroup that wirt compare ran in may use 1.5 CPUs, which holds for the host's passes and "
        "not for the guests'; run it where there is no such limit."
    ]
    assert caveats.of_environment({**environment, "cpu": {"usable": 1}}) == []


@pytest.mark.parametrize(
    "environment", [{}, {"cpu": None}, {"cpu": {"count": None, "governor": None}, "load_before": 9}]
)
def test_environment_that_is_not_known_warns_of_nothing(environment: dict[str, Any]) -> None:
    assert caveats.of_environment(environment) == []


def test_interrupted_run_says_how_to_go_on() -> None:
    assert warnings(run(CALM, finished=False)) == [
        "The run has not come to its end, so its figures are incomplete; if nobody is measuring it, "
        "wirt compare --resume 20260101-1200 continues it."
    ]


def test_imported_run_cut_short_says_to_import_it_again() -> None:
    cut = msgspec.structs.replace(run(CALM, finished=False), header=header(profile=IMPORTED))

    assert warnings(cut) == [
        "The file of this imported run ends early, so figures may be missing; "
        "wirt results import takes them in again."
    ]


def test_block_in_which_the_command_was_killed_says_what_is_lost() -> None:
    measured = run([*series(HOST, [1] * 5), *series("lxc", [1] * 5)])
    whole = msgspec.structs.replace(measured, ends=[end(block) for block in range(5)])
    killed = msgspec.structs.replace(measured, ends=[end(block) for block in (0, 2, 3, 4)])
    going_on = msgspec.structs.replace(measured, ends=whole.ends[:4], finish=None)

    assert warnings(whole) == []
    assert warnings(killed) == [
        "The command was killed in block 2: the 2 passes that it had measured in it count, but what the block took, "
        "and how the node was meanwhile, is lost."
    ]
    assert all("killed" not in warning for warning in warnings(going_on))


def test_failures_are_counted_with_their_subjects() -> None:
    failures = [
        Failure(subject=name, block=0, test=None, message="no answer", log=None, at=0.0)
        for name in ("qemu", "uml", "qemu")
    ]

    assert warnings(run(CALM, failures=failures)) == [
        "3 failures in qemu and uml; see the failures."
    ]


def test_few_blocks_are_named() -> None:
    assert warnings(run([*series(HOST, [1, 1, 1]), *series("lxc", [1, 1])])) == [
        "Some figures rest on 2 blocks only, so their intervals are wide or missing."
    ]
    assert warnings(run([sample(HOST, 1)])) == [
        "Some figures rest on 1 block only, so their intervals are wide or missing."
    ]


def test_server_that_answered_nothing_is_named() -> None:
    assert warnings(run([*CALM, *web("qemu", 3, [0.0])])) == [
        "Passes without any result in qemu were left out."
    ]


def test_host_that_differs_from_itself_is_named() -> None:
    again = series(HOST_AGAIN, [104, 104.1, 103.9, 104, 104])

    assert warnings(run([*CALM, *again])) == [
        "The host measured against itself differs where nothing differs: dhry2reg by 4.0 %; "
        "take differences of that size between approaches as noise.",
        "The machine is noisy: two passes of the host in the same block differ by up to 8.0 %; "
        "means over more blocks differ less.",
    ]


def test_clock_that_runs_off_is_named() -> None:
    slow = [sample("qemu", 1, block=b, seconds=0.97, host_seconds=1.0) for b in range(5)]

    assert warnings(run([*CALM, *slow])) == [
        "The clock of qemu is off by up to 3.0 % against the host's, "
        "so its figures are as uncertain as that."
    ]


def test_clock_that_was_never_told_is_named() -> None:
    quick = [
        sample(name, 1, block=b, host_seconds=None) for name in ("qemu", "uml") for b in range(5)
    ]
    served = [web("lxc", 1, [1.0] * 5)[0]]

    (warning,) = [w for w in warnings(run([*CALM[:5], *quick, *served])) if "clock" in w]
    assert warning == (
        "The clock of qemu and uml could not be told from the host's to 1 %: its passes are too short against the time "
        "that the way into it takes; give it longer ones, with --seconds."
    )


def test_steal_is_named() -> None:
    finish = Finish(at=0.0, capped=[], steal_percent=2.5)

    assert warnings(run(CALM, finish=finish)) == [
        "The node's own host took away 2.5 % of its CPU time during the run."
    ]


def test_steal_at_the_end_of_the_run_overrules_that_at_its_beginning() -> None:
    finish = Finish(at=0.0, capped=[], steal_percent=0.1)
    about = {"environment": {"steal_percent": 9.0}}

    assert warnings(run(CALM, finish=finish, about=about)) == []
    assert warnings(run(CALM, about=about)) == [
        "The node's own host took away 9.0 % of its CPU time during the run."
    ]


def test_clock_of_the_host_itself_is_not_doubted() -> None:
    odd = [sample(HOST, 100, block=b, seconds=0.97, host_seconds=1.0) for b in range(5)]

    assert warnings(run(odd)) == []


def test_cap_names_the_cells_and_cuts_a_long_list() -> None:
    assert warnings(run(CALM, capped=["unix/pipe/lxc/1"])) == [
        "The cap was reached before the interval was small enough in 1 cell: unix/pipe/lxc/1."
    ]
    assert warnings(run(CALM, capped=[f"unix/pipe/lxc/{n}" for n in range(7)])) == [
        "The cap was reached before the interval was small enough in 7 cells: unix/pipe/lxc/0, "
        "unix/pipe/lxc/1, unix/pipe/lxc/2, unix/pipe/lxc/3, unix/pipe/lxc/4 and 2 more."
    ]


def test_outlier_is_named_and_kept() -> None:
    measured = run([*CALM, *series("qemu", [50, 51, 49, 50.5, 20, 49.5])])

    assert warnings(measured) == [
        "1 figure far from the others of the same cell, counted all the same: "
        "unix/dhry2reg/qemu/1 block 5."
    ]
    assert next(r for r in compare.analyse(measured).results if r.subject == "qemu").value < 45


def test_pair_of_runs_alike_warns_of_nothing() -> None:
    assert caveats.of_pair(header(), header(run="b", seed=1)) == []


def test_pair_of_runs_by_different_programs_says_so() -> None:
    a = header(environment={"imported_from": "UnixBench 4.1.0"})
    b = header(environment={"imported_from": "UnixBench 5.1.3"})

    assert caveats.of_pair(a, b) == [
        "The runs are of UnixBench 4.1.0 and UnixBench 5.1.3, which need not do or count the same."
    ]


def test_pair_of_runs_unlike_names_every_difference() -> None:
    a = header(environment={"cpu": {"model": "Xeon"}, "kernel": "6.1"})
    b = header(
        environment={"cpu": {"model": "EPYC"}, "kernel": "6.12"},
        workloads={"dhry2reg": "ef" * 32},
        template_sha256="00" * 32,
        profile="standard",
    )

    assert caveats.of_pair(a, b) == [
        "The runs used different binaries of dhry2reg, so a difference may be the compiler's.",
        "The runs are of different CPUs: Xeon and EPYC.",
        "The runs are of different kernels: 6.1 and 6.12.",
        "The runs used different templates: debian-12-web abababababab and "
        "debian-12-web 000000000000.",
        "The runs used different profiles: quick and standard.",
    ]
