"""The tables of the report as plain values: every format draws the same cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from wirt.bench import lifecycle
from wirt.bench.analysis import Analysis, Index, LifecycleRow, NetworkRow, Result, Verdict
from wirt.bench.caveats import CLOCK_LIMIT
from wirt.bench.properties import ProbedApproach
from wirt.bench.report.text import guest_clocks
from wirt.bench.report.wording import (
    GROUPS,
    count,
    figure,
    fine_index,
    interval,
    name_test,
    percent,
)
from wirt.bench.sample import HOST, HOST_AGAIN
from wirt.bench.workloads import WORKLOADS, Group
from wirt.units import render_bytes, render_seconds

NONE = "-"
"""What a cell without a figure shows."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its heading, and whether it holds numbers (set to the right)."""

    title: str
    numeric: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table; the first cell of a row is its heading."""

    caption: str
    columns: list[Column]
    rows: list[list[str]]
    note: str = ""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one kind of work."""

    title: str
    tables: list[Table]


def build_sections(analysis: Analysis) -> list[Section]:
    """Return the results of every test, by group and number of copies."""
    sections: dict[str, list[Table]] = {}
    for group, title, cells in iterate_tests(analysis):
        where = f"{name_group(group)}, {_name_copies(cells[0])}"
        sections.setdefault(where, []).append(_build_test(title, cells))
    return [Section(title=title, tables=tables) for title, tables in sections.items()]


def iterate_tests(analysis: Analysis) -> Iterator[tuple[str, str, list[Result]]]:
    """Yield each test as its group ("cpu", "ipc", "fs", "misc", "http"), its name and its cells, groups in order."""
    group_of = {test: str(workload.group) for test, workload in WORKLOADS.items()}
    order = [*GROUPS, str(Group.MISC), "http"]
    cells: dict[tuple[str, int, str], list[Result]] = {}
    for result in analysis.results:
        if result.subject != HOST_AGAIN and result.suite != lifecycle.SUITE:
            group = "http" if result.suite == "http" else group_of.get(result.test, str(Group.MISC))
            cells.setdefault((group, result.copies, result.test), []).append(result)
    _add_web_baseline(cells)
    places = [subject.name for subject in analysis.header.subjects]
    keys = sorted(cells, key=lambda key: (order.index(key[0]), key[1]))
    for key in keys:
        group, copies, test = key
        title = _name_load(copies) if group == "http" else name_test(test)
        yield (
            group,
            title,
            sorted(cells[key], key=lambda cell: places.index(cell.subject)),
        )


def _add_web_baseline(cells: dict[tuple[str, int, str], list[Result]]) -> None:
    """Show the bare host's one server beside any number of guests: it is what they are measured against."""
    one = [
        cell
        for (group, copies, _), found in cells.items()
        if group == "http" and copies == 1
        for cell in found
        if cell.subject == HOST
    ]
    for (group, _, _), found in cells.items():
        if group == "http" and all(cell.subject != HOST for cell in found):
            found.extend(one)


def name_group(group: str) -> str:
    """Return the heading of a group of tests."""
    return {**GROUPS, "http": "Web serving", Group.MISC: "Other tests"}[group]


def _name_load(servers: int) -> str:
    return "One guest" if servers == 1 else f"{servers} guests in parallel, summed"


def _name_copies(cell: Result) -> str:
    if cell.suite == "http":
        return "Apache under Siege"
    return "one copy" if cell.copies == 1 else f"{cell.copies} copies at once"


def _build_test(title: str, cells: Sequence[Result]) -> Table:
    # Where a guest misses blocks that the host has, the host's figure in its own row is not what it was divided by.
    uneven = len({cell.n for cell in cells if cell.ratio is not None}) > 1
    rows = [
        [
            cell.subject,
            figure(cell.value),
            *([NONE if cell.host_value is None else figure(cell.host_value)] if uneven else []),
            NONE if cell.ratio is None else percent(cell.ratio),
            NONE
            if cell.verdict is Verdict.BASELINE
            else interval(cell.ci_low, cell.ci_high, cell.n),
            _name_verdict(cell),
        ]
        for cell in cells
    ]
    return Table(
        caption=title,
        columns=[
            Column(title="Where"),
            Column(title=cells[0].unit, numeric=True),
            *([Column(title="host, same blocks", numeric=True)] if uneven else []),
            Column(title="% of host", numeric=True),
            Column(title="95 % interval", numeric=True),
            Column(title="Verdict"),
        ],
        rows=rows,
        note=_name_blocks(cells),
    )


