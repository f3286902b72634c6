"""The three formats: whole, self-contained, well nested, and loaded only when asked for."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from tests.report_sample import make_analysis, replace
from typing_extensions import override

from wirt.bench.analysis import Analysis
from wirt.bench.properties import describe_approaches
from wirt.bench.report import render_report
from wirt.bench.report.text import answer
from wirt.errors import InvalidInput

GOLDEN = Path(__file__).parent.parent / "golden" / "report.md"
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Nesting(HTMLParser):
    """Collects what is nested wrongly, ids that come twice, and what is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.targets.append(value or "")

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def test_markdown_is_the_golden_report() -> None:
    assert render(make_analysis(), "md").decode() == GOLDEN.read_text(encoding="utf-8")


def test_html_is_well_nested_and_loads_nothing() -> None:
    page = render(make_analysis(), "html").decode()
    nesting = Nesting()
    nesting.feed(page)

    assert nesting.wrong == []
    assert nesting.open == []
    assert len(nesting.ids) == len(set(nesting.ids))
    assert all(target.startswith("#") for target in nesting.targets)
    assert {target[1:] for target in nesting.targets} <= set(nesting.ids)
    assert not re.search(r"https?:|@import|<script|<link", page)


def test_html_begins_with_the_answer() -> None:
    page = render(make_analysis(), "html").decode()
    plain = page.replace("&nbsp;", " ").replace("&#39;", "'")
    places = [plain.index(sentence) for sentence in answer(make_analysis())]

    assert places == sorted(places)
    assert places[-1] < page.index("<svg")


def test_html_escapes_what_a_guest_logged() -> None:
    page = render(make_analysis(), "html").decode()

    assert "rcu_sched &lt;stall&gt;" in page


def test_html_has_headings_for_every_row_and_column() -> None:
    page = render(make_analysis(), "html").decode()
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)

    assert all('<th scope="col"' in table and '<th scope="row"' in table for table in tables)
    assert page.count('<svg viewBox="') == page.count('role="img"') == 4


@pytest.mark.parametrize("fmt", ["html", "md"])
def test_report_of_an_empty_run_says_that_nothing_was_measured(fmt: str) -> None:
    analysis = make_analysis()
    empty = replace(
        analysis,
        header=msgspec.structs.replace(analysis.header, environment={}, unavailable={}),
        results=[],
        indices=[],
        network=[],
        noise_floor=[],
        clocks=[],
        efforts=[],
        failures=[],
        warnings=[],
    )

    text = render(empty, fmt).decode()

    assert "Nothing was measured." in text
    assert "The run recorded nothing about the node." in text


def test_pdf_of_a_run_is_a_pdf() -> None:
    analysis = make_analysis()
    # Setting every table takes seconds; one test shows that page, figures and fonts come together.
    small = [result for result in analysis.results if result.test == "pipe"]

    assert render(replace(analysis, results=small), "pdf").startswith(b"%PDF-")


def test_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        render(make_analysis(), "doc")

    assert str(caught.value) == "'doc' is no format of a report; choose html, md or pdf"


def test_importing_the_report_loads_no_library_for_drawing() -> None:
    code = (
        "import sys, wirt.bench.report, wirt.bench.properties;"
        "print([m for m in ('matplotlib', 'jinja2', 'numpy', 'weasyprint') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def render(analysis: Analysis, fmt: str) -> bytes:
    """Render with the approaches as the run probed them."""
    return render_report(analysis, describe_approaches(analysis.header), fmt=fmt)
