"""The answer in five sentences, and the short note on how to read it: made from the analysis and from nothing else."""

from collections.abc import Mapping, Sequence

import msgspec

from wirt.bench import lifecycle
from wirt.bench.analysis import Analysis, Clock, Index, Result, Verdict
from wirt.bench.caveats import CLOCK_LIMIT
from wirt.bench.properties import APPROACHES
from wirt.bench.report.wording import about_percent, count, join_words, name_few, round_percent
from wirt.bench.sample import HOST, HOST_AGAIN
from wirt.bench.stats import MIN_INTERVAL, THRESHOLD, Interval, judge
from wirt.units import render_seconds

_SLOW = 0.5
_FAST = 0.8
"""Ratios to the host that a reader would call slow, and fast enough."""
_HINT = 2
"""Factor from which on a difference is told even where too few blocks were measured for an interval."""

_SUITS = {approach.name: approach.suits for approach in APPROACHES}


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of work costs under a subject: its ratio to the host, with the interval and the verdict."""

    ratio: float
    blocks: int
    low: float | None
    high: float | None
    verdict: Verdict


def answer(analysis: Analysis) -> list[str]:
    """Return exactly five sentences: CPU, IPC and file system, web serving, what suits, how far to trust it."""
    cpu = group_costs(analysis, "cpu")
    ipc = group_costs(analysis, "ipc")
    fs = group_costs(analysis, "fs")
    web = web_costs(analysis)
    return [
        _say(analysis, "unix", {"CPU work": cpu}),
        _say(analysis, "unix", {"inter-process communication": ipc, "file system work": fs}),
        _say_life(analysis)
        if analysis.lifecycle and not web
        else _say(analysis, "http", {_name_servers(n): costs for n, costs in web.items()}),
        _say_suits(analysis, [cpu, ipc, fs, web.get(1, {})]),
        _say_trust(analysis),
    ]


def reading_notes(analysis: Analysis) -> list[str]:
    """Return what changes how the answer must be read, for a box beside it; empty if nothing does."""
    notes = []
    if not analysis.complete and analysis.header.is_imported:
        notes.append("The file of this imported run ends early; figures may be missing.")
    elif not analysis.complete:
        notes.append("The run was interrupted; the figures below are of the blocks it finished.")
    failed = sorted({failure.subject for failure in analysis.failures})
    if failed:
        notes.append(
            f"{count(len(analysis.failures), 'failure')} in {join_words(failed)}: "
            "those figures are missing or rest on fewer blocks."
        )
    off = [clock for clock in guest_clocks(analysis) if clock.worst > CLOCK_LIMIT]
    if off:
        clocks = join_words([f"{clock.subject} ({round_percent(clock.worst)})" for clock in off])
        notes.append(
            f"The clock of {clocks} differs from the host's; figures taken by it are off by as much."
        )
    capped = [result for result in _comparisons(analysis) if result.capped]
    if capped:
        notes.append(
            f"{count(len(capped), 'comparison')} reached the cap before the interval was as small as the profile "
            "asks; see the verdicts."
        )
    if analysis.warnings:
        notes.append(f"{count(len(analysis.warnings), 'warning')} of the run at the end.")
    return notes


def guests(analysis: Analysis) -> list[str]:
    """Return the names of the subjects that are guests, in the order of the run."""
    return [subject.name for subject in analysis.header.subjects if subject.approach is not None]


def guest_clocks(analysis: Analysis) -> list[Clock]:
    """Return the clocks that may go wrong; the host's own is what they are held against."""
    return [clock for clock in analysis.clocks if clock.subject in guests(analysis)]


def group_costs(analysis: Analysis, group: str) -> dict[str, Cost]:
    """Return what the tests of ``group`` cost with one copy, by guest."""
    return {
        index.subject: _judge(index)
        for index in analysis.indices
        if index.rule == "host=10"
        and index.group == group
        and index.copies == 1
        and index.subject in guests(analysis)
    }


def web_costs(analysis: Analysis) -> dict[int, dict[str, Cost]]:
    """Return what web serving costs, by servers in parallel and guest."""
    costs: dict[int, dict[str, Cost]] = {}
    for result in sorted(_comparisons(analysis), key=lambda result: result.copies):
        if result.suite == "http" and result.ratio is not None:
            costs.setdefault(result.copies, {})[result.subject] = Cost(
                ratio=result.ratio,
                blocks=result.n,
                low=result.ci_low,
                high=result.ci_high,
                verdict=result.verdict,
            )
    return costs


