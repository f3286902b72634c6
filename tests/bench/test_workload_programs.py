"""The built programs themselves: one line out, no file left, honest about failure."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from wirt.bench.workloads import WORKLOADS, Measurement, build_argv, load_manifest, parse_line

REPOSITORY = Path(__file__).resolve().parents[2]
WITH_FILES = ["fstime", "fsbuffer", "fsdisk", "shell1", "shell8", "C"]


@pytest.fixture(scope="module")
def bundle() -> Path:
    """Build the bundle, which takes no time when it is built already, and return where it is."""
    subprocess.run(["make", "-C", str(REPOSITORY / "workloads")], check=True, capture_output=True)
    return REPOSITORY / "build" / "workloads"


def measure(test: str, seconds: float, bundle: Path, work: Path) -> Measurement:
    """Run one pass and return its figures."""
    done = subprocess.run(
        build_argv(test, seconds, str(bundle), str(work)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return parse_line(done.stdout, test)


def refuse(*argv: str, status: int) -> str:
    """Run a program that must end with ``status`` and one line on standard error; return the line."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


def test_manifest_names_every_program(bundle: Path) -> None:
    manifest = load_manifest(bundle)

    assert {workload.program for workload in WORKLOADS.values()} <= set(manifest.files)
    assert {"busybox", "text", "cctest.c"} <= set(manifest.files)
    assert "-static" in manifest.compiler.flags
    assert "-march" not in manifest.compiler.flags


def test_rebuild_with_nothing_changed_touches_nothing(bundle: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in bundle.iterdir()}

    subprocess.run(["make", "-C", str(REPOSITORY / "workloads")], check=True, capture_output=True)

    assert {path: path.stat().st_mtime_ns for path in bundle.iterdir()} == before


@pytest.mark.parametrize("test", WORKLOADS)
def test_program_prints_its_figures_and_leaves_no_file(
    test: str, bundle: Path, tmp_path: Path
) -> None:
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    realtime = time.time()

    result = measure(test, 0.2, bundle, tmp_path)

    after = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert result.count >= 1
    assert 0.199 <= result.seconds <= after - before
    assert before <= result.start <= after
    assert abs((result.realtime - realtime) - (result.start - before)) < 0.1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("test", ["hanoi", "execl", "fstime", "whetstone"])
def test_program_given_four_times_the_seconds_does_more(
    test: str, bundle: Path, tmp_path: Path
) -> None:
    short = measure(test, 0.1, bundle, tmp_path)
    long = measure(test, 0.4, bundle, tmp_path)

    assert 1.5 < long.count / short.count < 10


@pytest.mark.parametrize("test", ["fsbuffer", "shell1"])
def test_several_copies_in_one_directory_do_not_disturb_each_other(
    test: str, bundle: Path, tmp_path: Path
) -> None:
    argv = build_argv(test, 0.2, str(bundle), str(tmp_path))
    copies = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [copy.communicate(timeout=60) for copy in copies]

    assert [error for _, error in outputs] == ["", "", ""]
    assert all(parse_line(text, test).count >= 1 for text, _ in outputs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("test", WITH_FILES)
def test_program_ended_by_sigterm_leaves_no_file_and_no_process(
    test: str, bundle: Path, tmp_path: Path
) -> None:
    argv = build_argv(test, 30, str(bundle), str(tmp_path))
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 10
    while not any(tmp_path.glob("wirt-*/*")) and time.monotonic() < deadline:
        os.sched_yield()
    appeared = any(tmp_path.glob("wirt-*"))
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)

    assert appeared
    assert (process.returncode, output, errors) == (-signal.SIGTERM, b"", b"")
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize(("test", "kib"), [("fstime", 2000), ("fsbuffer", 500), ("fsdisk", 8000)])
def test_copy_goes_over_files_of_unixbench_5s_size(
    test: str, kib: int, bundle: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(build_argv(test, 30, str(bundle), str(tmp_path)))
    deadline = time.monotonic() + 10
    sizes: list[int] = []
    # The first file is whole before the second one grows: two larger ones never have this size together.
    while time.monotonic() < deadline and sizes != [kib * 1024] * 2:
        sizes = [path.stat().st_size for path in tmp_path.glob("wirt-*/*")]
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)

    assert sizes == [kib * 1024] * 2


def processes_in(directory: Path) -> list[str]:
    """Return the processes that work below ``directory``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(process.joinpath("cwd").readlink()).startswith(str(directory)):
                found.append(process.name)
        except OSError:
            continue  # it ended while we looked, or is not ours to look at
    return found


@pytest.mark.parametrize("test", [test for test in WORKLOADS if test != "C"])
def test_program_needs_nothing_but_its_bundle(test: str, bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "null").touch()  # the shell opens it for what runs in the background
    (tmp_path / "work").mkdir()

    done = subprocess.run(
        ["chroot", str(tmp_path), *build_argv(test, 0.05, "/bundle", "/work")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert parse_line(done.stdout, test).count >= 1


@pytest.mark.parametrize("program", sorted({w.program for w in WORKLOADS.values()}))
def test_program_with_bad_arguments_says_so(program: str, bundle: Path) -> None:
    path = str(bundle / program)

    assert refuse(path, status=2) == f"{program}: --seconds is missing"
    assert refuse(path, "--seconds", status=2) == f"{program}: --seconds lacks its value"
    assert (
        refuse(path, "--seconds", "soon", status=2)
        == f"{program}: --seconds soon is not a number of seconds"
    )
    assert (
        refuse(path, "--seconds", "0", status=2)
        == f"{program}: --seconds 0 is not between 0.01 and 3600"
    )
    assert refuse(path, "--secs", "1", status=2) == f"{program}: there is no option --secs"
    assert refuse(path, "1", status=2) == f"{program}: 1 is not an option"


def test_family_with_an_unknown_test_names_those_it_has(bundle: Path) -> None:
    line = refuse(str(bundle / "fscopy"), "--test", "fsnone", "--seconds", "1", status=2)

    assert line == "fscopy: --test must be fstime, fsbuffer or fsdisk"


def test_program_without_its_directory_fails(bundle: Path, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")

    line = refuse(*build_argv("fstime", 1, str(bundle), nowhere), status=1)

    assert line == f"fscopy: {nowhere}: No such file or directory"


def test_shell_without_its_bundle_fails(bundle: Path, tmp_path: Path) -> None:
    alone = tmp_path / "shell"
    alone.write_bytes((bundle / "shell").read_bytes())
    alone.chmod(0o755)

    line = refuse(str(alone), "--test", "shell1", "--seconds", "1", status=1)

    assert line == f"shell: {tmp_path}/busybox: No such file or directory"


def test_compiler_below_a_root_without_one_fails(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    argv = build_argv("C", 1, str(bundle), "/tmp", root=str(tmp_path))

    line = refuse(*argv, status=1)

    assert line == "C: there is no C compiler (cc) here"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_compiler_below_a_root_works_in_its_directory(bundle: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        build_argv("C", 0.1, str(bundle), str(tmp_path), root="/"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert parse_line(done.stdout, "C").count >= 1
    assert list(tmp_path.iterdir()) == []
