"""What it took to make the host and the guests ready, as tables: once for all of them, in sum, and step by step."""

import math
import statistics
from collections.abc import Sequence

from wirt.bench import preparation
from wirt.bench.analysis import Analysis
from wirt.bench.report.tables import Column, Table
from wirt.bench.sample import HOST_AGAIN
from wirt.units import render_seconds

_PREPARED = {
    preparation.PACKAGES: "install the Debian packages",
    "packages-lxc": "install the Debian packages of lxc alone",
    "packages-qemu": "install the Debian packages of qemu and kvm alone",
    "packages-uml": "install the Debian packages of uml alone",
    preparation.PROGRAMS: "install Wirt",
    preparation.WORKLOADS: "compile the test programs",
    preparation.TEMPLATE: "build the template",
}
_STEPS = {
    "create": "clone the template",
    "start": "start its first process",
    "ready": "wait until it takes a command",
    "settle": "wait until its services are up",
    "copy workloads": "copy the programs in",
}
"""The steps of the file in a reader's words."""


def build_effort(analysis: Analysis) -> list[Table]:
    """Return what it took to set up the node and each subject (medians over the blocks)."""
    medians = _medians(analysis)
    made = {subject for subject, _ in medians} - {HOST_AGAIN}
    subjects = [subject.name for subject in analysis.header.subjects if subject.name in made]
    sums = []
    if shared := _prepared_for(None, analysis):
        sums.append(["once, before all", str(len(shared)), render_seconds(math.fsum(shared))])
    for subject in subjects:
        steps = [value for (owner, _), value in medians.items() if owner == subject]
        steps += _prepared_for(subject, analysis)
        sums.append([subject, str(len(steps)), render_seconds(math.fsum(steps))])
    tables = [_in_sum(sums), _once(analysis), _step_by_step(analysis, subjects)]
    return [table for table in tables if table.rows]


def _prepared_for(approach: str | None, analysis: Analysis) -> list[float]:
    """Return the seconds of what was set up for one approach alone, or, with None, for all of them."""
    prepared = analysis.header.prepared
    return [one.seconds for one in prepared if preparation.is_of(one.step, approach)]


def _medians(analysis: Analysis) -> dict[tuple[str, str], float]:
    """Return the seconds of each step of each subject."""
    return {key: statistics.median(values) for key, values in _seconds(analysis).items()}


def _seconds(analysis: Analysis) -> dict[tuple[str, str], list[float]]:
    seconds: dict[tuple[str, str], list[float]] = {}
    for effort in analysis.efforts:
        seconds.setdefault((effort.subject, effort.step), []).append(effort.seconds)
    return seconds


def _in_sum(rows: Sequence[list[str]]) -> Table:
    return Table(
        caption="Set-up effort in sum",
        columns=[
            Column(title="Where"),
            Column(title="Steps", numeric=True),
            Column(title="Time", numeric=True),
        ],
        rows=list(rows),
        note="Steps that were taken for one of each, from installing its own packages on. Guests were started together, so one waited for another. "
        "The host's are those of the user land that its Apache and its compiler come from.",
    )


def _once(analysis: Analysis) -> Table:
    return Table(
        caption="Set up once, before all guests",
        columns=[Column(title="Step"), Column(title="Time", numeric=True)],
        rows=[
            [_PREPARED.get(one.step, one.step), render_seconds(one.seconds)]
            for one in analysis.header.prepared
        ],
        note="As timed when it was done, downloads included; what was set up by other means is not in it.",
    )


def _step_by_step(analysis: Analysis, subjects: Sequence[str]) -> Table:
    seconds, medians = _seconds(analysis), _medians(analysis)
    return Table(
        caption="Set-up effort step by step",
        columns=[
            Column(title="Where"),
            Column(title="Step"),
            Column(title="Median time", numeric=True),
            Column(title="Times done", numeric=True),
        ],
        rows=[
            [
                owner,
                _STEPS.get(step, step),
                render_seconds(value),
                str(len(seconds[owner, step])),
            ]
            for subject in subjects
            for (owner, step), value in medians.items()
            if owner == subject
        ],
    )