def _name_blocks(cells: Sequence[Result]) -> str:
    if len({cell.n for cell in cells}) == 1:
        return f"{count(cells[0].n, 'block')} each."
    return f"Blocks: {', '.join(f'{cell.subject} {cell.n}' for cell in cells)}."


def _name_verdict(cell: Result) -> str:
    verdict = str(cell.verdict)
    if cell.verdict is Verdict.DIFFERENT and cell.ratio is not None:
        verdict = "different, slower" if cell.ratio < 1 else "different, faster"
    return f"{verdict} (cap reached)" if cell.capped else verdict


def build_indices(analysis: Analysis) -> list[Table]:
    """Return the indices: one table a copies setting with the host = 10, one with UnixBench's own rules."""
    tables = []
    for copies in sorted({entry.copies for entry in analysis.indices}):
        entries = [entry for entry in analysis.indices if entry.copies == copies]
        relative = [entry for entry in entries if entry.rule == "host=10"]
        absolute = [entry for entry in entries if entry.rule != "host=10"]
        label = "one copy" if copies == 1 else f"{copies} copies at once"
        if relative:
            tables.append(
                _build_index(
                    analysis,
                    f"Index with the host = 10, {label}",
                    {"all": "All tests", **GROUPS, "ipc": "IPC"},
                    {(entry.group, entry.subject): entry for entry in relative},
                )
            )
        if absolute:
            rules = {entry.rule: _name_rule(entry.rule) for entry in absolute}
            tables.append(
                _build_index(
                    analysis,
                    f"UnixBench's own indices, {label}",
                    rules,
                    {(entry.rule, entry.subject): entry for entry in absolute},
                )
            )
    return tables


def _name_rule(rule: str) -> str:
    return rule.replace("unixbench-", "UnixBench ").replace("UnixBench 5", "UnixBench 5.x")


def _build_index(
    analysis: Analysis,
    caption: str,
    headings: Mapping[str, str],
    entries: Mapping[tuple[str, str], Index],
) -> Table:
    keys = [key for key in headings if any(key == entry_key for entry_key, _ in entries)]
    rows = []
    for subject in analysis.header.subjects:
        cells = [entries.get((key, subject.name)) for key in keys]
        if any(cells) and subject.name != HOST_AGAIN:
            rows.append([subject.name, *(_show_index(cell) for cell in cells)])
    return Table(
        caption=caption,
        columns=[
            Column(title="Where"),
            *(Column(title=headings[key], numeric=True) for key in keys),
        ],
        rows=rows,
        note=_explain_indices(list(entries.values())),
    )


def _show_index(entry: Index | None) -> str:
    if entry is None:
        return NONE
    text = fine_index(entry.value)
    if entry.ci_low is not None and entry.ci_high is not None and entry.subject != HOST:
        text += f" ({fine_index(entry.ci_low)}-{fine_index(entry.ci_high)})"
    return f"{text} partial" if entry.missing else text


def _explain_indices(entries: Sequence[Index]) -> str:
    labels = list(dict.fromkeys(entry.label.rstrip(".") for entry in entries))
    missing = sorted({test for entry in entries for test in entry.missing})
    note = "; ".join(label[0].upper() + label[1:] for label in labels) + "."
    if any(entry.ci_low is not None for entry in entries):
        note += " In brackets the 95 % interval."
    if missing:
        note += f" Partial: without {', '.join(missing)}."
    return note


_NETWORK_ROWS: tuple[tuple[str, Callable[[NetworkRow], str]], ...] = (
    ("Transactions, sum", lambda row: f"{row.transactions:,.0f}"),
    ("Data transferred, sum (MB)", lambda row: figure(row.data_mb)),
    ("Mean response time, sum (s)", lambda row: f"{row.response_seconds:.3f}"),
    ("Transaction rate, sum (1/s)", lambda row: figure(row.rate)),
    ("Throughput, sum (MB/s)", lambda row: figure(row.throughput_mb)),
    ("Concurrency, sum", lambda row: f"{row.concurrency:.1f}"),
    ("Availability (%)", lambda row: f"{row.availability:.2f}"),
    ("Elapsed time, longest (s)", lambda row: f"{row.elapsed_seconds:.2f}"),
    ("Successful transactions, sum", lambda row: f"{row.successful:,.0f}"),
    ("Failed transactions, sum", lambda row: f"{row.failed:,.0f}"),
    ("Longest transaction (s)", lambda row: f"{row.longest_seconds:.2f}"),
    ("Shortest transaction (s)", lambda row: f"{row.shortest_seconds:.2f}"),
    ("Blocks", lambda row: str(row.n)),
)


