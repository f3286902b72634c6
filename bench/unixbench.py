"""A user's own copy of UnixBench 5.1.3 as a peer: its programs built, run and understood.

UnixBench is GPL and no part of this repository: whoever wants the rows that need it says where a copy is. Its programs
are compiled from there anew, so that compiler and flags are those of our workloads and not those of an earlier day.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from peers import PeerMissingError, need
from timing import finish_orphans, run, run_watched

from wirt.bench.workloads import Compiler

COMPILER = "gcc"
STATIC = "-static"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one of its programs says at the end of a pass: ``COUNT|loops|timebase|unit`` and perhaps ``TIME|seconds``."""

    count: float
    timebase: int
    """Seconds that the unit counts by: 1 for lps, 60 for lpm; 0 if the count is a rate already."""
    unit: str
    seconds: float | None
    """How long the program says it took; most do not."""

    def rate(self, seconds: float) -> float:
        """Return the figure in the result's unit, of a pass of ``seconds`` unless the program knew better."""
        if self.timebase == 0:
            return self.count
        return self.count * self.timebase / (self.seconds or seconds)


def parse_result(text: str) -> Result:
    """Return the last result in what a program printed; the file test prints those of its preparations before it.

    Raises:
        RuntimeError: there is none, or it did nothing.
    """
    found = list(re.finditer(r"^COUNT\|([0-9.]+)\|(\d+)\|(\w+)$", text, re.MULTILINE))
    if not found:
        raise RuntimeError(f"no COUNT line of UnixBench in: {text.strip()[-200:]!r}")
    count, timebase, unit = found[-1].groups()
    if float(count) <= 0:
        raise RuntimeError(f"UnixBench's program did nothing: {found[-1].group()}")
    time = re.search(r"^TIME\|([0-9.]+)$", text[found[-1].end() :], re.MULTILINE)
    return Result(
        count=float(count),
        timebase=int(timebase),
        unit=unit,
        seconds=float(time.group(1)) if time else None,
    )


@dataclass(frozen=True, kw_only=True)
class Program:
    """How UnixBench's Makefile builds one of its programs."""

    sources: tuple[str, ...]
    options: tuple[str, ...] = ()
    """After the sources: definitions and libraries."""


PROGRAMS = {
    "dhry2reg": Program(sources=("dhry_1.c", "dhry_2.c"), options=("-DREG=register",)),
    "whetstone-double": Program(
        sources=("whets.c",), options=("-DDP", "-DGTODay", "-DUNIXBENCH", "-lm")
    ),
    "execl": Program(sources=("execl.c",)),
    "fstime": Program(sources=("fstime.c",)),
    "pipe": Program(sources=("pipe.c",)),
    "context1": Program(sources=("context1.c",)),
    "spawn": Program(sources=("spawn.c",)),
    "syscall": Program(sources=("syscall.c",)),
    "looper": Program(sources=("looper.c",)),
}
SCRIPTS = ("multi.sh", "tst.sh")
TEXT = "sort.src"

_COPIES = {"fstime": (1024, 2000), "fsbuffer": (256, 500), "fsdisk": (4096, 8000)}
"""Buffer size and the file's blocks of 1 KiB, as UnixBench's ``Run`` passes them."""
_SHELLS = {"shell1": "1", "shell8": "8", "shell16": "16"}


def program_of(test: str) -> str:
    """Return which of its programs answers the question of our test."""
    if test in _COPIES:
        return "fstime"
    if test in _SHELLS:
        return "looper"
    return "whetstone-double" if test == "whetstone" else test


