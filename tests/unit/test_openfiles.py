"""The numbers of files that processes may have open, of real ones."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.host import openfiles
from wirt.host.kerneltree import KernelTree


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started.pid
        started.kill()


def test_bound_holds_a_process_that_runs_and_gives_it_nothing(sleeper: int) -> None:
    openfiles.bound(lambda: [sleeper], 200)
    first = resource.prlimit(sleeper, resource.RLIMIT_NOFILE)
    openfiles.bound(lambda: [sleeper], 400)

    assert first == (200, 200)
    assert resource.prlimit(sleeper, resource.RLIMIT_NOFILE) == (200, 200)


def test_bound_asks_again_for_those_that_came_meanwhile_and_minds_none_that_went(
    sleeper: int,
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    seen = iter([[gone.pid], [gone.pid, sleeper], [sleeper]])
    openfiles.bound(lambda: next(seen), 300)

    assert resource.prlimit(sleeper, resource.RLIMIT_NOFILE) == (300, 300)


@pytest.mark.parametrize(
    ("rights", "most"), [("0000000001000000", 4096), ("0000000000ffffff", None)]
)
def test_most_is_the_kernels_only_with_the_right_to_raise_limits(
    tmp_path: Path, rights: str, most: int | None
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/sys/fs").mkdir(parents=True)
    (tmp_path / "proc/self/status").write_text(f"Name:\tpython\nCapEff:\t{rights}\n")
    (tmp_path / "proc/sys/fs/nr_open").write_text("4096\n")
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    assert openfiles.most(KernelTree(tmp_path)) == (most or own)