def _judge(index: Index) -> Cost:
    """Judge an index by the rule of the single tests; the analysis gives indices no verdict."""
    ratio, interval = index.value / 10, None
    if index.ci_low is not None and index.ci_high is not None:
        interval = Interval(low=index.ci_low / 10, high=index.ci_high / 10)
    return Cost(
        ratio=ratio,
        blocks=index.n,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        verdict=judge(ratio, interval),
    )


def _comparisons(analysis: Analysis) -> list[Result]:
    return [result for result in analysis.results if result.subject not in (HOST, HOST_AGAIN)]


def _name_servers(servers: int) -> str:
    return f"web serving by {'one guest' if servers == 1 else f'{servers} guests together'}"


def _say(analysis: Analysis, suite: str, work: dict[str, dict[str, Cost]]) -> str:
    """Return the sentence of one or two kinds of work, each with what it costs by guest."""
    if not any(work.values()):
        named = join_words(list(work)) or "web serving"
        if suite not in analysis.header.suites:
            reason = f"the suite {suite} was not measured"
        elif guests(analysis):
            reason = "no guest has a figure to set against the host's"
        else:
            reason = "no guest was measured"
        return f"This run says nothing about {named}: {reason}."
    clauses: list[str] = []
    for kind, costs in work.items():
        clauses.append(_compare(kind, costs, guests(analysis), again=_SPEED in "".join(clauses)))
    return _sentence(clauses)


_SPEED = " of the host's speed"


def _compare(kind: str, costs: dict[str, Cost], names: Sequence[str], *, again: bool) -> str:
    """Return one clause: those like the host, the speeds of the others, those nobody can tell, those without a figure.

    Of those that cannot be told from the host the interval says how slow or fast they may be, where there is one.

    A clause that comes ``again`` after one with speeds need not say whose speed they are parts of.
    """
    if not costs:
        return f"{kind} has no figures"
    same = [name for name in names if name in costs and costs[name].verdict is Verdict.SAME]
    known = [name for name in names if name in costs and _has_speed(costs[name])]
    others = [name for name in names if name in costs and name not in (*same, *known)]
    somewhere = [name for name in others if costs[name].low is not None]
    unclear = [name for name in others if costs[name].low is None]
    missing = [name for name in names if name not in costs]
    told = []
    if same:
        told.append(f"as fast as on the host in {join_words(same)}")
    speeds = []
    if known:
        found = [f"{about_percent(costs[name].ratio)} in {name}" for name in known]
        speeds.append(f"at about {join_words(found)}")
    if somewhere:
        found = [f"{_name_range(costs[name])} in {name}" for name in somewhere]
        speeds.append(f"somewhere between {join_words(found)}")
    if speeds and not again:
        speeds[0] = speeds[0].replace(" %", f" %{_SPEED}", 1)
    told += speeds
    asides = _name_rough(costs, names)
    if unclear and told:
        asides.append(f"cannot tell for {join_words(unclear)}")
    if missing:
        asides.append(f"no figure for {join_words(missing)}")
    aside = f" ({'; '.join(asides)})" if asides else ""
    if not told:
        return f"for {kind} this run cannot tell {join_words(unclear)} from the host{aside}"
    return f"{kind} runs {', and '.join(told)}{aside}"


def _name_range(cost: Cost) -> str:
    """Return the interval of a ratio in words: "91 and 104 %"."""
    assert cost.low is not None
    assert cost.high is not None
    return f"{about_percent(cost.low).removesuffix(' %')} and {about_percent(cost.high)}"


def _name_rough(costs: Mapping[str, Cost], names: Sequence[str]) -> list[str]:
    """Say which figures rest on too few blocks for an interval; without names if all do alike."""
    told = []
    for blocks in (1, 2):
        rough = [name for name in names if name in costs and costs[name].blocks == blocks]
        if rough:
            whose = "" if len(rough) == len(costs) else f" for {join_words(rough)}"
            told.append(f"{name_few(blocks)} only{whose}")
    return told


