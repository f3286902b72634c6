"""What a reader must know before believing a run: each caveat is one sentence.

The environment is a dictionary with these keys; a key that is absent or None means "not known" and
warns of nothing:

- ``cpu``: ``model``, ``count``, ``governor`` (such as "performance")
- ``kernel``: its release
- ``load_before``: load average of one minute when the run began
- ``cgroup_limits``: ``cpus``, what the cgroup that the command ran in may use
- ``steal_percent``: CPU time taken away by the layer below, percent, where the end of the run does
  not say it
- ``node_is_guest``: None, or what the node is a guest of ("kvm", "microsoft", ...)
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wirt.bench import spending
from wirt.bench.analysis import Clock, Result, Verdict
from wirt.bench.sample import HOST, HOST_AGAIN, BlockEnd, Header, Run

CLOCK_LIMIT = 0.01
FEW_BLOCKS = 5
LOAD_LIMIT = 0.1
"""Load per CPU before the run."""
NOISE_LIMIT = 0.05
STEAL_LIMIT = 1.0
"""Percent."""


def of_environment(environment: Mapping[str, Any], ends: Sequence[BlockEnd] = ()) -> list[str]:
    """Return the caveats that lie in the node, not in the figures.

    Args:
        environment: facts of the node.
        ends: how it was while each block was measured; without them the load average before the run has to do, which
            counts what was done to set the node up as well.
    """
    found = []
    cpu = environment.get("cpu") or {}
    load, count = environment.get("load_before"), cpu.get("count")
    if ends:
        found += _of_blocks(ends)
    elif load is not None and count and load > LOAD_LIMIT * count:
        found.append(
            f"The node was busy before the run began: load {load:.2f} on {count} CPUs; "
            "stop other work and measure again for figures to rely on."
        )
    quota, usable = (environment.get("cgroup_limits") or {}).get("cpus"), cpu.get("usable")
    if quota is not None and usable and quota < usable:
        found.append(
            f"The cgroup that wirt compare ran in may use {quota:.4g} CPUs, which holds for the host's passes and not for "
            "the guests'; run it where there is no such limit."
        )
    if cpu.get("governor") not in (None, "performance"):
        found.append(
            f"The CPU frequency governor is {cpu['governor']}, so the clock may change between "
            "passes; set it to performance for steady figures."
        )
    if environment.get("node_is_guest"):
        found.append(
            f"The node is itself a guest ({environment['node_is_guest']}), so other guests of its "
            "host may disturb the figures, and emulation below it costs more than on bare metal."
        )
    return found


def _of_blocks(ends: Sequence[BlockEnd]) -> list[str]:
    """Return the caveats that lie in the node while the blocks were measured."""
    found = []
    others = {end.block: end.node.others_percent or 0.0 for end in ends}
    busy = {block: share for block, share in others.items() if share > 100 * LOAD_LIMIT}
    if busy:
        blocks = _listed([str(block + 1) for block in busy])
        found.append(
            f"Other programs used up to {max(busy.values()):.0f} % of the node's CPU time right before "
            f"block{'' if len(busy) == 1 else 's'} {blocks}; stop them and measure again for figures to rely on."
        )
    times = sum(end.node.throttled or 0 for end in ends)
    if times:
        seconds = math.fsum(end.node.throttled_seconds or 0.0 for end in ends)
        found.append(
            f"The CPU quota of the cgroup that wirt compare ran in stopped it {times} times, for {seconds:.1f} s in all; "
            "run it where there is none, for the host's figures are too low."
        )
    hot = sum(end.node.overheated or 0 for end in ends)
    if hot:
        found.append(
            f"The processors slowed down {_count(range(hot), 'time')} because they were hot; cool the machine for steady "
            "figures."
        )
    return found


def of_figures(
    run: Run,
    *,
    results: Sequence[Result],
    clocks: Sequence[Clock],
    outliers: Sequence[str],
    floor: float | None,
    noise: Sequence[Result],
) -> list[str]:
    """Return the caveats that lie in the figures of a run.

    Args:
        run: the run itself.
        results: its cells without those of the second host series.
        clocks: the subjects' clocks.
        outliers: names of the figures far from the others of their cell.
        floor: relative difference that two series of the host stay within, of 20 blocks in 19.
        noise: the cells of the second host series.
    """
    found = []
    if run.finish is None and run.header.is_imported:
        found.append(
            "The file of this imported run ends early, so figures may be missing; wirt results import takes them in again."
        )
    elif run.finish is None:
        found.append(
            "The run has not come to its end, so its figures are incomplete; if nobody is measuring it, "
            f"wirt compare --resume {run.header.run} continues it."
        )
    found += [
        f"The command was killed in block {block + 1}: the {_count(range(passes), 'pass', 'es')} that it had measured in it "
        f"{'counts' if passes == 1 else 'count'}, but what the block took, and how the node was meanwhile, is lost."
        for block, passes in spending.cut_off(run).items()
    ]
    if run.failures:
        names = sorted({failure.subject for failure in run.failures})
        found.append(f"{_count(run.failures, 'failure')} in {_listed(names)}; see the failures.")
    silent = sorted({s.subject for s in run.samples if s.phase == "measure" and s.value <= 0})
    if silent:
        found.append(f"Passes without any result in {_listed(silent)} were left out.")
    blocks = min((r.n for r in results), default=0)
    if results and blocks < FEW_BLOCKS:
        found.append(
            f"Some figures rest on {_count(range(blocks), 'block')} only, so their intervals are "
            "wide or missing."
        )
    off = [
        f"{result.test} by {_percent(abs(result.ratio - 1))}"
        for result in noise
        if result.verdict is Verdict.DIFFERENT and result.ratio is not None
    ]
    if off:
        found.append(
            "The host measured against itself differs where nothing differs: "
            f"{_listed(off)}; take differences of that size between approaches as noise."
        )
    if floor is not None and floor > NOISE_LIMIT:
        found.append(
            f"The machine is noisy: two passes of the host in the same block differ by up to "
            f"{_percent(floor)}; means over more blocks differ less."
        )
    found += [
        f"The clock of {clock.subject} is off by up to {_percent(clock.worst)} against the host's, "
        "so its figures are as uncertain as that."
        for clock in clocks
        if clock.worst > CLOCK_LIMIT and clock.subject not in (HOST, HOST_AGAIN)
    ]
    if unchecked := _unchecked(run, clocks):
        found.append(
            f"The clock of {_listed(unchecked)} could not be told from the host's to 1 %: its passes are too short against "
            "the time that the way into it takes; give it longer ones, with --seconds."
        )
    steal = spending.steal_percent_of(run)
    if steal is not None and steal > STEAL_LIMIT:
        found.append(f"The node's own host took away {steal:.1f} % of its CPU time during the run.")
    capped = run.finish.capped if run.finish else []
    if capped:
        found.append(
            f"The cap was reached before the interval was small enough in "
            f"{_count(capped, 'cell')}: {_listed(capped)}."
        )
    if outliers:
        found.append(
            f"{_count(outliers, 'figure')} far from the others of the same cell, counted all the "
            f"same: {_listed(outliers)}."
        )
    return found


def _unchecked(run: Run, clocks: Sequence[Clock]) -> list[str]:
    """Return the guests whose programs were run and whose clock is nowhere held against the host's."""
    checked = {HOST, HOST_AGAIN, *(clock.subject for clock in clocks)}
    measured = {sample.subject for sample in run.samples if sample.suite == "unix"}
    return [] if run.header.is_imported else sorted(measured - checked)


