"""The suite ``lifecycle``: how long a guest's verbs take, from ``create`` to ``destroy``, under each approach.

There is no host to measure against, for it has no such verbs: the figures are seconds, the approaches stand side by side. In
the file they are rates, "a second", so that more is better there as everywhere.
"""

from collections.abc import Mapping, Sequence

from wirt.bench import stats
from wirt.bench.analysis import LifecycleRow
from wirt.bench.sample import Header, Sample

SUITE = "lifecycle"
WHOLE = "life"
"""The test that is planned: all verbs in turn. Each of them is a test of its own in the file."""
VERBS = (
    *("create", "start", "ready", "answer"),
    *("checkpoint", "resume", "stop", "clone", "destroy"),
    WHOLE,
    *("migrate", "downtime"),
)
"""``answer``: from when it takes a command to the first page of its web server, where web serving is measured too.

``downtime``: how long it did not answer on the network while it migrated.
"""
ASIDE = frozenset({"migrate", "downtime"})
"""Of another guest, which does not come back: no part of the whole."""
UNIT = "1/s"
SECONDS = 15.0
"""A guess of how long a life takes, for the time left."""


def rows_of(header: Header, samples: Sequence[Sample]) -> list[LifecycleRow]:
    """Return the seconds of each verb under each approach: geometric means over the blocks, with their intervals."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for sample in samples:
        if sample.suite == SUITE and sample.phase == "measure" and sample.value > 0:
            found.setdefault((sample.test, sample.subject), {})[sample.block] = 1 / sample.value
    names = [subject.name for subject in header.subjects]
    return [
        _row(verb, subject, found[verb, subject], seed=header.seed)
        for verb in VERBS
        for subject in names
        if (verb, subject) in found
    ]


def _row(verb: str, subject: str, seconds: Mapping[int, float], *, seed: int) -> LifecycleRow:
    interval = stats.ratio_interval(seconds, seed=seed)
    return LifecycleRow(
        verb=verb,
        subject=subject,
        seconds=stats.geometric_mean(list(seconds.values())),
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        n=len(seconds),
    )