def _has_speed(cost: Cost) -> bool:
    """Say whether a ratio is worth a number: it is known to differ, or so far off that a block or two are a hint."""
    far = not 1 / _HINT < cost.ratio < _HINT
    return cost.verdict is Verdict.DIFFERENT or (
        cost.verdict is Verdict.UNCLEAR and cost.low is None and far
    )


def _sentence(clauses: Sequence[str]) -> str:
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."


def _say_suits(analysis: Analysis, work: Sequence[dict[str, Cost]]) -> str:
    told: list[str] = []
    for subject in analysis.header.subjects:
        costs = [kind[subject.name] for kind in work if subject.name in kind]
        if subject.approach in _SUITS and costs:
            where = _name_place(costs, work[0].get(subject.name))
            verb = "" if told else "suits "
            told.append(
                f"{subject.name} ({_name_worst(costs)}) {verb}{_SUITS[subject.approach]}{where}"
            )
    if told:
        text = f"counting each at its slowest, {join_words(told)}"
        clauses = [text.replace(" %)", f" %{_SPEED})", 1)]
    else:
        clauses = [
            "nothing can be said about what suits whom, for no guest was set against the host"
        ]
    if analysis.header.unavailable:
        left_out = join_words(sorted(analysis.header.unavailable))
        clauses.append(f"{left_out} could not be measured here")
    return _sentence(clauses)


def _name_worst(costs: Sequence[Cost]) -> str:
    """Return the speed at the kind of work that an approach is slowest at, as far as the run can tell."""
    known = [cost.ratio for cost in costs if _has_speed(cost)]
    if known and min(known) < 1:
        return f"about {about_percent(min(known))}"
    unclear = [
        cost.low for cost in costs if cost.verdict is Verdict.UNCLEAR and not _has_speed(cost)
    ]
    least = [low for low in unclear if low is not None]
    if unclear:
        whole = len(least) == len(unclear)
        return f"at least {about_percent(min(least))}" if whole else "no clear figure"
    return "as fast as the host"


def _name_place(costs: Sequence[Cost], cpu: Cost | None) -> str:
    """Return where the cost of an approach does not hurt, for those that cost much."""
    if cpu is None:
        return ""
    if max(cost.ratio for cost in costs) < _SLOW:
        return " where speed does not matter"
    if cpu.ratio >= _FAST and min(cost.ratio for cost in costs) < _SLOW:
        return " where the work is mostly computing"
    return ""


def _say_life(analysis: Analysis) -> str:
    """Return the sentence that stands for web serving in a run that has none, but lives of guests."""
    whole = [row for row in analysis.lifecycle if row.verb == lifecycle.WHOLE]
    times = join_words([f"{render_seconds(row.seconds)} under {row.subject}" for row in whole])
    return f"A guest's life, from making it to destroying it, takes {times}."


def _say_trust(analysis: Analysis) -> str:
    compared = [result for result in _comparisons(analysis) if result.ratio is not None]
    if not compared:
        return "There is nothing to trust or doubt, for nothing was compared."
    blocks = max(result.n for result in compared)
    noise = [abs(result.ratio - 1) for result in analysis.noise_floor if result.ratio is not None]
    if blocks < MIN_INTERVAL:
        few = "One block gives" if blocks == 1 else "Two blocks give"
        ground = f"{few} no intervals, so take every difference as a hint only"
    elif noise:
        ground = (
            f"The host measured against itself over {count(blocks, 'block')} differed by up to "
            f"{round_percent(max(noise))}, so do not build on smaller differences"
        )
    else:
        ground = (
            f"The host was not measured against itself, so build only on differences well over "
            f"{round_percent(THRESHOLD)}"
        )
    unclear = sum(result.verdict is Verdict.UNCLEAR for result in compared)
    rest = []
    if blocks >= MIN_INTERVAL:
        total = count(len(compared), "comparison")
        rest.append(
            f"{unclear} of {total} came to no verdict"
            if unclear
            else "every comparison came to a verdict"
        )
    if analysis.failures:
        rest.append(f"{count(len(analysis.failures), 'failure')} happened on the way")
    if not analysis.complete:
        rest.append(
            "its file ends early"
            if analysis.header.is_imported
            else "the run was interrupted before its end"
        )
    return f"{'; '.join([ground, join_words(rest)]) if rest else ground}."
