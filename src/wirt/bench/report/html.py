"""The report as one HTML file: nothing is loaded from elsewhere, so it can be mailed and kept."""

import re
from collections.abc import Sequence
from importlib import resources

import jinja2
from markupsafe import Markup, escape

from wirt.bench.analysis import Analysis
from wirt.bench.properties import ProbedApproach
from wirt.bench.report import effort, method, tables, text
from wirt.bench.report.figures import draw_figures


def render_html(analysis: Analysis, approaches: Sequence[ProbedApproach]) -> str:
    """Return the report as a self-contained HTML page."""
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_read),
    )
    environment.filters["keep"] = keep_together
    figures = [(figure, Markup(figure.svg)) for figure in draw_figures(analysis)]
    return environment.get_template("report.html.j2").render(
        style=Markup(_read("report.css")),
        header=analysis.header,
        started=method.name_time(analysis.header.started),
        answer=text.answer(analysis),
        notes=text.reading_notes(analysis),
        figures=figures,
        network=tables.build_network(analysis),
        lifecycle=tables.build_lifecycle(analysis),
        indices=tables.build_indices(analysis),
        sections=tables.build_sections(analysis),
        approaches=tables.build_approaches(approaches),
        effort=effort.build_effort(analysis),
        method=method.describe_method(analysis),
        noise=tables.build_noise(analysis),
        clocks=tables.build_clocks(analysis),
        environment=tables.build_environment(analysis),
        failures=analysis.failures,
        warnings=analysis.warnings,
    )


def keep_together(words: str) -> Markup:
    """Return ``words``, escaped, with no line break between a number and its unit."""
    return Markup(re.sub(r"(?<=\d) (?=(?:%|s|ms|min|MB|KiB|h)\b|%)", "&nbsp;", str(escape(words))))


def _read(name: str) -> str:
    return resources.files("wirt.bench.report").joinpath(name).read_text(encoding="utf-8")
