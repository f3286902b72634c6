"""The rows of workloads inside containers, taken in a real one, and how rows are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest
from agreement import ROWS as AGREEMENT_ROWS
from inside import ROWS, in_container
from ours import Wirt
from rows import Bench
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.bench.workloads import WORKLOADS

PROGRAM = Path(__file__).resolve().parents[2] / "bench" / "ratios.py"


def test_every_workload_has_a_row_with_the_budget_of_a_container() -> None:
    assert [row.key for row in ROWS] == [f"container-{test}" for test in WORKLOADS]
    assert {row.budget for row in ROWS} == {"0.98 - 1.02"}


def test_both_cpu_tests_have_a_row_beside_unixbench_in_every_kind_of_guest() -> None:
    wanted = {
        f"unixbench-{test}-{name}"
        for test in ("dhry2reg", "whetstone")
        for name in ("lxc", "uml", "qemu")
    }

    assert wanted <= {row.key for row in AGREEMENT_ROWS}


def test_row_measures_in_a_container_and_on_the_host_and_leaves_nothing(
    home: HomeUnderTest,
) -> None:
    wirt = Wirt(home.base)
    wirt.environment = {key: home.environment[key] for key in wirt.environment}

    with in_container(Bench(wirt=wirt, template=TINY), test="pipe") as pair:
        running = {guest.approach for guest in home.guests() if guest.state.is_up}
        assert running == {"lxc", "chroot"}
        assert pair.ours() > 1000
        assert pair.peer() > 1000

    assert home.guests() == []
    left = home.world().difference(World.empty())
    assert [line for line in left if not line.startswith("files:")] == []


@pytest.mark.parametrize("asked", ["container-nosuch", "nothing-*"])
def test_row_that_there_is_not_is_refused_with_those_there_are(asked: str) -> None:
    argv = [sys.executable, str(PROGRAM), "--rows", asked]
    done = subprocess.run(argv, capture_output=True, text=True)

    assert done.returncode == 2
    assert f"no row is called {asked}; there are run, commands-incus, " in done.stderr