def of_pair(a: Header, b: Header) -> list[str]:
    """Return what makes two runs differ besides what one wants to compare."""
    found = []
    shared = a.workloads.keys() & b.workloads.keys()
    changed = sorted(name for name in shared if a.workloads[name] != b.workloads[name])
    if changed:
        found.append(
            f"The runs used different binaries of {_listed(changed)}, so a difference may be the "
            "compiler's."
        )
    makers = [h.environment.get("imported_from") or "Wirt" for h in (a, b)]
    if makers[0] != makers[1]:
        found.append(
            f"The runs are of {makers[0]} and {makers[1]}, which need not do or count the same."
        )
    cpus = [(h.environment.get("cpu") or {}).get("model") for h in (a, b)]
    if None not in cpus and cpus[0] != cpus[1]:
        found.append(f"The runs are of different CPUs: {cpus[0]} and {cpus[1]}.")
    kernels = [h.environment.get("kernel") for h in (a, b)]
    if None not in kernels and kernels[0] != kernels[1]:
        found.append(f"The runs are of different kernels: {kernels[0]} and {kernels[1]}.")
    if a.template_sha256 != b.template_sha256:
        found.append(f"The runs used different templates: {_template(a)} and {_template(b)}.")
    if a.profile != b.profile:
        found.append(f"The runs used different profiles: {a.profile} and {b.profile}.")
    return found


def _template(header: Header) -> str:
    return f"{header.template} {header.template_sha256[:12]}" if header.template else "none"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count(things: Sequence[object], noun: str, plural: str = "s") -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else plural}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    """Return a list for a sentence, cut after ``most`` names."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
