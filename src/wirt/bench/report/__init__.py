"""The report of a run: answer, figures, tables, method, warnings; as HTML in one file, as Markdown and as PDF.

Rendering loads matplotlib, jinja2 and, for a PDF, weasyprint; importing this package loads none of them.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
        with _place_for_matplotlib():
            from wirt.bench.report.html import render_html

            return render_html(analysis, approaches).encode()
    if fmt == "md":
        from wirt.bench.report.markdown import render_markdown

        return render_markdown(analysis, approaches).encode()
    if fmt == "pdf":
        with _place_for_matplotlib():
            from wirt.bench.report.pdf import render_pdf

            return render_pdf(analysis, approaches)
    raise InvalidInput(f"{fmt!r} is no format of a report", hint="choose html, md or pdf")


@contextmanager
def _place_for_matplotlib() -> Iterator[None]:
    """Give matplotlib a directory for what it keeps, if it cannot write where it would, of which it complains."""
    if os.environ.get("MPLCONFIGDIR") or all(map(_is_writable, _matplotlibs_own())):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="wirt-") as place:
        os.environ["MPLCONFIGDIR"] = place
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]


def _matplotlibs_own() -> list[str]:
    """Return the directories that matplotlib takes of itself."""
    bases = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
    return [
        os.path.join(os.environ.get(name) or os.path.expanduser(otherwise), "matplotlib")
        for name, otherwise in bases
    ]


def _is_writable(directory: str) -> bool:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)
