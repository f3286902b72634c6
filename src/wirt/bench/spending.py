"""What a run cost, summed over the commands that measured it: where the time went, and what the node lost meanwhile.

Runs of format 1 have no ends of blocks; of them only the last command's figures are known.
"""

import math

from wirt.bench.sample import Run


def harness_of(run: Run) -> dict[str, float]:
    """Return seconds by what they were spent on, as of ``BlockEnd``; empty if nobody counted."""
    if not run.ends:
        return run.finish.harness if run.finish else {}
    names = dict.fromkeys(name for end in run.ends for name in end.harness)
    return {name: math.fsum(end.harness.get(name, 0.0) for end in run.ends) for name in names}


def commands_of(run: Run) -> int:
    """Return how many commands measured a run: one, and one more each time that it was resumed."""
    return len({end.command for end in run.ends})


def cut_off(run: Run) -> dict[int, int]:
    """Return the blocks in which a command was killed, so that nothing ended them, and how many passes each has.

    The block that a run has not gone on from may still be measured. Runs of format 1 do not tell.
    """
    ended = {end.block for end in run.ends}
    passes: dict[int, int] = {}
    for sample in run.samples:
        passes[sample.block] = passes.get(sample.block, 0) + (sample.phase == "measure")
    for failure in run.failures:
        passes.setdefault(failure.block, 0)
    for effort in run.efforts:
        passes.setdefault(effort.block, 0)
    last = max(passes, default=0) if run.finish is None else -1
    return {
        block: number
        for block, number in sorted(passes.items())
        if ended and block not in ended and block != last
    }


def steal_percent_of(run: Run) -> float | None:
    """Return the share of CPU time that the layer below took away, percent; None if nobody counted."""
    known = [
        (end.node.cpu_seconds, end.node.stolen_seconds)
        for end in run.ends
        if end.node.cpu_seconds and end.node.stolen_seconds is not None
    ]
    if known:
        cpu, stolen = (math.fsum(values) for values in zip(*known, strict=True))
        return 100 * stolen / cpu
    steal = run.finish.steal_percent if run.finish else None
    return run.header.environment.get("steal_percent") if steal is None else steal
