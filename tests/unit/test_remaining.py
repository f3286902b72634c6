"""What a run still wants, and how an interrupted one goes on."""

from pathlib import Path

import pytest
from tests.unit import measured
from tests.unit.world import PLAN, planned

from wirt.bench.plan import PROFILES, build_cells
from wirt.bench.remaining import Remaining
from wirt.bench.sample import HOST, HOST_AGAIN, Failure
from wirt.bench.sample import Subject as Listed


def test_remaining_of_a_run_of_the_host_alone_is_the_hosts(tmp_path: Path) -> None:
    header = measured.header(subjects=[Listed(name=HOST)], planned=PLAN)
    run = measured.run([], finished=False, header=header)

    assert Remaining(run).wanted() == {HOST: PLAN}


def test_remaining_counts_a_failure_of_the_host_for_those_measured_against_it() -> None:
    header = measured.header(planned=[planned("pipe", blocks=1)])
    failure = Failure(subject=HOST, block=0, test="pipe", message="", log=None, at=0.0)
    samples = [measured.sample(name, 1.0, test="pipe") for name in (HOST_AGAIN, "lxc", "qemu")]
    run = measured.run(samples, finished=False, header=header, failures=[failure])

    assert Remaining(run).wanted() == {}


def test_remaining_seconds_are_those_of_the_passes_to_come() -> None:
    plan = build_cells(
        PROFILES["quick"],
        suites=("unix",),
        tests=("pipe", "spawn"),
        cpus=2,
        guests=1,
        blocks=None,
        seconds=None,
    )
    run = measured.run([], finished=False, header=measured.header(planned=plan))

    assert Remaining(run).seconds() == pytest.approx(4 * 2 * 3 * 1.2)
