"""What a run's file comes to: subjects against the host, and one run against another.

Pure functions of recorded samples. Reports, exports and the command line show what is made here
and compute nothing.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from wirt.bench import caveats, lifecycle, spending, stats, unixbench
from wirt.bench.analysis import Analysis, Clock, Index, NetworkRow, Result, Verdict
from wirt.bench.sample import HOST, HOST_AGAIN, Header, Run, Sample
from wirt.bench.workloads import INDEX_5, WORKLOADS, Group

GROUPS = {
    group.value: tuple(test for test, workload in WORKLOADS.items() if workload.group is group)
    for group in (Group.CPU, Group.IPC, Group.FS)
}
"""The tests of each figure of the report."""
HTTP = "http"
UNIX = "unix"

_HOST_LABEL_ALL = "geometric mean of guest / host over the tests of the UnixBench index, host = 10"
_HOST_LABEL_GROUP = "geometric mean of guest / host over the tests measured in the group, host = 10"


class Cell(NamedTuple):
    """One condition: a test in a subject with so many copies (in ``http``: servers) at once."""

    suite: str
    test: str
    subject: str
    copies: int

    @property
    def name(self) -> str:
        """The cell as ``Finish.capped`` writes it."""
        return f"{self.suite}/{self.test}/{self.subject}/{self.copies}"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Run B against run A; every ``ratio`` is B / A, every ``value`` B's."""

    run_a: str
    run_b: str
    results: list[Result]
    only_a: list[str]
    """Cells, as ``suite/test/subject/copies``, that only run A has."""
    only_b: list[str]
    warnings: list[str]


Series = Mapping[Cell, Mapping[int, float]]
"""For each cell its figure in each block: the geometric mean of the measured passes."""


def series_of(samples: Iterable[Sample]) -> dict[Cell, dict[int, float]]:
    """Gather the measured figures by cell and block.

    Warm-up passes do not count, and neither does a figure of 0 (a server that answered nothing):
    it has no logarithm, and ``caveats`` names it.
    """
    passes: dict[Cell, dict[int, list[float]]] = {}
    for sample in samples:
        if counts(sample):
            passes.setdefault(cell_of(sample), {}).setdefault(sample.block, []).append(sample.value)
    return {
        cell: {block: stats.geometric_mean(values) for block, values in sorted(blocks.items())}
        for cell, blocks in passes.items()
    }


def counts(sample: Sample) -> bool:
    """Say whether a sample enters the figures."""
    return sample.phase == "measure" and math.isfinite(sample.value) and sample.value > 0


def cell_of(sample: Sample) -> Cell:
    """Return the cell that a sample belongs to."""
    return Cell(sample.suite, sample.test, sample.subject, sample.copies)


def baseline_of(cell: Cell) -> Cell | None:
    """Return the host's cell that ``cell`` is measured against; None: the host cannot do such a thing.

    One server on the bare host is the baseline for any number of guests in parallel, as in the
    source's table 3.1.
    """
    if cell.suite == lifecycle.SUITE:
        return None
    return cell._replace(subject=HOST, copies=1 if cell.suite == HTTP else cell.copies)


def block_ratios(series: Series, cell: Cell) -> dict[int, float]:
    """Return guest / host of ``cell`` for each block that has both, for the stopping rule too."""
    baseline = baseline_of(cell)
    return (
        {}
        if baseline is None
        else stats.pair_ratios(series.get(cell, {}), series.get(baseline, {}))
    )


def analyse(run: Run) -> Analysis:
    """Return everything that a report of ``run`` shows."""
    header = run.header
    series = series_of(run.samples)
    units = {cell_of(sample): sample.unit for sample in run.samples}
    capped = set(run.finish.capped) if run.finish else set()
    results = [
        _result(series, cell, units[cell], capped=cell.name in capped, seed=header.seed)
        for cell in sorted(series, key=_order(header))
    ]
    guests = [result for result in results if result.subject != HOST_AGAIN]
    noise_floor = [result for result in results if result.subject == HOST_AGAIN]
    clocks = _clocks(run)
    return Analysis(
        header=header,
        results=guests,
        indices=_indices(run, series),
        network=_network(run),
        noise_floor=noise_floor,
        clocks=clocks,
        efforts=run.efforts,
        failures=run.failures,
        warnings=[
            *caveats.of_environment(header.environment, run.ends),
            *caveats.of_figures(
                run,
                results=guests,
                clocks=clocks,
                outliers=_outliers(series),
                floor=_noise_floor(series),
                noise=noise_floor,
            ),
        ],
        complete=run.finish is not None,
        harness=spending.harness_of(run),
        commands=spending.commands_of(run),
        lifecycle=lifecycle.rows_of(header, run.samples),
    )


