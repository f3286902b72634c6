import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wirt.host import process

ENGINE = "guest=wt-test-a1b2c3"


@contextmanager
def pretending(*before: str, shell: str = "/bin/sh") -> Iterator[int]:
    """Run a process with an engine's argument on its command line, started by the programs in ``before``."""
    argv = [*before, shell, "-c", "echo $$; read line", "sh", ENGINE]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        yield int(started.stdout.readline())
        started.communicate("\n")


def test_descendants_are_children_and_their_children() -> None:
    script = "sh -c 'sleep 1000 & echo $! $$; wait' & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stdout is not None
        said = (outer.stdout.readline() + outer.stdout.readline()).split()
        found = process.list_descendants(outer.pid)
        for pid in [*found, outer.pid]:
            process.end(pid)

    assert {int(pid) for pid in said} == set(found)
    assert len(found) == 2


def test_start_time_tells_a_process_from_another_of_its_number() -> None:
    started = process.start_time(os.getpid())

    assert started is not None
    assert process.is_alive(os.getpid(), started)
    assert not process.is_alive(os.getpid(), started - 1)
    assert not process.is_alive(None, None)


def test_zombie_is_not_alive() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    gone = process.wait_gone(child, 10)
    started = process.start_time(child)
    os.waitpid(child, 0)

    assert gone
    assert started is None
    assert process.wait_gone(child, 0)


def test_command_line_of_this_process_is_its_arguments() -> None:
    assert process.command_line(os.getpid())
    assert process.command_line(2**22 - 1) == []


def test_end_of_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen(["true"]) as done:
        done.wait()

    process.end(done.pid)


def test_find_by_argument_finds_our_own_process() -> None:
    with pretending() as pid:
        found = process.find_by_argument(ENGINE)

    assert found == [pid]
    assert process.find_by_argument(ENGINE) == []


@pytest.mark.parametrize(
    "before",
    [
        ("setpriv", "--reuid=65534", "--clear-groups"),
        # Also of another user although root in all that counts: a setuid program started by that user.
        ("setpriv", "--ruid=65534"),
        ("unshare", "--user", "--map-root-user"),
    ],
    ids=["other user", "other real user", "root of a container"],
)
def test_find_by_argument_passes_over_who_only_pretends(
    root_user: None, before: tuple[str, ...]
) -> None:
    with pretending(*before):
        found = process.find_by_argument(ENGINE)

    assert found == []


def test_find_by_argument_passes_over_setuid_programs(root_user: None, tmp_path: Path) -> None:
    shell = shutil.copy("/bin/sh", tmp_path / "sh")
    os.chmod(shell, 0o4755)
    with pretending(shell=str(shell)):
        found = process.find_by_argument(ENGINE)

    assert found == []


def test_process_that_waits_executes_nothing_and_we_do() -> None:
    with pretending() as pid:
        # It has told its number and is on its way to wait.
        deadline = time.monotonic() + 30
        while process.is_executing(pid) and time.monotonic() < deadline:
            pass
        executes = process.is_executing(pid)
        cpu = process.last_cpu(pid)

    assert (executes, process.is_executing(os.getpid())) == (False, True)
    assert cpu in range(os.cpu_count() or 1)


def test_process_that_is_gone_executes_nothing() -> None:
    assert (process.is_executing(2**22), process.last_cpu(2**22)) == (False, None)
