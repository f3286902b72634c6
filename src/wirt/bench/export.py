"""A run in other programs' formats: the object of ``wirt results show --json``, JSON and CSV.

The keys are an interface: they are added to, never renamed.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wirt.bench.analysis import Analysis, Result
from wirt.bench.compare import Comparison
from wirt.bench.sample import Run, Sample


def build_object(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as plain values: ``run``, ``environment``, ``results`` and the rest."""
    plain: dict[str, Any] = msgspec.to_builtins(analysis)
    header = plain.pop("header")
    return {
        "run": header.pop("run"),
        "environment": header.pop("environment"),
        "results": plain.pop("results"),
        **plain,
        **{key: value for key, value in header.items() if key != "kind"},
    }


def render_json(analysis: Analysis) -> str:
    """Return an analysis as indented JSON with a newline at its end."""
    return _json(build_object(analysis))


def render_comparison_json(comparison: Comparison) -> str:
    """Return a comparison of two runs as indented JSON with a newline at its end."""
    return _json(msgspec.to_builtins(comparison))


def render_csv(results: Sequence[Result]) -> str:
    """Return results as CSV with a header line; what is unknown is empty."""
    return _csv(Result.__struct_fields__, (msgspec.to_builtins(result) for result in results))


def render_samples_csv(run: Run) -> str:
    """Return the raw samples as CSV with a header line, warm-up too; ``detail`` is JSON."""
    rows = (msgspec.to_builtins(sample) for sample in run.samples)
    return _csv(
        Sample.__struct_fields__,
        ({**row, "detail": msgspec.json.encode(row["detail"]).decode()} for row in rows),
    )


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _csv(fields: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