def build_network(analysis: Analysis) -> Table | None:
    """Return the source's table 3.1: the sums of Siege's figures, a column for each subject and number of servers."""
    if not analysis.network:
        return None
    places = [subject.name for subject in analysis.header.subjects]
    network = sorted(analysis.network, key=lambda row: (places.index(row.subject), row.servers))
    return Table(
        caption="Siege against Apache, as in table 3.1",
        columns=[
            Column(title="Siege's figure"),
            *(Column(title=_name_network(row), numeric=True) for row in network),
        ],
        rows=[[title, *(show(row) for row in network)] for title, show in _NETWORK_ROWS],
        note="x N: that many servers loaded at the same time, their figures summed. Geometric means over the blocks, "
        "as in the results test by test; arithmetic ones where a block's figure is 0. There and in the figures the rate of several "
        "servers is what all of them answered until the last was done, so it may be lower than this sum.",
    )


def _name_network(row: NetworkRow) -> str:
    return f"{row.subject} x {row.servers}"


_VERBS = {
    "create": "Make it",
    "start": "Start its first process",
    "ready": "Until it takes a command",
    "answer": "From then until its web server answers",
    "checkpoint": "Keep its memory, and end it",
    "resume": "Let it go on from there",
    "stop": "Shut it down",
    "clone": "Clone it",
    "destroy": "Destroy it",
    lifecycle.WHOLE: "All of it",
    "migrate": "Let another go live to a second home",
    "downtime": "While that did not answer",
}


def build_lifecycle(analysis: Analysis) -> Table | None:
    """Return how long the verbs take: a row each, a column for each approach."""
    if not analysis.lifecycle:
        return None
    rows = {(row.verb, row.subject): row for row in analysis.lifecycle}
    known = {subject for _, subject in rows}
    subjects = [one.name for one in analysis.header.subjects if one.name in known]
    return Table(
        caption="A guest's life, verb by verb",
        columns=[
            Column(title="Verb"),
            *(Column(title=subject, numeric=True) for subject in subjects),
        ],
        rows=[
            [title, *(_show_seconds(rows.get((verb, subject))) for subject in subjects)]
            for verb, title in _VERBS.items()
            if any((verb, subject) in rows for subject in subjects)
        ],
        note=_explain_lifecycle(analysis.lifecycle),
    )


def _explain_lifecycle(rows: Sequence[LifecycleRow]) -> str:
    blocks = max(row.n for row in rows)
    brackets = ", in brackets the 95 % interval" if any(row.ci_low for row in rows) else ""
    means = f"Geometric means over {blocks} blocks" if blocks > 1 else "One block"
    return f"{means}{brackets}. A dash: the approach has no such verb."


def _show_seconds(row: LifecycleRow | None) -> str:
    if row is None:
        return NONE
    text = render_seconds(row.seconds)
    if row.ci_low is None or row.ci_high is None:
        return text
    return f"{text} ({render_seconds(row.ci_low)} - {render_seconds(row.ci_high)})"


def build_approaches(approaches: Sequence[ProbedApproach]) -> Table:
    """Return the analysis table: what each approach is, can do, and could do on this node."""
    titles = (
        "Approach",
        "Kind",
        "Products in 2006",
        "Products now",
        "How it works",
        "Own kernel",
        "Guests",
        "Isolation",
        "Resources",
        "Effort",
        "On this node",
    )
    rows = [
        [
            f"{one.approach.name}: {one.approach.title}",
            one.approach.kind,
            one.approach.products_2006,
            one.approach.products_now,
            one.approach.principle,
            "yes" if one.approach.own_kernel else "no, the host's",
            one.approach.guests,
            one.approach.isolation,
            one.approach.resources,
            one.approach.effort,
            _name_capability(one),
        ]
        for one in approaches
    ]
    return Table(
        caption="The approaches: kind, products, properties, and whether this node can",
        columns=[Column(title=title) for title in titles],
        rows=rows,
    )