def compare_runs(a: Run, b: Run) -> Comparison:
    """Return run ``b`` against run ``a``, cell by cell.

    The blocks of two runs have nothing in common, so nothing is paired and the interval is Welch's.
    """
    series_a, series_b = series_of(a.samples), series_of(b.samples)
    units = {cell_of(sample): sample.unit for sample in b.samples}
    order = _order(b.header)
    results = []
    for cell in sorted(series_a.keys() & series_b.keys(), key=order):
        base, values = list(series_a[cell].values()), list(series_b[cell].values())
        value = stats.geometric_mean(values)
        ratio = value / stats.geometric_mean(base)
        interval = stats.welch_interval(values, base)
        results.append(
            Result(
                **cell._asdict(),
                value=value,
                unit=units[cell],
                n=min(len(values), len(base)),
                ratio=ratio,
                ci_low=interval.low if interval else None,
                ci_high=interval.high if interval else None,
                index=10 * ratio,
                verdict=stats.judge(ratio, interval),
                spread=stats.spread(values),
                capped=False,
            )
        )
    return Comparison(
        run_a=a.header.run,
        run_b=b.header.run,
        results=results,
        only_a=[cell.name for cell in sorted(series_a.keys() - series_b.keys(), key=order)],
        only_b=[cell.name for cell in sorted(series_b.keys() - series_a.keys(), key=order)],
        warnings=caveats.of_pair(a.header, b.header),
    )


def _result(series: Series, cell: Cell, unit: str, *, capped: bool, seed: int) -> Result:
    """Return one cell against the host, which is 1 by definition, and so is its interval."""
    ratios = block_ratios(series, cell)
    blocks = list(ratios or series[cell])
    values = [series[cell][block] for block in blocks]
    baseline = baseline_of(cell)
    host = [] if baseline is None else [series[baseline][block] for block in ratios]
    ratio = stats.geometric_mean(list(ratios.values())) if ratios else None
    interval = stats.ratio_interval(ratios, seed=seed)
    verdict = stats.judge(ratio, interval)
    if cell == baseline:
        interval = stats.Interval(low=1.0, high=1.0)
        verdict = Verdict.BASELINE
    return Result(
        **cell._asdict(),
        value=stats.geometric_mean(values),
        unit=unit,
        n=len(blocks),
        host_value=stats.geometric_mean(host) if host else None,
        ratio=ratio,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        index=10 * ratio if ratio is not None else None,
        verdict=verdict,
        spread=stats.spread(values),
        capped=capped,
        median=statistics.median(values),
    )


def _indices(run: Run, series: Series) -> list[Index]:
    """Return the indices with the host = 10 by group, then those by UnixBench's own rules."""
    subjects = [s.name for s in run.header.subjects if s.name != HOST_AGAIN]
    settings = sorted({cell.copies for cell in series if cell.suite == UNIX})
    found: list[Index | None] = []
    for copies in settings:
        measured = {c.test for c in series if c.suite == UNIX and c.copies == copies}
        for group in ("all", *GROUPS):
            wanted = [test for test in _members(group) if test in measured]
            found += [
                _host_index(series, wanted, group, subject, copies, seed=run.header.seed)
                for subject in subjects
            ]
    rules = unixbench.rules_for(run.header.environment.get("imported_from"))
    for copies in settings:
        for rule in rules:
            found += [_rule_index(run.samples, rule, subject, copies) for subject in subjects]
    return [index for index in found if index is not None]


def _host_index(
    series: Series, wanted: Sequence[str], group: str, subject: str, copies: int, *, seed: int
) -> Index | None:
    """Return 10 * the geometric mean of guest / host over ``wanted``, as far as measured."""
    cells = {test: block_ratios(series, Cell(UNIX, test, subject, copies)) for test in wanted}
    present = {test: ratios for test, ratios in cells.items() if ratios}
    if not present:
        return None
    value = stats.geometric_mean([stats.geometric_mean(list(r.values())) for r in present.values()])
    interval = stats.index_interval(list(present.values()), seed=seed)
    if subject == HOST:
        interval = stats.Interval(low=1.0, high=1.0)
    return Index(
        rule="host=10",
        label=_HOST_LABEL_ALL if group == "all" else _HOST_LABEL_GROUP,
        group=group,
        subject=subject,
        copies=copies,
        value=10 * value,
        ci_low=10 * interval.low if interval else None,
        ci_high=10 * interval.high if interval else None,
        members=list(present),
        n=min(map(len, present.values())),
        missing=[test for test in wanted if test not in present],
    )