def build_argv(test: str, seconds: int, place: str, work_dir: str, shell: list[str]) -> list[str]:
    """Return the command line of one pass; ``shell`` is what runs a script, and ``place`` has programs and scripts."""
    program = f"{place}/{program_of(test)}"
    if test == "whetstone":
        return [program]  # it calibrates itself to ten seconds
    if test in _COPIES:
        size, blocks = _COPIES[test]
        limits = ["-b", str(size), "-m", str(blocks)]
        return [program, "-c", "-t", str(seconds), "-d", work_dir, *limits]
    if test in _SHELLS:
        return [program, str(seconds), *shell, f"{place}/multi.sh", _SHELLS[test]]
    return [program, str(seconds)]


def with_bundled_user_land(script: str) -> str:
    """Return one of its scripts with every program called by the path of a busybox, as our scripts call them.

    By bare names busybox's shell would run them inside itself, and nothing would be started.
    """
    script = script.replace("/bin/sh ", '"$BUSYBOX" sh ')
    return re.sub(
        r"(^|\| *)(sort|od|grep|tee|wc|rm)\b", r'\1"$BUSYBOX" \2', script, flags=re.MULTILINE
    )


def flags_of(compiler: Compiler, *, as_shipped: bool) -> list[str]:
    """Return the flags for its programs: those of our workloads, or, as shipped, the same without ``-static``.

    5.1.3's own are ``-O2 -fomit-frame-pointer -fforce-addr -ffast-math -Wall``. Today's gcc ignores ``-fforce-addr``, and
    what is warned of does not change a program; the code is not ours to warn of.
    """
    flags = [flag for flag in compiler.flags.split() if not flag.startswith("-W")]
    return [flag for flag in flags if not (as_shipped and flag == STATIC)]


class UnixBench:
    """Its programs, built in a directory of the caller's.

    Raises:
        PeerMissingError: the copy lacks a file that is needed, or there is no compiler.
    """

    def __init__(self, copy: Path, place: Path, compiler: Compiler, *, as_shipped: bool) -> None:
        need(COMPILER)
        self._copy = copy
        self._place = place
        self._flags = flags_of(compiler, as_shipped=as_shipped)
        self._as_shipped = as_shipped
        place.mkdir()

    def build(self, test: str) -> Path:
        """Compile what ``test`` needs and return the program's path."""
        program = PROGRAMS[program_of(test)]
        sources = [str(self._file("src", source)) for source in program.sources]
        path = self._place / program_of(test)
        command = [COMPILER, *self._flags, "-w", "-DTIME", "-I", str(self._copy / "src")]
        run([*command, "-o", str(path), *sources, *program.options])
        return path

    def take_scripts(self, bundle: Path, work_dir: Path) -> None:
        """Put scripts and text where they are read; as ours have them, unless as shipped."""
        for name in SCRIPTS:
            script = self._file("pgms", name).read_text()
            if not self._as_shipped:
                script = with_bundled_user_land(script)
            (self._place / name).write_text(script)
        text = self._file("testdir", TEXT) if self._as_shipped else bundle / "text"
        shutil.copyfile(text, work_dir / TEXT)

    def measure(self, test: str, seconds: int, bundle: Path, work_dir: Path) -> float:
        """Run one pass on this node and return its figure in the test's unit."""
        shell = ["/bin/sh"] if self._as_shipped else [str(bundle / "busybox"), "sh"]
        said, took = run_watched(
            build_argv(test, seconds, str(self._place), str(work_dir), shell),
            {"UB_BINDIR": str(self._place), "BUSYBOX": str(bundle / "busybox"), "LC_ALL": "C"},
            str(work_dir),
        )
        # The looper ends in the middle of a turn and leaves that to itself.
        finish_orphans()
        # An alarm ends a pass after just the seconds that were asked for. None outlives an exec: execl reads a clock of
        # whole seconds instead, and its pass is as long as it looked from outside.
        return parse_result(said).rate(took if test == "execl" else seconds)

    def _file(self, directory: str, name: str) -> Path:
        path = self._copy / directory / name
        if not path.is_file():
            raise PeerMissingError(f"{self._copy} is no copy of UnixBench 5.1.3: no {path}")
        return path
