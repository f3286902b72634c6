"""The tests of UnixBench as Wirt runs them: what each is called, how it is started, and what its line says.

The programs are those of ``workloads/``, built into a bundle directory that every subject gets a copy of. This module
knows their command lines and their output, and the facts of UnixBench that go with each test (title, durations, baseline,
membership of an index). It runs nothing, and it knows nothing of averages and indices.
"""

import hashlib
from enum import StrEnum
from pathlib import Path

import msgspec

from wirt.errors import Corrupt, Failed, InvalidInput, NotFound

MANIFEST_FORMAT = 1


class Group(StrEnum):
    """Which figure of the report a test belongs to (the source's 3.2, 3.3 and 3.4; ``misc`` is in none)."""

    CPU = "cpu"
    IPC = "ipc"
    FS = "fs"
    MISC = "misc"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One test."""

    id: str
    """What the test is called in plans, results and options, and by its program."""
    title: str
    """What UnixBench's report calls it."""
    unixbench: str
    """UnixBench's own id, by which its results are imported."""
    group: Group
    unit: str
    """lps and lpm: loops a second and a minute; MWIPS; KBps: KiB a second. More is better."""
    program: str
    options: tuple[str, ...] = ()
    """What the program needs to hear to do this test of its family."""
    seconds: int
    """UnixBench's own duration of one pass."""
    passes: int
    """UnixBench's own number of passes."""
    baseline: float | None = None
    """What the SPARCstation "George" did, which is index 10; None if the test never had a baseline."""
    in_index_4_1: bool = False
    """Whether the index of UnixBench 4.1.0 counts it."""
    in_index_5: bool = False
    """Whether the index of UnixBench 5 counts it."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What a program measured in one pass, in its own words."""

    test: str
    count: float
    """Loops, or millions of Whetstone instructions, or KiB."""
    seconds: float
    """How long they took, by the subject's CLOCK_MONOTONIC."""
    timebase: int
    """1: a second, 60: a minute."""
    value: float
    """``count * timebase / seconds``."""
    unit: str
    start: float
    """The subject's CLOCK_MONOTONIC when the pass began, seconds."""
    realtime: float
    """The subject's CLOCK_REALTIME when the pass began, Unix seconds."""


class Compiler(msgspec.Struct, frozen=True, kw_only=True):
    """What the programs were built with."""

    version: str
    libc: str
    flags: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is made of (its ``manifest.json``)."""

    format: int
    compiler: Compiler
    files: dict[str, str]
    """File -> SHA-256, for every program, the busybox and the data."""


_ALL = (
    Workload(
        id="dhry2reg",
        title="Dhrystone 2 using register variables",
        unixbench="dhry2reg",
        group=Group.CPU,
        unit="lps",
        program="dhry2reg",
        seconds=10,
        passes=10,
        baseline=116700.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="whetstone",
        title="Double-Precision Whetstone",
        unixbench="whetstone-double",
        group=Group.CPU,
        unit="MWIPS",
        program="whetstone",
        seconds=10,
        passes=10,
        baseline=55.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="execl",
        title="Execl Throughput",
        unixbench="execl",
        group=Group.IPC,
        unit="lps",
        program="execl",
        seconds=30,
        passes=3,
        baseline=43.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="fstime",
        title="File Copy 1024 bufsize 2000 maxblocks",
        unixbench="fstime",
        group=Group.FS,
        unit="KBps",
        program="fscopy",
        options=("--test", "fstime"),
        seconds=30,
        passes=3,
        baseline=3960.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="fsbuffer",
        title="File Copy 256 bufsize 500 maxblocks",
        unixbench="fsbuffer",
        group=Group.FS,
        unit="KBps",
        program="fscopy",
        options=("--test", "fsbuffer"),
        seconds=30,
        passes=3,
        baseline=1655.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="fsdisk",
        title="File Copy 4096 bufsize 8000 maxblocks",
        unixbench="fsdisk",
        group=Group.FS,
        unit="KBps",
        program="fscopy",
        options=("--test", "fsdisk"),
        seconds=30,
        passes=3,
        baseline=5800.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="pipe",
        title="Pipe Throughput",
        unixbench="pipe",
        group=Group.IPC,
        unit="lps",
        program="pipe",
        seconds=10,
        passes=10,
        baseline=12440.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="context1",
        title="Pipe-based Context Switching",
        unixbench="context1",
        group=Group.IPC,
        unit="lps",
        program="context1",
        seconds=10,
        passes=10,
        baseline=4000.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="spawn",
        title="Process Creation",
        unixbench="spawn",
        group=Group.IPC,
        unit="lps",
        program="spawn",
        seconds=30,
        passes=3,
        baseline=126.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="shell1",
        title="Shell Scripts (1 concurrent)",
        unixbench="shell1",
        group=Group.IPC,
        unit="lpm",
        program="shell",
        options=("--test", "shell1"),
        seconds=60,
        passes=3,
        baseline=42.4,
        in_index_5=True,
    ),
    Workload(
        id="shell8",
        title="Shell Scripts (8 concurrent)",
        unixbench="shell8",
        group=Group.IPC,
        unit="lpm",
        program="shell",
        options=("--test", "shell8"),
        seconds=60,
        passes=3,
        baseline=6.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="shell16",
        title="Shell Scripts (16 concurrent)",
        unixbench="shell16",
        group=Group.IPC,
        unit="lpm",
        program="shell",
        options=("--test", "shell16"),
        seconds=60,
        passes=3,
    ),
    Workload(
        id="syscall",
        title="System Call Overhead",
        unixbench="syscall",
        group=Group.IPC,
        unit="lps",
        program="syscall",
        seconds=10,
        passes=10,
        baseline=15000.0,
        in_index_4_1=True,
        in_index_5=True,
    ),
    Workload(
        id="arithoh",
        title="Arithmetic Test (type = arithoh)",
        unixbench="arithoh",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "arithoh"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="short",
        title="Arithmetic Test (type = short)",
        unixbench="short",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "short"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="int",
        title="Arithmetic Test (type = int)",
        unixbench="int",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "int"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="long",
        title="Arithmetic Test (type = long)",
        unixbench="long",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "long"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="float",
        title="Arithmetic Test (type = float)",
        unixbench="float",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "float"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="double",
        title="Arithmetic Test (type = double)",
        unixbench="double",
        group=Group.CPU,
        unit="lps",
        program="arithmetic",
        options=("--test", "double"),
        seconds=10,
        passes=3,
    ),
    Workload(
        id="C",
        title="C Compiler Throughput",
        unixbench="C",
        group=Group.MISC,
        unit="lpm",
        program="C",
        seconds=60,
        passes=3,
    ),
    Workload(
        id="dc",
        title="Dc: sqrt(2) to 99 decimal places",
        unixbench="dc",
        group=Group.MISC,
        unit="lpm",
        program="dc",
        seconds=30,
        passes=3,
    ),
    Workload(
        id="hanoi",
        title="Recursion Test--Tower of Hanoi",
        unixbench="hanoi",
        group=Group.MISC,
        unit="lps",
        program="hanoi",
        seconds=20,
        passes=3,
    ),
)

WORKLOADS = {workload.id: workload for workload in _ALL}
"""Every test by its id, in the order of UnixBench's index, then the others."""