def _rule_index(
    samples: Sequence[Sample], rule: unixbench.Rule, subject: str, copies: int
) -> Index | None:
    """Return UnixBench's index of a subject; it has no interval, because UnixBench defines none."""
    passes: dict[str, list[unixbench.Pass]] = {}
    blocks: dict[str, set[int]] = {}
    for sample in samples:
        if counts(sample) and cell_of(sample) == Cell(UNIX, sample.test, subject, copies):
            # A pass of another tool has no count; its rate orders as well.
            count = math.fsum(sample.detail.get("counts", [sample.value]))
            one = unixbench.Pass(rate=sample.value, count=count)
            passes.setdefault(sample.test, []).append(one)
            blocks.setdefault(sample.test, set()).add(sample.block)
    index = unixbench.rule_index(rule, passes)
    if index is None:
        return None
    return Index(
        rule=rule.name,
        label=rule.label,
        group="all",
        subject=subject,
        copies=copies,
        value=index.value,
        ci_low=None,
        ci_high=None,
        members=index.members,
        n=min(map(len, (blocks[test] for test in index.members)), default=0),
        missing=index.missing,
    )


def _members(group: str) -> tuple[str, ...]:
    """Return a group's tests.

    "all" keeps to the tests of the UnixBench index, so that it means the same in every profile.
    """
    return INDEX_5 if group == "all" else GROUPS[group]


def _network(run: Run) -> list[NetworkRow]:
    """Return the columns of the source's table 3.1, a subject with a number of servers each."""
    rows: dict[tuple[int, int], dict[int, list[dict[str, Any]]]] = {}
    places = {subject.name: place for place, subject in enumerate(run.header.subjects)}
    for sample in run.samples:
        known = sample.subject in places and sample.subject != HOST_AGAIN
        if sample.suite == HTTP and counts(sample) and known and "sum" in sample.detail:
            row = rows.setdefault((places[sample.subject], sample.copies), {})
            row.setdefault(sample.block, []).append(sample.detail["sum"])
    names = [subject.name for subject in run.header.subjects]
    return [
        _network_row(names[place], servers, blocks)
        for (place, servers), blocks in sorted(rows.items())
    ]


def _network_row(
    subject: str, servers: int, blocks: Mapping[int, Sequence[Mapping[str, float]]]
) -> NetworkRow:
    def mean(field: str) -> float:
        return _mean([_mean([float(sums[field]) for sums in block]) for block in blocks.values()])

    return NetworkRow(
        subject=subject,
        servers=servers,
        transactions=mean("transactions"),
        data_mb=mean("data_transferred"),
        response_seconds=mean("response_time"),
        rate=mean("transaction_rate"),
        throughput_mb=mean("throughput"),
        concurrency=mean("concurrency"),
        availability=mean("availability"),
        elapsed_seconds=mean("elapsed_time"),
        successful=mean("successful_transactions"),
        failed=mean("failed_transactions"),
        longest_seconds=mean("longest_transaction"),
        shortest_seconds=mean("shortest_transaction"),
        n=len(blocks),
    )


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean, or the arithmetic one where a figure is 0 (no failed transactions)."""
    return stats.geometric_mean(values) if min(values) > 0 else statistics.fmean(values)


def _clocks(run: Run) -> list[Clock]:
    """Compare clocks over every pass, warm-up passes too: a clock has no need to warm up."""
    offsets: dict[str, list[float]] = {}
    # Of Siege and of a guest's life the host's clock is the only one.
    passes = Counter(sample.subject for sample in run.samples if sample.suite == "unix")
    for sample in run.samples:
        if sample.host_seconds:
            offset = abs(sample.seconds / sample.host_seconds - 1)
            offsets.setdefault(sample.subject, []).append(offset)
    return [
        Clock(subject=subject, worst=max(found), stretches=len(found), passes=passes[subject])
        for subject, found in offsets.items()
    ]


def _outliers(series: Series) -> list[str]:
    """Name the blocks whose figure lies far from the others of its cell."""
    return [
        f"{cell.name} block {block + 1}"
        for cell, blocks in series.items()
        for block, far in zip(blocks, stats.outliers(list(blocks.values())), strict=True)
        if far
    ]


def _noise_floor(series: Series) -> float | None:
    again = [cell for cell in series if cell.subject == HOST_AGAIN]
    return stats.noise_floor(
        [ratio for cell in again for ratio in block_ratios(series, cell).values()]
    )


def _order(header: Header) -> Callable[[Cell], tuple[Any, ...]]:
    """Return a sort key for cells: suites and subjects as the header lists them, tests as known."""
    suites = {suite: place for place, suite in enumerate(header.suites)}
    subjects = {subject.name: place for place, subject in enumerate(header.subjects)}
    tests = {test: place for place, test in enumerate(WORKLOADS)}

    def key(cell: Cell) -> tuple[Any, ...]:
        return (
            suites.get(cell.suite, len(suites)),
            cell.suite,
            tests.get(cell.test, len(tests)),
            cell.test,
            cell.copies,
            subjects.get(cell.subject, len(subjects)),
            cell.subject,
        )

    return key
