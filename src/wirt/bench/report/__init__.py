"""The report of a run: answer, figures, tables, method, warnings; as HTML in one file, as Markdown and as PDF.

Rendering loads matplotlib, jinja2 and, for a PDF, weasyprint; importing this package loads none of them.
"""

from collections.abc import Sequence

from wirt.bench.analysis import Analysis
from wirt.bench.properties import ProbedApproach
from wirt.errors import InvalidInput

FORMATS = ("html", "md", "pdf")


def render_report(analysis: Analysis, approaches: Sequence[ProbedApproach], *, fmt: str) -> bytes:
    """Return the report of ``analysis`` as a file of the format ``fmt``.

    Args:
        analysis: what the run came to.
        approaches: the analysis table, from ``properties.describe_approaches``.
        fmt: one of ``FORMATS``.

    Raises:
        InvalidInput: there is no such format.
        Unsupported: a library that the PDF needs is missing on this machine.
    """
    if fmt == "html":
        from wirt.bench.report.html import render_html

        return render_html(analysis, approaches).encode()
    if fmt == "md":
        from wirt.bench.report.markdown import render_markdown

        return render_markdown(analysis, approaches).encode()
    if fmt == "pdf":
        from wirt.bench.report.pdf import render_pdf

        return render_pdf(analysis, approaches)
    raise InvalidInput(f"{fmt!r} is no format of a report", hint="choose html, md or pdf")
