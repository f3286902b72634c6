"""The report as Markdown: the same answer and the same tables, with bars of text for figures."""

import math
from collections.abc import Iterator, Sequence

from wirt.bench.analysis import Analysis
from wirt.bench.properties import ProbedApproach
from wirt.bench.report import effort, method, tables, text
from wirt.bench.report.tables import Table
from wirt.bench.report.wording import index
from wirt.bench.sample import HOST


def render_markdown(analysis: Analysis, approaches: Sequence[ProbedApproach]) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(analysis, approaches)) + "\n"


def _lines(analysis: Analysis, approaches: Sequence[ProbedApproach]) -> Iterator[str]:
    header = analysis.header
    yield "# What virtualization costs on this machine"
    yield ""
    yield (
        f"Run {header.run} of {method.name_time(header.started)}, profile {header.profile}, "
        f"made by Wirt {header.wirt}"
    )
    yield from _heading("The answer")
    for number, sentence in enumerate(text.answer(analysis), start=1):
        yield f"{number}. {_escape(sentence)}"
    notes = text.reading_notes(analysis)
    if notes:
        yield ""
        yield "**Read with care**"
        yield ""
        yield from (f"- {_escape(note)}" for note in notes)
    yield from _heading("Figures")
    yield from _bars(analysis)
    yield from _heading("Web serving")
    network = tables.build_network(analysis)
    yield from (_table(network) if network else ["This run has no figures of web serving."])
    if life := tables.build_lifecycle(analysis):
        yield from _heading("The life of a guest")
        yield from _table(life)
    yield from _heading("Indices")
    yield from _tables(
        tables.build_indices(analysis),
        "There are no indices, for no test of the suite unix was measured.",
    )
    yield from _heading("Results, test by test")
    sections = tables.build_sections(analysis)
    if not sections:
        yield "Nothing was measured."
    for place, section in enumerate(sections):
        yield from ([""] if place else [])
        yield f"### {section.title}"
        yield ""
        yield from _tables(section.tables, "")
    yield from _heading("The approaches")
    yield from _table(_turn(tables.build_approaches(approaches)))
    yield from _heading("Set-up effort")
    yield from _tables(effort.build_effort(analysis), "The run recorded no set-up steps.")
    yield from _heading("What was measured how")
    for paragraph in method.describe_method(analysis):
        yield _escape(paragraph)
        yield ""
    checks = [tables.build_noise(analysis), tables.build_clocks(analysis)]
    yield from _tables(
        [table for table in checks if table], "There are no checks of noise and clocks."
    )
    yield from _heading("Environment")
    environment = tables.build_environment(analysis)
    yield from _table(environment) if environment else ["The run recorded nothing about the node."]
    yield from _heading("Warnings and failures")
    yield from _troubles(analysis)


def _troubles(analysis: Analysis) -> Iterator[str]:
    for warning in analysis.warnings:
        yield f"- {_escape(warning)}"
    for name, reason in sorted(analysis.header.unavailable.items()):
        yield f"- {name} was left out: {_escape(reason)}"
    for failure in analysis.failures:
        where = f", {failure.test}" if failure.test else ""
        yield f"- {failure.subject} failed in block {failure.block + 1}{where}: {_escape(failure.message)}"
        if failure.log:
            yield ""
            yield from (f"      {line}" for line in failure.log.splitlines())
            yield ""
    if not (analysis.warnings or analysis.failures or analysis.header.unavailable):
        yield "None."


_CELLS = 36
"""Characters of the longest bar; 12 for each factor of ten from 0.01 to 10."""


def _bars(analysis: Analysis) -> Iterator[str]:
    """Draw the figures as text, on the scale of the real ones: logarithmic, the host = 10."""
    last = ""
    for group, title, cells in tables.iterate_tests(analysis):
        drawn = [cell for cell in cells if cell.index]
        if all(cell.subject == HOST for cell in drawn):
            continue
        if not last:
            yield "Index with the host = 10; twelve characters are a factor of ten."
        heading = tables.name_group(group)
        if group != "http" and cells[0].copies > 1:
            heading = f"{heading}, {cells[0].copies} copies at once"
        if heading != last:
            yield from ["", f"### {heading}"]
            last = heading
        yield from ["", title, "", "```"]
        wide = max(len(cell.subject) for cell in drawn)
        for cell in drawn:
            value = cell.index or 0.0
            length = max(1, round(_CELLS * (math.log10(value) + 2) / 3)) if value > 0 else 0
            yield f"{cell.subject:<{wide}}  {'#' * length} {index(value)}"
        yield "```"
    if not last:
        yield "There is nothing to draw: no guest has a figure to set against the host's."


def _heading(title: str) -> list[str]:
    return ["", f"## {title}", ""]


def _tables(found: Sequence[Table], nothing: str) -> Iterator[str]:
    if not found:
        yield nothing
    for place, table in enumerate(found):
        if place:
            yield ""
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield f"**{_escape(table.caption)}**"
    yield ""
    yield _row([column.title for column in table.columns])
    yield (
        "|" + "|".join(" ---: " if column.numeric else " --- " for column in table.columns) + "|"
    )
    for row in table.rows:
        yield _row(row)
    if table.note:
        yield ""
        yield _escape(table.note)


def _turn(table: Table) -> Table:
    """Exchange rows and columns: the approaches have more properties than there are approaches."""
    titles = [column.title for column in table.columns]
    return Table(
        caption=table.caption,
        columns=[
            table.columns[0],
            *(tables.Column(title=row[0]) for row in table.rows),
        ],
        rows=[[title, *(row[place] for row in table.rows)] for place, title in enumerate(titles)][
            1:
        ],
        note=table.note,
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escape(cell) for cell in cells)} |"


def _escape(words: str) -> str:
    """Keep what a machine or guest said from being read as Markdown or HTML."""
    for mark in "\\`*_<>|[]":
        words = words.replace(mark, f"\\{mark}")
    return words.replace("\n", " ")
