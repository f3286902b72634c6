"""The answer in five sentences, and the short note on how to read it: made from the analysis and from nothing else."""

from collections.abc import Sequence

import msgspec

from wirt.bench.analysis import Analysis, Clock, Index, Result, Verdict
from wirt.bench.caveats import CLOCK_LIMIT
from wirt.bench.properties import APPROACHES
from wirt.bench.report.wording import count, join_words, round_percent
from wirt.bench.sample import HOST, HOST_AGAIN
from wirt.bench.stats import THRESHOLD, Interval, judge

_SUITS = {approach.name: approach.suits for approach in APPROACHES}


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of work costs under a subject: its ratio to the host, with the interval and the verdict."""

    ratio: float
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
        _say(analysis, "unix", "CPU work", [("for CPU work", cpu)]),
        _say(
            analysis,
            "unix",
            "inter-process communication and the file system",
            [("for inter-process communication", ipc), ("for the file system", fs)],
        ),
        _say(
            analysis,
            "http",
            "web serving",
            [(_name_servers(servers), costs) for servers, costs in web.items()],
        ),
        _say_suits(analysis, [cpu, ipc, fs, web.get(1, {})]),
        _say_trust(analysis),
    ]


def reading_notes(analysis: Analysis) -> list[str]:
    """Return what changes how the answer must be read, for a box beside it; empty if nothing does."""
    notes = []
    if not analysis.complete:
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
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        verdict=judge(ratio, interval),
    )


def _comparisons(analysis: Analysis) -> list[Result]:
    return [result for result in analysis.results if result.subject not in (HOST, HOST_AGAIN)]


def _name_servers(servers: int) -> str:
    if servers == 1:
        return "for web serving with one guest"
    return f"for web serving with {servers} guests in parallel"


def _say(
    analysis: Analysis,
    suite: str,
    work: str,
    parts: Sequence[tuple[str, dict[str, Cost]]],
) -> str:
    told = [f"{lead}, {_compare(costs, guests(analysis))}" for lead, costs in parts if costs]
    silent = [lead for lead, costs in parts if not costs]
    if not told:
        reason = (
            "no guest has a figure to set against the host's"
            if suite in analysis.header.suites
            else f"the suite {suite} was not measured"
        )
        return f"This run says nothing about {work}: {reason}."
    told += [f"{lead}, this run has no figures" for lead in silent]
    sentence = "; ".join(told)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _compare(costs: dict[str, Cost], names: Sequence[str]) -> str:
    """Return one clause for those like the host, those unlike it, those nobody can tell, and those without a figure."""
    by_verdict = {
        verdict: [name for name in names if name in costs and costs[name].verdict is verdict]
        for verdict in Verdict
    }
    clauses = []
    if same := by_verdict[Verdict.SAME]:
        verb = "is" if len(same) == 1 else "are"
        clauses.append(f"{join_words(same)} {verb} not different from the host")
    if different := by_verdict[Verdict.DIFFERENT]:
        whose = "its" if same else "the host's"
        clauses.append(f"{_list_speeds(different, costs, 'at')} of {whose} speed")
    unclear = by_verdict[Verdict.UNCLEAR]
    if rough := [name for name in unclear if costs[name].low is None]:
        speeds = _list_speeds(rough, costs, "at about")
        clauses.append(f"{speeds} of the host's speed (too few blocks for an interval)")
    if doubtful := [name for name in unclear if name not in rough]:
        verb = "differs" if len(doubtful) == 1 else "differ"
        named = join_words([_doubt(name, costs[name]) for name in doubtful])
        clauses.append(f"this run cannot tell whether {named} {verb} from the host")
    if missing := [name for name in names if name not in costs]:
        clauses.append(f"there is no figure for {join_words(missing)}")
    if len(clauses) < 2:
        return "".join(clauses)
    return f"{', '.join(clauses[:-1])}, and {clauses[-1]}"


def _list_speeds(names: Sequence[str], costs: dict[str, Cost], at: str) -> str:
    """Return "uml runs at 95 % and qemu at 5.7 %"."""
    speeds = [f"{name} {at} {round_percent(costs[name].ratio)}" for name in names]
    return join_words(speeds).replace(f" {at}", f" runs {at}", 1)


def _doubt(name: str, cost: Cost) -> str:
    low, high = round_percent(cost.low or 0).removesuffix(" %"), round_percent(cost.high or 0)
    return f"{name} ({low} to {high})"


def _say_suits(analysis: Analysis, work: Sequence[dict[str, Cost]]) -> str:
    clauses: dict[str, list[str]] = {}
    for subject in analysis.header.subjects:
        costs = [kind[subject.name] for kind in work if subject.name in kind]
        if subject.approach in _SUITS and costs:
            clauses.setdefault(_weigh(costs, work[0].get(subject.name)), []).append(
                f"{subject.name} suits {_SUITS[subject.approach]}"
            )
    told = [f"{price}, {join_words(suits)}" for price, suits in clauses.items()]
    if not told:
        told = ["nothing can be said about what suits whom, for no guest was measured"]
    if analysis.header.unavailable:
        told.append(f"{join_words(sorted(analysis.header.unavailable))} could not be measured here")
    sentence = "; ".join(told)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _weigh(costs: Sequence[Cost], cpu: Cost | None) -> str:
    """Return what using an approach costs, as the start of the clause that says what it suits."""
    worst = min(cost.ratio for cost in costs)
    if worst >= 0.9:
        if all(cost.low is not None and cost.low >= 0.9 for cost in costs):
            return "at nearly the host's speed"
        return "at a speed that this run cannot tell from the host's for certain"
    if max(cost.ratio for cost in costs) < 0.5:
        return "where speed does not matter"
    if cpu is not None and cpu.ratio >= 0.8 and worst < 0.5:
        return "for work that computes much and calls the kernel little"
    return f"where {round_percent(worst)} of the host's speed in its worst field is enough"


def _say_trust(analysis: Analysis) -> str:
    compared = [result for result in _comparisons(analysis) if result.ratio is not None]
    if not compared:
        return "There is nothing to trust or doubt, for nothing was compared."
    blocks = max(result.n for result in compared)
    noise = [abs(result.ratio - 1) for result in analysis.noise_floor if result.ratio is not None]
    if blocks < 2:
        ground = "One block gives no intervals, so take every difference as a hint only"
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
    rest = ["every comparison came to a verdict"]
    if unclear:
        rest = [f"{unclear} of {count(len(compared), 'comparison')} came to no verdict"]
    if analysis.failures:
        rest.append(f"{count(len(analysis.failures), 'failure')} happened on the way")
    if not analysis.complete:
        rest.append("the run was interrupted before its end")
    return f"{ground}; {join_words(rest)}."
