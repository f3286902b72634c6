"""Measures: sets the subjects up, runs the passes of a block in its order, and writes every sample down at once.

What it records is in ``sample.py``; what the figures mean is decided elsewhere, from the file alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec

from wirt.bench import compare
from wirt.bench.environment import StealMeter
from wirt.bench.plan import is_wanted, order_block
from wirt.bench.results import RunWriter
from wirt.bench.sample import HOST, Effort, Failure, Finish, Planned, Record, Run, Sample
from wirt.bench.subject import Definition, Subject, close_all, make_subject
from wirt.bench.suites import http
from wirt.bench.workloads import Measurement
from wirt.errors import Error
from wirt.ops.context import Context

_CLOCK_SECONDS = 5.0
"""A clock is compared over at least this long: what a command's start takes would drown a shorter look."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, for whoever shows it."""

    text: str
    done: float
    """Share of the work that is done, 0 to 1."""
    seconds_left: float | None


class _Clock(msgspec.Struct):
    """The first pass of a guest: both clocks at its end."""

    guest: float
    host: float


class Runner:
    """One run of a comparison, new or resumed."""

    def __init__(
        self,
        context: Context,
        definition: Definition,
        writer: RunWriter,
        run: Run,
        *,
        cells: Sequence[Planned],
        cpu: int,
        show: Callable[[Progress], None],
    ) -> None:
        """Take up a run where its file ends.

        Args:
            context: the home.
            definition: what its guests have in common.
            writer: where its records go.
            run: what it has so far.
            cells: what is to be measured.
            cpu: the processor that single copies are bound to.
            show: told how far it is.
        """
        self._context = context
        self._definition = definition
        self._writer = writer
        self._run = run
        self._cells = cells
        self._cpu = frozenset({cpu})
        self._show = show
        self._subjects = [subject.name for subject in run.header.subjects]
        self._order = len(run.samples)
        self._clocks: dict[Subject, _Clock] = {}
        self._spent = {"workloads": 0.0, "guests": 0.0}
        self._began = time.monotonic()
        self._steal = StealMeter()
        self._done = 0

    def measure(self) -> Run:
        """Measure until every cell has what it wants, and return the whole run.

        Each subject's failure is recorded and the others go on. An interrupt takes the guests away and is raised on.

        Raises:
            OutOfSpace: a sample could not be written.
        """
        block = self._first_block()
        while wanted := self._wanted(block):
            self._measure_block(block, wanted)
            block += 1
        self._record(
            Finish(
                at=time.time(),
                capped=self._capped(block),
                steal_percent=self._steal.percent(),
                harness={**self._spent, "total": time.monotonic() - self._began},
            )
        )
        return self._run

    def _first_block(self) -> int:
        """Return the block to begin with: one that was interrupted is not gone on with but made again.

        Its guests are gone, so its missing passes would not be paired with the ones that it has.
        """
        return max((sample.block for sample in self._run.samples), default=-1) + 1

    def _capped(self, blocks: int) -> list[str]:
        """Return the cells that would have wanted more blocks than they may have."""
        series = compare.series_of(self._run.samples)
        return [
            _named(subject, cell).name
            for subject in self._subjects
            for cell in self._cells
            if cell.target is not None
            and subject != HOST
            and is_wanted(
                msgspec.structs.replace(cell, most_blocks=blocks + 1),
                blocks,
                list(compare.block_ratios(series, _named(subject, cell)).values()),
            )
        ]

    def _wanted(self, block: int) -> dict[str, list[Planned]]:
        """Return what each subject runs in this block; the host runs all that any other does."""
        series = compare.series_of(self._run.samples)

        def runs(subject: str, cell: Planned) -> bool:
            ratios = compare.block_ratios(series, _named(subject, cell))
            return is_wanted(cell, block, list(ratios.values()))

        guests = [subject for subject in self._subjects if subject != HOST]
        wanted = {
            subject: [cell for cell in self._cells if runs(subject, cell)]
            for subject in guests or self._subjects
        }
        if guests and HOST in self._subjects:
            asked = {(c.suite, c.test, c.copies) for cells in wanted.values() for c in cells}
            web = any(suite == "http" for suite, _, _ in asked)
            wanted[HOST] = [
                cell
                for cell in self._cells
                if (cell.suite, cell.test, cell.copies) in asked or (cell.suite == "http" and web)
            ]
        wanted = {subject: self._runnable(subject, cells) for subject, cells in wanted.items()}
        return {subject: cells for subject, cells in wanted.items() if cells}

    @staticmethod
    def _runnable(subject: str, cells: list[Planned]) -> list[Planned]:
        """Leave out what a subject cannot be: there is one host, whatever number of servers."""
        if subject.startswith(HOST):
            return [cell for cell in cells if cell.suite != "http" or cell.copies == 1]
        return cells

    def _measure_block(self, block: int, wanted: dict[str, list[Planned]]) -> None:
        subjects = {name: make_subject(self._context, self._definition, name) for name in wanted}
        extra: dict[str, list[Subject]] = {}
        self._clocks = {}
        try:
            self._tell(block, "starting guests")
            self._set_up(block, subjects, workloads=True)
            unix = {n: [c for c in wanted[n] if c.suite == "unix"] for n in subjects}
            for name, cell in order_block(unix, seed=self._run.header.seed, block=block):
                if name in subjects:
                    self._tell(block, f"{cell.test} in {name}")
                    self._pass(block, subjects[name], cell)
            extra = self._more_servers(block, subjects, wanted)
            web = {n: [c for c in wanted[n] if c.suite == "http"] for n in subjects}
            for name, cell in order_block(web, seed=self._run.header.seed, block=block):
                self._tell(block, f"Apache in {name}" + (f" x {cell.copies}" * (cell.copies > 1)))
                servers = [subjects[name], *extra.get(name, [])][: cell.copies]
                if len(servers) == cell.copies:
                    self._load(block, servers, cell)
        finally:
            with self._counted("guests"):
                everyone = [*subjects.values(), *(one for more in extra.values() for one in more)]
                failed = close_all(everyone)
        if failed is not None:
            raise failed

    def _set_up(self, block: int, subjects: dict[str, Subject], *, workloads: bool) -> None:
        """Start the subjects side by side; those that fail are recorded, closed and left out."""
        with self._counted("guests"):
            self._each(block, subjects, lambda one: one.launch(self._record, block))
            self._each(
                block, subjects, lambda one: one.settle(self._record, block, workloads=workloads)
            )

    def _each(
        self, block: int, subjects: dict[str, Subject], act: Callable[[Subject], None]
    ) -> None:
        for name in list(subjects):
            try:
                act(subjects[name])
            except Error as error:
                self._fail(block, subjects[name], None, error)
                close_all([subjects.pop(name)])

    def _more_servers(
        self, block: int, subjects: dict[str, Subject], wanted: dict[str, list[Planned]]
    ) -> dict[str, list[Subject]]:
        """Start the further guests that the http suite wants in parallel."""
        made: dict[str, Subject] = {}
        for name in subjects:
            most = max((c.copies for c in wanted[name] if c.suite == "http"), default=1)
            for number in range(2, most + 1):
                made[f"{name} {number}"] = make_subject(
                    self._context, self._definition, name, number
                )
        if made:
            self._tell(block, "starting more web servers")
            self._set_up(block, made, workloads=False)
        more: dict[str, list[Subject]] = {}
        for subject in made.values():
            more.setdefault(subject.subject, []).append(subject)
        return more

    def _pass(self, block: int, subject: Subject, cell: Planned) -> None:
        """Run a warm-up pass and a measured pass of a cell."""
        try:
            if cell.warmup_seconds:
                self._sample(block, subject, cell, "warmup", cell.warmup_seconds)
            self._sample(block, subject, cell, "measure", cell.seconds)
        except Error as error:
            self._fail(block, subject, cell.test, error)
        self._done += 1

    def _sample(
        self, block: int, subject: Subject, cell: Planned, phase: str, seconds: float
    ) -> None:
        cpus = self._cpu if cell.copies == 1 else None
        with self._counted("workloads"), ThreadPoolExecutor(cell.copies) as side_by_side:
            futures = [
                side_by_side.submit(subject.measure, cell.test, seconds, cpus)
                for _ in range(cell.copies)
            ]
            found = [future.result() for future in futures]
        mean_seconds = sum(one.seconds for one in found) / len(found)
        self._record(
            Sample(
                suite=cell.suite,
                test=cell.test,
                subject=subject.subject,
                copies=cell.copies,
                block=block,
                order=self._next(),
                phase=phase,
                value=sum(one.value for one in found),
                unit=found[0].unit,
                seconds=mean_seconds,
                host_seconds=self._host_seconds(subject, found[-1]),
                at=time.time(),
                detail={"counts": [one.count for one in found], "timebase": found[0].timebase},
            )
        )

    def _host_seconds(self, subject: Subject, last: Measurement) -> float | None:
        """Return how long a pass took by the host's clock, from how the two clocks ran since the subject's first pass."""
        end = _Clock(guest=last.start + last.seconds, host=time.monotonic())
        first = self._clocks.setdefault(subject, end)
        if end.host - first.host < _CLOCK_SECONDS or end.guest <= first.guest:
            return None
        return last.seconds * (end.host - first.host) / (end.guest - first.guest)

    def _load(self, block: int, servers: list[Subject], cell: Planned) -> None:
        """Load one or several web servers side by side."""
        subject = servers[0]
        directory = str(self._writer.path.parent)
        try:
            urls = [server.serve() for server in servers]
            with self._counted("workloads"):
                figures = http.warm_up(urls, cell.warmup_seconds, directory=directory)
            self._record_load(block, subject, cell, "warmup", figures)
            requests = http.requests_for(figures, cell.seconds)
            with self._counted("workloads"):
                figures = http.load(urls, requests, directory=directory)
            self._record_load(block, subject, cell, "measure", figures)
        except Error as error:
            self._fail(block, subject, cell.test, error)
        self._done += 1

    def _record_load(
        self, block: int, subject: Subject, cell: Planned, phase: str, detail: dict[str, Any]
    ) -> None:
        self._record(
            Sample(
                suite=cell.suite,
                test=cell.test,
                subject=subject.subject,
                copies=cell.copies,
                block=block,
                order=self._next(),
                phase=phase,
                value=detail["sum"]["transaction_rate"],
                unit=http.UNIT,
                seconds=detail["sum"]["elapsed_time"],
                host_seconds=None,
                at=time.time(),
                detail=detail,
            )
        )

    def _fail(self, block: int, subject: Subject, test: str | None, error: Error) -> None:
        self._record(
            Failure(
                subject=subject.subject,
                block=block,
                test=test,
                message=str(error),
                log=subject.log_tail(),
                at=time.time(),
            )
        )

    def _record(self, record: Record) -> None:
        """Put a record on the disk, then in memory."""
        self._writer.append(record)
        replace = msgspec.structs.replace
        if isinstance(record, Sample):
            self._run = replace(self._run, samples=[*self._run.samples, record])
        elif isinstance(record, Effort):
            self._run = replace(self._run, efforts=[*self._run.efforts, record])
        elif isinstance(record, Failure):
            self._run = replace(self._run, failures=[*self._run.failures, record])
        elif isinstance(record, Finish):
            self._run = replace(self._run, finish=record)

    def _next(self) -> int:
        self._order += 1
        return self._order - 1

    def _tell(self, block: int, text: str) -> None:
        """Say what is next, and guess the time left from the share that is done."""
        total = max(1, self._expected_passes(block))
        share = min(1.0, self._done / total)
        spent = time.monotonic() - self._began
        left = spent * (1 - share) / share if share > 0.02 else None
        self._show(Progress(text=f"block {block + 1}: {text}", done=share, seconds_left=left))

    def _expected_passes(self, block: int) -> int:
        blocks = [
            max(cell.blocks, block + 1) if cell.target else cell.blocks for cell in self._cells
        ]
        return sum(blocks) * len(self._subjects)

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._spent[what] += time.monotonic() - began


def _named(subject: str, cell: Planned) -> compare.Cell:
    return compare.Cell(suite=cell.suite, test=cell.test, subject=subject, copies=cell.copies)
