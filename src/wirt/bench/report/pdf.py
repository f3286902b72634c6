"""The report on paper: the HTML page, set by weasyprint with the page's own rules for print."""

from collections.abc import Sequence

from wirt.bench.analysis import Analysis
from wirt.bench.properties import ProbedApproach
from wirt.bench.report.html import render_html
from wirt.errors import Unsupported


def render_pdf(analysis: Analysis, approaches: Sequence[ProbedApproach]) -> bytes:
    """Return the report as a PDF file.

    Raises:
        Unsupported: the Pango libraries that weasyprint loads are not installed.
    """
    page = render_html(analysis, approaches)
    try:
        # OSError is what weasyprint lets through when a shared library is missing.
        from weasyprint import HTML  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:
        raise Unsupported(
            "a PDF report needs weasyprint and the Pango libraries",
            detail=str(error),
            hint="install libpango-1.0-0, libpangoft2-1.0-0 and libharfbuzz-subset0, or choose --format html",
        ) from error
    document: bytes = HTML(string=page).write_pdf()
    return document
