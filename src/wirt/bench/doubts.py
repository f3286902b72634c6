"""What no run can have written, though it has the form of a results file: files come from elsewhere, and are edited.

Reports rely on what is checked here; the form itself is checked by decoding.
"""

import math
from typing import Any

import msgspec

from wirt.bench.importers.siege import FIELDS as SIEGE_FIELDS
from wirt.bench.sample import BlockEnd, Effort, Failure, Finish, Header, Record, Run, Sample
from wirt.errors import InvalidInput

_LARGEST = 1e18
"""No machine does as much in a second, and what figures are multiplied into stays a number."""
_LAST_MOMENT = 1e11
"""Unix time, seconds; later ones no calendar here knows."""


class _Cpu(msgspec.Struct, frozen=True, kw_only=True):
    model: str | None = None
    count: int | None = None
    usable: int | None = None
    governor: str | None = None


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    cpus: float | None = None


class _Approach(msgspec.Struct, frozen=True, kw_only=True):
    available: bool | None = None
    reason: str | None = None


class _Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of the node that anything is made of; the others are only shown."""

    cpu: _Cpu | None = None
    cgroup_limits: _Limits | None = None
    load_before: float | None = None
    steal_percent: float | None = None
    node_is_guest: str | None = None
    kernel: str | None = None
    mitigations: dict[str, str] | None = None
    approaches: dict[str, _Approach] | None = None
    imported_from: str | None = None


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    """The further figures of a pass that anything is made of."""

    counts: list[float] = []
    sum: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def check_run(run: Run) -> None:
    """Refuse a run that could be kept, but not read again.

    Raises:
        InvalidInput: it has what no run can have.
    """
    records: list[Record] = [run.header, *run.samples]
    for record in records:
        if wrong := find_wrong(record, run.header):
            raise InvalidInput(f"no program can have measured this: {wrong}")


def find_wrong(record: Record, header: Header) -> str | None:
    """Return what no run can have written in a line of a file with this header; None if there is nothing."""
    match record:
        case Header():
            return _in_header(record)
        case Sample():
            return _in_sample(record, header)
        case Effort():
            return _in_figures(seconds=record.seconds)
        case Failure():
            return _in_figures(_LAST_MOMENT, at=record.at)
        case BlockEnd():
            known = {
                name: value
                for name, value in msgspec.to_builtins(record.node).items()
                if value is not None
            }
            return _in_figures(_LAST_MOMENT, command=record.command) or _in_figures(
                **record.harness, **known
            )
        case Finish():
            return _in_figures(_LAST_MOMENT, at=record.at) or _in_figures(**record.harness)


def _in_header(header: Header) -> str | None:
    try:
        msgspec.convert(header.environment, _Environment)
    except msgspec.ValidationError as error:
        return f"{error}".replace("`$.", "`$.environment.").replace("`$`", "`$.environment`")
    if wrong := _in_figures(_LAST_MOMENT, started=header.started):
        return wrong
    environment = header.environment
    figures = {
        name: environment[name]
        for name in ("load_before", "steal_percent")
        if environment.get(name) is not None
    }
    return _in_figures(**figures) or _in_figures(
        **{one.step: one.seconds for one in header.prepared}
    )


def _in_sample(sample: Sample, header: Header) -> str | None:
    if sample.subject not in {subject.name for subject in header.subjects}:
        return f"the header knows no subject {sample.subject!r}"
    if wrong := _in_figures(value=sample.value, seconds=sample.seconds):
        return wrong
    if sample.host_seconds is not None and (wrong := _in_figures(host_seconds=sample.host_seconds)):
        return wrong
    try:
        detail = msgspec.convert(sample.detail, _Detail)
    except msgspec.ValidationError as error:
        return f"{error}".replace("`$.", "`$.detail.")
    if wrong := next((w for count in detail.counts if (w := _in_figures(counts=count))), None):
        return wrong
    if detail.sum is not msgspec.UNSET:
        lacking = [name for name in SIEGE_FIELDS if not _is_figure(detail.sum.get(name))]
        if lacking:
            return f"Siege's {lacking[0]} is no number, or is missing"
    return None


def _in_figures(most: float = _LARGEST, /, **figures: float) -> str | None:
    for name, value in figures.items():
        if not 0 <= value <= most:
            return f"{name} is {value:g}" if math.isfinite(value) else f"{name} is no number"
    return None


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST
