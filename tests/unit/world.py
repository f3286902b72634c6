"""A node of fakes for the measuring run: subjects with a memory, that fail when they are told to."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.unit import measured

from wirt.bench import results
from wirt.bench.importers.siege import sum_servers
from wirt.bench.runner import Progress, Runner
from wirt.bench.sample import HOST, HOST_AGAIN, Effort, Meanwhile, Planned, Run, Sample
from wirt.bench.sample import Subject as Listed
from wirt.bench.subject import Note
from wirt.bench.suites import http
from wirt.bench.workloads import WORKLOADS, Measurement

CPU = 1
WAY = 0.01
"""Seconds from the node into a guest, and back."""
START = 2.0
"""Seconds that a guest takes to come up."""
TESTS = ("dhry2reg", "pipe", "spawn")
RATES = {HOST: 100.0, HOST_AGAIN: 101.0, "lxc": 99.0, "uml": 5.0}


class World:
    """A node on which time passes only while something is done, and what has been done on it."""

    def __init__(self) -> None:
        self.time = 5000.0
        self.alive: set[str] = set()
        self.made: list[str] = []
        self.passes: list[tuple[str, str, float, frozenset[int] | None]] = []
        self.loads: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
        self.failing: dict[tuple[str, str], BaseException] = {}
        """What happens at (subject, "launch", "settle", "serve", "close" or a test); a BaseException."""
        self.clock_rate: dict[str, float] = {}
        self.noise: Callable[[str, int], float] = lambda name, turn: 1.0
        self.noises: dict[tuple[str, str], Callable[[], float]] = {}
        """The same for a subject's passes of one test."""
        self.before_pass: Callable[[], None] = lambda: None
        self.path: Path | None = None
        self.on_disk: list[int] = []
        """Samples that the file had when each pass began."""
        self.lives: list[str] = []
        """Whose guests were taken through a life, in order."""
        self.looks = 0
        self.stolen = 0.0
        """Seconds of each block that the layer below takes away."""
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Look at the node before a block: a meter's."""
        self.looks += 1

    def end(self) -> Meanwhile:
        """Say how the node was during a block."""
        return Meanwhile(others_percent=1.0, cpu_seconds=100.0, stolen_seconds=self.stolen)

    def make_subject(self, name: str, number: int) -> "FakeSubject":
        return FakeSubject(self, name, number)

    def meet(self, name: str, point: str) -> None:
        if (name, point) in self.failing:
            raise self.failing[name, point]

    def run_pass(
        self, name: str, test: str, seconds: float, cpus: frozenset[int] | None
    ) -> Measurement:
        with self._lock:
            self.before_pass()
            assert self.path is not None
            self.on_disk.append(len(read(self.path).samples))
            self.passes.append((name, test, seconds, cpus))
            self.meet(name, test)
            self.time += WAY
            clock = self.clock_rate.get(name, 1.0)
            noise = self.noises.get((name, test), lambda: self.noise(name, len(self.passes)))
            start, value = self.time * clock, RATES[name] * noise()
            self.time += seconds + WAY
            said = seconds * clock
            workload = WORKLOADS[test]
            return Measurement(
                test=test,
                count=value * said,
                seconds=said,
                timebase=1,
                value=value,
                unit=workload.unit,
                start=start,
                realtime=start,
            )

    def load(self, urls: Sequence[str], requests: Sequence[int]) -> http.Figures:
        """Serve 1,000 requests a second, each server."""
        self.loads.append((tuple(urls), tuple(requests)))
        servers = []
        for number in requests:
            elapsed = number * http.USERS / 1000
            servers.append(
                measured.siege(
                    transactions=number * http.USERS, elapsed_time=elapsed, transaction_rate=1000.0
                )
            )
        total = sum_servers(servers)
        self.time += total["elapsed_time"]
        return {"servers": servers, "sum": total}