INDEX_4_1 = tuple(workload.id for workload in _ALL if workload.in_index_4_1)
INDEX_5 = tuple(workload.id for workload in _ALL if workload.in_index_5)


def find_workload(test: str) -> Workload:
    """Return the test of that id.

    Raises:
        InvalidInput: there is none.
    """
    if test not in WORKLOADS:
        raise InvalidInput(
            f"there is no test {test!r}", hint=f"choose one of {', '.join(WORKLOADS)}"
        )
    return WORKLOADS[test]


def build_argv(
    test: str,
    seconds: float,
    bundle_dir: str,
    work_dir: str,
    *,
    root: str | None = None,
) -> list[str]:
    """Return the command line of one pass of ``seconds``, as its subject must run it.

    ``bundle_dir`` is where the bundle is and ``work_dir`` where working files may go, both as the subject sees them.
    With ``root`` the C compiler test runs the compiler below that directory, and ``work_dir`` is a path there: that is
    how the host uses the same compiler as its guests. No other test needs a user land, so they ignore it.

    Raises:
        InvalidInput: there is no such test.
    """
    workload = find_workload(test)
    argv = [f"{bundle_dir}/{workload.program}", *workload.options]
    argv += ["--seconds", f"{seconds:.3f}", "--dir", work_dir]
    if test == "C" and root is not None:
        argv += ["--chroot", root]
    return argv


def parse_line(text: str, test: str) -> Measurement:
    """Return what a program printed on standard output as the measurement of ``test``.

    Raises:
        Failed: it is not one line with a believable measurement of that test.
        InvalidInput: there is no such test.
    """
    workload = find_workload(test)
    if not text.strip():
        raise Failed(f"test {test} printed no result")
    try:
        result = msgspec.json.decode(text, type=Measurement)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Failed(
            f"test {test} printed something else than its result: {error}", detail=text
        ) from error
    if result.test != test or result.unit != workload.unit:
        raise Failed(
            f"test {test} in {workload.unit} printed a result of {result.test} in {result.unit}",
            detail=text,
        )
    if result.count <= 0 or result.seconds <= 0 or result.timebase <= 0:
        raise Failed(f"test {test} did nothing: {text.strip()}")
    if abs(result.value * result.seconds / (result.count * result.timebase) - 1) > 1e-3:
        raise Failed(f"test {test} printed figures that contradict each other: {text.strip()}")
    return result


def load_manifest(directory: Path) -> Manifest:
    """Read the manifest of the bundle in ``directory``, and make sure that the bundle is what it says.

    Raises:
        NotFound: there is no bundle.
        Corrupt: the manifest cannot be read, or a file is not the one it names.
    """
    path = directory / "manifest.json"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise NotFound(
            f"there are no workloads in {directory}",
            hint="build them with: make -C workloads",
        ) from error
    except (OSError, msgspec.DecodeError, UnicodeError) as error:
        raise Corrupt(
            f"{path} cannot be read: {error}", hint="build it again: make -C workloads clean all"
        ) from error
    if manifest.format != MANIFEST_FORMAT:
        raise Corrupt(
            f"{path} has format {manifest.format}, known is {MANIFEST_FORMAT}",
            hint="build it again: make -C workloads clean all",
        )
    for name, expected in manifest.files.items():
        if _digest(directory / name) != expected:
            raise Corrupt(
                f"{directory / name} is not the file that was built",
                hint="build it again: make -C workloads clean all",
            )
    return manifest


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, None if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
