"""``wirt exec`` and ``wirt run`` are the command that they run: its input, output, arguments and exit status."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import TextIO

import pytest
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest

Runner = Callable[..., "CompletedProcess[str]"]


def has_become(condition: Callable[[], bool]) -> bool:
    """Return whether something is so within a while."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
    return True


@pytest.fixture(scope="module")
def running(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with a running guest, web."""
    module_home.wirt("create", "-t", TINY, "web", status=0)
    module_home.wirt("start", "web", status=0)
    module_home.wirt("exec", "web", "true", status=0)  # LXC makes a cgroup in the guest's for it
    return module_home


@pytest.fixture(params=["exec", "run-lxc", "run-chroot"])
def runner(request: pytest.FixtureRequest, running: HomeUnderTest) -> Iterator[Runner]:
    """Give what runs a command in a guest, and see that nothing of that is left."""
    before = running.world()

    def execute(
        *command: str, stdin: str = "", streams: tuple[TextIO, TextIO] | None = None
    ) -> "CompletedProcess[str]":
        approach = request.param.removeprefix("run-")
        verb = ["exec", "web"] if request.param == "exec" else ["run", "-t", TINY, "-a", approach]
        if streams is None:
            return running.wirt(*verb, *command, stdin=stdin)
        return subprocess.run(
            [WIRT, *verb, *command],
            stdin=streams[0],
            stdout=streams[1],
            stderr=subprocess.STDOUT,
            text=True,
            env=running.environment,
            timeout=60,
        )

    yield execute
    assert running.world().difference(before) == []


def test_command_passes_output_errors_and_success(runner: Runner) -> None:
    done = runner("sh", "-c", "echo out; echo err >&2")

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_command_passes_its_exit_status(runner: Runner) -> None:
    assert runner("sh", "-c", "exit 7").returncode == 7


def test_command_killed_ends_with_128_and_the_signal(runner: Runner) -> None:
    assert runner("sh", "-c", "kill -15 $$").returncode == 143


def test_command_reads_our_input(runner: Runner) -> None:
    assert runner("cat", stdin="a\nb").stdout == "a\nb"


def test_command_keeps_options_of_its_own(runner: Runner) -> None:
    assert runner("echo", "--help", "-t", "x", "--", "--name").stdout == "--help -t x -- --name\n"


def test_command_ends_with_its_caller_that_is_killed(running: HomeUnderTest) -> None:
    def is_there() -> bool:
        said = running.wirt("exec", "web", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        return "sleep 7" in said.stdout

    command = running.spawn("exec", "web", "sh", "-c", "sleep 7" + "7" * 6 + "; true")
    seen = has_become(is_there)
    command.kill()
    command.communicate()

    assert seen
    assert has_become(lambda: not is_there())


def test_files_of_the_node_are_not_the_commands(
    runner: Runner, running: HomeUnderTest, tmp_path: Path
) -> None:
    given, log = tmp_path / "given", tmp_path / "log"
    given.write_text("one\ntwo\nthree\n")
    log.write_text("of the node\n")
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o777)
    script = "read line; echo got $line; truncate -s 0 /proc/self/fd/1; echo >&2 complains; exit 7"
    with given.open() as stdin, log.open("a") as stdout:
        stdin.readline()
        os.lseek(stdin.fileno(), len("one\n"), os.SEEK_SET)
        done = runner("sh", "-c", script, streams=(stdin, stdout))
        left = os.read(stdin.fileno(), 100)

    assert done.returncode == 7
    assert left == b"three\n"
    assert log.read_text().startswith("of the node\ngot two\n")
    assert log.read_text().endswith("complains\n")


def test_much_goes_through_files_whole(runner: Runner, tmp_path: Path) -> None:
    given, log = tmp_path / "given", tmp_path / "log"
    given.write_bytes(os.urandom(3 << 20))
    with given.open() as stdin, log.open("w") as stdout:
        done = runner("cat", streams=(stdin, stdout))

    assert done.returncode == 0
    assert log.read_bytes() == given.read_bytes()


def test_output_that_cannot_be_written_is_said(running: HomeUnderTest, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", tmp_path], check=True)
    try:
        done = running.shell(f"wirt exec web -- yes >{tmp_path}/log")
    finally:
        subprocess.run(["umount", tmp_path], check=True)

    assert done.stdout == (
        "wirt: cannot write the output of the command: No space left on device; free some space and try again\n"
    )
    assert done.returncode == 125


def test_who_is_left_behind_is_not_waited_for_and_writes_no_more(
    running: HomeUnderTest, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    script = "echo before; (while echo more; do sleep 0.1; done) &"
    running.type(f"wirt exec web -- sh -c '{script}' >{log} 2>&1")
    said = log.read_text()
    gone = has_become(lambda: "more" not in running.wirt("exec", "web", "ps").stdout)

    assert gone
    assert said.startswith("before\n")
    assert log.read_text() == said


def test_command_after_a_marker_is_the_same(runner: Runner) -> None:
    assert runner("--", "echo", "-t").stdout == "-t\n"


def test_command_that_does_not_exist_ends_with_127(runner: Runner) -> None:
    assert runner("no-such-command").returncode == 127


def test_command_that_cannot_be_run_is_one_clear_error(running: HomeUnderTest) -> None:
    nosuch = running.wirt("exec", "web", "no-such-command", status=127)
    directory = running.wirt("exec", "web", "/root", status=126)
    own = running.wirt("exec", "web", "--", "sh", "-c", "echo mine >&2; exit 127", status=127)

    assert nosuch.stderr == (
        "wirt: the guest cannot run no-such-command: No such file or directory; is it installed there?\n"
    )
    assert directory.stderr == "wirt: the guest cannot run /root: Permission denied\n"
    assert own.stderr == "mine\n"


def test_command_that_lxc_cannot_run_for_the_guests_limits_says_so_and_no_other(
    running: HomeUnderTest,
) -> None:
    running.wirt("create", "-t", TINY, "full", status=0)
    running.wirt("start", "full", status=0)
    filled = "n=0; while [ $n -lt 20 ]; do sleep 60 >/dev/null 2>&1 & n=$((n + 1)); done"
    with subprocess.Popen(
        [WIRT, "exec", "full", "sh", "-c", "echo runs; read line; exit 1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=running.environment,
    ) as before:
        assert before.stdout is not None
        assert before.stdout.readline() == "runs\n"
        running.wirt("exec", "full", "sh", "-c", filled, status=0)
        # Fewer than there are: so there is no moment in which one more may begin.
        running.wirt("set", "full", "--processes", "16", status=0)
        refused = running.wirt("exec", "full", "true")
        _, errors = before.communicate("end\n", timeout=60)
    running.wirt("destroy", "--force", "full", status=0)

    assert refused.returncode != 0
    assert refused.stderr == (
        "wirt: LXC could not enter the guest: Resource temporarily unavailable\n"
    )
    assert (before.returncode, errors) == (1, "")


def test_log_of_lxc_does_not_grow_for_ever(running: HomeUnderTest) -> None:
    guest = next(guest for guest in running.guests() if guest.name == "web")
    log = Path(running.home.place(guest.id).run_dir, "lxc.log")
    with log.open("a") as file:
        file.write("x" * (2 << 20))
    running.wirt("exec", "web", "true", status=0)

    assert log.stat().st_size < 1 << 16


def test_command_gets_the_guests_environment_not_ours(runner: Runner) -> None:
    said = runner("env").stdout.splitlines()

    assert "HOME=/root" in said
    assert not any(line.startswith("WIRT_") for line in said)


def test_memory_of_a_container_is_bounded(running: HomeUnderTest) -> None:
    asked = ["run", "-t", TINY, "--memory", "64M"]
    done = running.wirt(*asked, "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1")

    assert done.returncode == 137
