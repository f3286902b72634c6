"""What a run still wants, told from its records alone: so that one that was interrupted goes on where it was."""

from wirt.bench import compare, lifecycle, stats
from wirt.bench.compare import Cell
from wirt.bench.plan import is_wanted
from wirt.bench.sample import HOST, HOST_AGAIN, Planned, Run


class Remaining:
    """The cells that a run wants another block of."""

    def __init__(self, run: Run) -> None:
        """Count the blocks that each cell has."""
        self._run = run
        self._planned = run.header.planned
        self._series = compare.series_of(run.samples)
        self._measured: dict[Cell, set[int]] = {}
        for sample in run.samples:
            if sample.phase == "measure":
                self._measured.setdefault(compare.cell_of(sample), set()).add(sample.block)

    def wanted(self) -> dict[str, list[Planned]]:
        """Return what each subject runs in the next block; the host runs what any other is measured against.

        Without any, the run is complete.
        """
        subjects = [subject.name for subject in self._run.header.subjects]
        measured = [name for name in subjects if name != HOST] or [HOST]
        wanted = {name: [p for p in self._planned if self._wants(name, p)] for name in measured}
        needed = {
            compare.baseline_of(cell_of(name, planned))
            for name, cells in wanted.items()
            for planned in cells
        } - {None}
        wanted[HOST] = [planned for planned in self._planned if cell_of(HOST, planned) in needed]
        return {name: wanted[name] for name in subjects if wanted.get(name)}

    def capped(self) -> list[str]:
        """Return the cells that would have wanted more blocks than they may have."""
        return [
            cell_of(subject.name, planned).name
            for subject in self._run.header.subjects
            for planned in self._planned
            if subject.name != HOST and self._is_capped(subject.name, planned)
        ]

    def seconds(self) -> float:
        """Return how long the passes take that are still wanted, at the least."""
        wanted = self.wanted()
        return sum(
            max(planned.blocks - self._blocks(cell_of(name, planned)), 1) * pass_seconds(planned)
            for name, cells in wanted.items()
            for planned in cells
        )

    def _wants(self, subject: str, planned: Planned) -> bool:
        if not can_run(subject, planned):
            return False
        cell = cell_of(subject, planned)
        return is_wanted(planned, self._blocks(cell), self._ratios(cell))

    def _is_capped(self, subject: str, planned: Planned) -> bool:
        ratios = self._ratios(cell_of(subject, planned))
        return (
            planned.target is not None
            and bool(ratios)
            and stats.needs_more(ratios, planned.target, minimum=planned.blocks)
        )

    def _ratios(self, cell: Cell) -> list[float]:
        return list(compare.block_ratios(self._series, cell).values())

    def _blocks(self, cell: Cell) -> int:
        """Return in how many blocks a cell was run, with the host's pass beside it, or failed.

        A block that was interrupted has some of its passes in pairs; those that are not are made again in another
        block, because a figure of another start of the guests cannot be paired with them.
        """
        here = self._measured.get(cell, set())
        baseline = compare.baseline_of(cell)
        pairs = here if baseline is None else here & self._measured.get(baseline, set())
        failed = {
            failure.block
            for failure in self._run.failures
            if failure.subject in (cell.subject, HOST) and failure.test in (None, cell.test)
        }
        return len(pairs | failed)


def cell_of(subject: str, planned: Planned) -> Cell:
    """Return the cell that a planned test is in a subject."""
    return Cell(suite=planned.suite, test=planned.test, subject=subject, copies=planned.copies)


def can_run(subject: str, planned: Planned) -> bool:
    """Say whether a subject can run a test at all: there is one host, whatever the number of servers, and it stays."""
    if planned.suite == lifecycle.SUITE:
        return subject not in (HOST, HOST_AGAIN)
    return subject not in (HOST, HOST_AGAIN) or planned.suite != compare.HTTP or planned.copies == 1


def pass_seconds(planned: Planned) -> float:
    """Return how long a pass takes with the one before it that counts for nothing."""
    return planned.seconds + planned.warmup_seconds
