"""Measures: sets the subjects up, runs the passes of a block in its order, and writes every sample down at once.

What it records is in ``sample.py``; what is still to be measured is told from the records by ``remaining.py``; what the
figures mean is decided elsewhere, from the file alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from wirt.bench import lifecycle
from wirt.bench.clock import ClockCheck
from wirt.bench.meter import Meter, NodeMeter
from wirt.bench.parallel import side_by_side
from wirt.bench.plan import order_block
from wirt.bench.remaining import Remaining, pass_seconds
from wirt.bench.results import RunWriter
from wirt.bench.sample import BlockEnd, Effort, Failure, Finish, Planned, Run, Sample
from wirt.bench.subject import Note, Subject, close_all
from wirt.bench.suites import http
from wirt.errors import Error

Result = TypeVar("Result")
_TICK = 1e-6
"""Seconds that a verb takes at the least: no clock here tells shorter times from none."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, for whoever shows it."""

    text: str
    done: float
    """Share of the work that is done, 0 to 1."""
    seconds_left: float | None


class Runner:
    """One run of a comparison, new or resumed."""

    def __init__(
        self,
        writer: RunWriter,
        run: Run,
        *,
        make_subject: Callable[[str, int], Subject],
        load: http.Load,
        show: Callable[[Progress], None],
        now: Callable[[], float] = time.monotonic,
        meter: Meter | None = None,
    ) -> None:
        """Take up a run where its file ends.

        Args:
            writer: where its records go.
            run: what it has so far.
            make_subject: gives the subject of a name, and of a number where several servers of a kind are wanted.
            load: loads web servers.
            show: told how far it is.
            now: the node's clock, seconds.
            meter: watches the node during each block.
        """
        self._writer = writer
        self._run = run
        self._make_subject = make_subject
        self._load = load
        self._show = show
        self._now = now
        self._one_cpu = None if run.header.cpu is None else frozenset({run.header.cpu})
        self._clocks: dict[str, ClockCheck] = {}
        self._spent = {"workloads": 0.0, "guests": 0.0}
        """Seconds of the block, by what they were spent on."""
        self._began = self._block_began = now()
        self._command = time.time()
        self._meter = meter or NodeMeter()
        self._block = 0
        self._before = sum(sample.seconds for sample in run.samples)
        """Seconds of passes that the run had when it was taken up."""
        self._done = 0.0
        """Seconds of passes since, as planned; so is what is ``left``."""
        self._left = 0.0

    def measure(self) -> Run:
        """Measure until every cell has what it wants, and return the whole run.

        Each subject's failure is recorded and the others go on. An interrupt takes the guests away and is raised on.

        Raises:
            OutOfSpace, Failed: a record could not be written.
        """
        self._block = self._first_block()
        while wanted := Remaining(self._run).wanted():
            self._left = Remaining(self._run).seconds()
            self._meter.begin()
            try:
                self._measure_block(wanted)
            finally:
                # Of an interrupted block too: its passes count, and it took its time.
                self._end_block()
            self._block += 1
        self._record(
            Finish(
                at=time.time(),
                capped=Remaining(self._run).capped(),
            )
        )
        return self._run

    def _end_block(self) -> None:
        """Record what the block took."""
        now = self._now()
        self._record(
            BlockEnd(
                block=self._block,
                command=self._command,
                harness={**self._spent, "total": now - self._block_began},
                node=self._meter.end(),
            )
        )
        self._spent = dict.fromkeys(self._spent, 0.0)
        self._block_began = now

    def _first_block(self) -> int:
        """Return the number of the block to begin with; one that was interrupted is not gone on with.

        Its guests are gone: a pass in fresh ones belongs to another block.
        """
        run = self._run
        blocks = [sample.block for sample in run.samples]
        blocks += [failure.block for failure in run.failures]
        blocks += [effort.block for effort in run.efforts]
        blocks += [end.block for end in run.ends]
        return max(blocks, default=-1) + 1

    def _measure_block(self, wanted: dict[str, list[Planned]]) -> None:
        """Run what is wanted in a random order: first all programs, then the lives of guests, then the web servers, of which there may be more."""
        made: list[Subject] = []
        self._clocks = {}
        seed = self._run.header.seed
        unix = {name: [p for p in cells if p.suite == "unix"] for name, cells in wanted.items()}
        lives = {n: [p for p in cells if p.suite == lifecycle.SUITE] for n, cells in wanted.items()}
        web = {name: [p for p in cells if p.suite == "http"] for name, cells in wanted.items()}
        try:
            self._tell("starting guests")
            first = {name: self._make_subject(name, 1) for name in wanted}
            working = [first[name] for name in wanted if unix[name] or web[name]]
            up = self._set_up(made, working, workloads=any(unix.values()))
            for name, planned in order_block(unix, seed=seed, block=self._block):
                if first[name] in up:
                    self._tell(f"{planned.test} in {name}")
                    self._run_pass(first[name], planned)
                self._count(planned)
            for name, planned in order_block(lives, seed=seed, block=self._block):
                if first[name] in up or first[name] not in working:
                    self._tell(f"life of a guest under {name}")
                    self._run_life(first[name], planned)
                self._count(planned)
            more = {
                name: self._more_servers(name, web[name]) if first[name] in up else []
                for name in web
            }
            if any(more.values()):
                self._tell("starting more web servers")
                up += self._set_up(made, [one for some in more.values() for one in some])
            for name, planned in order_block(web, seed=seed, block=self._block):
                servers = [first[name], *more[name]][: planned.copies]
                if all(server in up for server in servers):
                    self._tell(f"Apache in {name}" + f" x {len(servers)}" * (len(servers) > 1))
                    self._run_load(servers, planned)
                self._count(planned)
        finally:
            self._close(made)

    def _more_servers(self, name: str, web: Sequence[Planned]) -> list[Subject]:
        """Return the further subjects that a block wants in parallel with the first."""
        most = max((planned.copies for planned in web), default=1)
        return [self._make_subject(name, number) for number in range(2, most + 1)]

    def _set_up(
        self, made: list[Subject], subjects: list[Subject], *, workloads: bool = False
    ) -> list[Subject]:
        """Start subjects and return those that are ready for work; the others are recorded and closed.

        They come up side by side, so the time that each takes is that of a node which starts them all.

        Args:
            made: gets them all, whatever happens: for whoever closes them.
            subjects: what is to be started.
            workloads: True if programs will be run in them.
        """
        made += subjects
        with self._counted("guests"):
            # The slowest to come up, which stand last, are started first: nobody's time is then another's start.
            launched = [
                one
                for one in reversed(subjects)
                if self._keep(one, _try(partial(one.launch, self._block)))
            ]
            settled = side_by_side(
                [
                    partial(_try, partial(one.settle, self._block, workloads=workloads))
                    for one in launched
                ]
            )
            return [
                one for one, tried in zip(launched, settled, strict=True) if self._keep(one, tried)
            ]

    def _keep(self, subject: Subject, tried: "_Tried") -> bool:
        """Record what came of a step of setting a subject up and say whether it can be gone on with."""
        for effort in tried.efforts:
            self._record(effort)
        if tried.error is None:
            return True
        self._fail(subject, None, tried.error)
        close_all(
            [subject]
        )  # its memory is wanted; what is left of it is closed again at the end of the block
        return False

    def _close(self, subjects: list[Subject]) -> None:
        with self._counted("guests"):
            failed = close_all(subjects)
        for subject, error in failed:
            self._fail(subject, None, error)

    def _run_pass(self, subject: Subject, planned: Planned) -> None:
        """Run a warm-up pass and a measured pass."""
        for phase, seconds in (("warmup", planned.warmup_seconds), ("measure", planned.seconds)):
            if not seconds:
                continue
            measure = partial(self._measure, subject, planned, phase, seconds)
            sample = self._attempt(subject, planned.test, measure)
            if sample is None:
                return
            self._record(sample)

    def _measure(self, subject: Subject, planned: Planned, phase: str, seconds: float) -> Sample:
        cpus = self._one_cpu if planned.copies == 1 else None
        begin = self._now()
        found = side_by_side(
            [partial(subject.measure, planned.test, seconds, cpus)] * planned.copies
        )
        end = self._now()
        mean_seconds = sum(one.seconds for one in found) / planned.copies
        last = max(found, key=lambda one: one.start + one.seconds)
        clock = self._clocks.setdefault(subject.subject, ClockCheck())
        host_seconds = clock.host_seconds(
            guest_end=last.start + last.seconds,
            seconds=last.seconds,
            host_begin=begin,
            host_end=end,
        )
        self._spent["workloads"] += mean_seconds
        return Sample(
            suite=planned.suite,
            test=planned.test,
            subject=subject.subject,
            copies=planned.copies,
            block=self._block,
            order=len(self._run.samples),
            phase=phase,
            value=sum(one.value for one in found),
            unit=found[0].unit,
            seconds=mean_seconds,
            # The clocks' rate, as the last copy shows it, for the mean of all.
            host_seconds=None
            if host_seconds is None
            else host_seconds * mean_seconds / last.seconds,
            at=time.time(),
            detail={
                "counts": [one.count for one in found],
                "timebase": found[0].timebase,
                "clock": {
                    "guest_end": last.start + last.seconds,
                    "host_begin": begin,
                    "host_end": end,
                },
            },
        )

    def _run_life(self, subject: Subject, planned: Planned) -> None:
        """Take a guest of a subject's kind through its life; every verb of it is a sample."""
        with self._counted("workloads"):
            seconds = self._attempt(subject, planned.test, subject.live)
        if seconds is None:
            return
        whole = sum(took for verb, took in seconds.items() if verb not in lifecycle.ASIDE)
        for verb, took in {**seconds, lifecycle.WHOLE: whole}.items():
            self._record(
                Sample(
                    suite=planned.suite,
                    test=verb,
                    subject=subject.subject,
                    copies=planned.copies,
                    block=self._block,
                    order=len(self._run.samples),
                    phase="measure",
                    value=1 / max(took, _TICK),
                    unit=lifecycle.UNIT,
                    seconds=took,
                    host_seconds=None,
                    at=time.time(),
                )
            )

    def _run_load(self, servers: Sequence[Subject], planned: Planned) -> None:
        """Load one or several web servers side by side, first to warm them up."""
        urls: list[str] = []
        for server in servers:
            url = self._attempt(server, planned.test, server.serve)
            if url is None:
                return
            urls.append(url)
        warm_up = partial(http.warm_up, self._loaded, urls, planned.warmup_seconds)
        figures = self._attempt(servers[0], planned.test, warm_up)
        if figures is None:
            return
        self._record(self._web_sample(servers[0], planned, "warmup", figures))
        load = partial(self._loaded, urls, http.requests_for(figures, planned.seconds))
        figures = self._attempt(servers[0], planned.test, load)
        if figures is not None:
            self._record(self._web_sample(servers[0], planned, "measure", figures))

    def _loaded(self, urls: Sequence[str], requests: Sequence[int]) -> http.Figures:
        figures = self._load(urls, requests)
        self._spent["workloads"] += figures["sum"]["elapsed_time"]
        return figures

    def _web_sample(
        self, subject: Subject, planned: Planned, phase: str, figures: http.Figures
    ) -> Sample:
        return Sample(
            suite=planned.suite,
            test=planned.test,
            subject=subject.subject,
            copies=planned.copies,
            block=self._block,
            order=len(self._run.samples),
            phase=phase,
            value=http.rate_of(figures),
            unit=http.UNIT,
            seconds=figures["sum"]["elapsed_time"],
            host_seconds=None,
            at=time.time(),
            detail=figures,
        )

    def _attempt(self, subject: Subject, test: str, act: Callable[[], Result]) -> Result | None:
        """Do something with a subject and return what came of it; None if it failed, which is recorded."""
        try:
            return act()
        except Error as error:
            self._fail(subject, test, error)
            return None

    def _fail(self, subject: Subject, test: str | None, error: Error) -> None:
        log = subject.log_tail() or error.detail
        self._record(
            Failure(
                subject=subject.subject,
                block=self._block,
                test=test,
                # A hint to look at the log would lead nowhere: the guest goes, and its log's end comes along.
                message=error.message if log else str(error),
                log=log,
                at=time.time(),
            )
        )

    def _record(self, record: Sample | Effort | Failure | BlockEnd | Finish) -> None:
        """Put a record on the disk, then in memory."""
        self._writer.append(record)
        run, replace = self._run, msgspec.structs.replace
        match record:
            case Sample():
                self._run = replace(run, samples=[*run.samples, record])
            case Effort():
                self._run = replace(run, efforts=[*run.efforts, record])
            case Failure():
                self._run = replace(run, failures=[*run.failures, record])
            case BlockEnd():
                self._run = replace(run, ends=[*run.ends, record])
            case Finish():
                self._run = replace(run, finish=record)

    def _count(self, planned: Planned) -> None:
        """Count a pass as done, whatever came of it."""
        self._done += pass_seconds(planned)
        self._left = max(0.0, self._left - pass_seconds(planned))

    def _tell(self, text: str) -> None:
        """Say what is next, and guess the time left from how long what is done has taken."""
        done = self._before + self._done
        share = done / (done + self._left) if done else 0.0
        spent = self._now() - self._began
        left = spent * self._left / self._done if self._done else None
        self._show(Progress(text=f"block {self._block + 1}: {text}", done=share, seconds_left=left))

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        began = self._now()
        try:
            yield
        finally:
            self._spent[what] += self._now() - began


class _Tried(NamedTuple):
    """What came of a step of setting a subject up."""

    efforts: list[Effort]
    error: Error | None


def _try(act: Callable[[Note], None]) -> _Tried:
    """Do a step, perhaps beside others: what it notes is kept until the main thread can record it."""
    efforts: list[Effort] = []
    try:
        act(efforts.append)
    except Error as error:
        return _Tried(efforts, error)
    return _Tried(efforts, None)