class FakeSubject:
    """A guest, or the host, that is or is not there."""

    def __init__(self, world: World, name: str, number: int) -> None:
        self.subject = name
        self._world = world
        self._key = f"{name}-{number}"

    def launch(self, block: int, note: Note) -> None:
        assert self._key not in self._world.alive, f"{self._key} is started twice"
        self._world.made.append(self._key)
        self._world.alive.add(self._key)
        note(Effort(subject=self.subject, step="create", seconds=0.5, block=block))
        self._world.meet(self.subject, "launch")
        self._world.time += START

    def settle(self, block: int, note: Note, *, workloads: bool) -> None:
        assert self._key in self._world.alive
        self._world.meet(self.subject, "settle")
        self._world.meet(self._key, "settle")
        note(Effort(subject=self.subject, step="ready", seconds=1.0, block=block))

    def measure(self, test: str, seconds: float, cpus: frozenset[int] | None) -> Measurement:
        assert self._key in self._world.alive
        return self._world.run_pass(self.subject, test, seconds, cpus)

    def live(self) -> dict[str, float]:
        self._world.meet(self.subject, "life")
        self._world.time += 3.5
        self._world.lives.append(self.subject)
        return {"create": 0.5, "start": 1.0, "stop": 2.0}

    def serve(self) -> str:
        assert self._key in self._world.alive
        self._world.meet(self._key, "serve")
        return f"http://{self._key}/"

    def log_tail(self) -> str | None:
        return None if self.subject == HOST else f"the log of {self._key}"

    def close(self) -> None:
        self._world.alive.discard(self._key)
        self._world.meet(self.subject, "close")


def planned(test: str = "pipe", **changes: object) -> Planned:
    fields = {
        "suite": "unix",
        "test": test,
        "copies": 1,
        "seconds": 1.0,
        "warmup_seconds": 0.2,
        "blocks": 2,
        "most_blocks": 2,
        "target": None,
    }
    return Planned(**{**fields, **changes})  # type: ignore[arg-type]


PLAN = [planned(test) for test in TESTS]
WEB = [
    planned("apache", suite="http", copies=copies, seconds=2.0, warmup_seconds=1.0, blocks=1)
    for copies in (1, 3)
]


class Bench:
    """A run of one file, measured in one or several goes."""

    def __init__(
        self, directory: Path, plan: Sequence[Planned], guests: Sequence[str] = ("lxc", "uml")
    ) -> None:
        self.world = World()
        self.path = results.run_path(directory, "20260101-1200")
        self.world.path = self.path
        self.shown: list[Progress] = []
        header = measured.header(
            subjects=[
                Listed(name=HOST),
                Listed(name=HOST_AGAIN),
                *(Listed(name=name, approach=name) for name in guests),
            ],
            planned=list(plan),
            cpu=CPU,
        )
        results.RunWriter.create(self.path, header).close()

    def go(self) -> Run:
        """Measure, or go on with it, and return the run as the file has it."""
        run, writer = results.open_resume(self.path)
        with writer:
            runner = Runner(
                writer,
                run,
                make_subject=self.world.make_subject,
                load=self.world.load,
                show=self.shown.append,
                now=lambda: self.world.time,
                meter=self.world,
            )
            told = runner.measure()
        found = results.read_run(self.path)
        assert told == found
        return found

    def interrupt_at(self, pass_number: int) -> Run:
        """Measure until a person interrupts the pass of this number, counted from 1."""

        def interrupt() -> None:
            if len(self.world.passes) == pass_number - 1:
                raise KeyboardInterrupt

        self.world.before_pass = interrupt
        with pytest.raises(KeyboardInterrupt):
            self.go()
        self.world.before_pass = lambda: None
        return results.read_run(self.path)


def read(path: Path) -> Run:
    return results.read_run(path)


def of(run: Run, phase: str = "measure") -> list[Sample]:
    return [sample for sample in run.samples if sample.phase == phase]


def counted(run: Run) -> Counter[tuple[str, str, int]]:
    return Counter((sample.subject, sample.test, sample.block) for sample in of(run))