def _name_capability(one: ProbedApproach) -> str:
    if one.available is None:
        return "not probed"
    state = "yes" if one.available else "no"
    if one.available and not one.measured:
        state = "yes, but not measured in this run"
    return f"{state}: {one.reason}" if one.reason else state


def build_noise(analysis: Analysis) -> Table | None:
    """Return the noise floor: what the host shows against itself."""
    rows = [
        [
            name_test(cell.test) if cell.suite != "http" else "Web serving",
            str(cell.copies),
            NONE if cell.ratio is None else percent(cell.ratio),
            interval(cell.ci_low, cell.ci_high, cell.n),
            NONE if cell.spread is None else percent(cell.spread),
            str(cell.n),
        ]
        for cell in analysis.noise_floor
    ]
    if not rows:
        return None
    return Table(
        caption="Noise floor: the host measured against itself",
        columns=[
            Column(title="Test"),
            Column(title="Copies", numeric=True),
            Column(title="% of host", numeric=True),
            Column(title="95 % interval", numeric=True),
            Column(title="Spread over blocks (%)", numeric=True),
            Column(title="Blocks", numeric=True),
        ],
        rows=rows,
        note="Without noise every line would be 100 %.",
    )


def build_clocks(analysis: Analysis) -> Table | None:
    """Return the check of the guests' clocks against the host's."""
    clocks = guest_clocks(analysis)
    if not clocks:
        return None
    return Table(
        caption="The guests' clocks against the host's",
        columns=[
            Column(title="Where"),
            Column(title="Largest difference (%)", numeric=True),
            Column(title="Stretches checked", numeric=True),
            Column(title="Judgement"),
        ],
        rows=[
            [
                clock.subject,
                f"{100 * clock.worst:.2f}",
                f"{clock.stretches} of {count(clock.passes, 'pass', 'passes')}",
                "more than 1 %: doubtful" if clock.worst > CLOCK_LIMIT else "in order",
            ]
            for clock in clocks
        ],
        note="A stretch goes from the end of a pass back to the end of the nearest one before from which on the clocks can be "
        "told apart to 1 %, whatever time the way into the guest takes; under an emulator that is some passes.",
    )


def build_environment(analysis: Analysis) -> Table | None:
    """Return the facts of the node, one a row; None if the run recorded none."""
    facts = {
        key: _IN_WORDS[key](value) if key in _IN_WORDS else value
        for key, value in analysis.header.environment.items()
        if key != "approaches"
    }
    if not facts:
        return None
    return Table(
        caption="The node and its state at the start of the run",
        columns=[Column(title="Fact"), Column(title="Value")],
        rows=[[name, value] for name, value in _flatten(facts)],
    )


def _gather_unaffected(mitigations: object) -> object:
    """Put the flaws that the processor does not have into one row; they are most."""
    if not isinstance(mitigations, Mapping):
        return mitigations
    spared = [name for name, state in mitigations.items() if state == "Not affected"]
    found: dict[str, object] = {
        name: state for name, state in mitigations.items() if name not in spared
    }
    return {**found, "not affected by": [name.replace("_", " ") for name in spared]}


def _name_limits(limits: object) -> object:
    """Say of what a cgroup does not bound that it does not: it is not unknown."""
    if not isinstance(limits, Mapping):
        return limits
    return {
        name.removesuffix("_bytes") if value is None else name: "none" if value is None else value
        for name, value in limits.items()
    }


_IN_WORDS: Mapping[str, Callable[[object], object]] = {
    "mitigations": _gather_unaffected,
    "cgroup_limits": _name_limits,
}
_LONGEST_VALUE = 240


def _flatten(facts: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}: ")
            continue
        if isinstance(value, int) and key.endswith("_bytes"):
            yield name.removesuffix(" bytes"), render_bytes(value)
            continue
        if isinstance(value, bool):
            text = "yes" if value else "no"
        elif isinstance(value, float):
            text = f"{value:.4g}"
        elif isinstance(value, list):
            text = ", ".join(map(str, value)) or "none"
        else:
            text = "unknown" if value is None or value == "" else str(value)
        if len(text) > _LONGEST_VALUE:
            text = f"{text[:_LONGEST_VALUE]}... (in full in the results file)"
        yield name, text
