"""The figures of the report: grouped bars on the scale where the host is 10, as SVG that follows the page's colours.

Text stays text and takes the colour of the page (``currentColor``), so one drawing serves light, dark and paper. Every
bar carries its name and its figure, so nothing hangs on telling colours apart.
"""

import io
import math
import re
from collections.abc import Sequence
from html import escape

import matplotlib
import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from matplotlib.transforms import blended_transform_factory

from wirt.bench.analysis import Analysis, Result
from wirt.bench.report.tables import iterate_tests, name_group
from wirt.bench.report.wording import index, join_words
from wirt.bench.sample import HOST

_PALETTE = {
    HOST: "#808080",
    "chroot": "#0072b2",
    "lxc": "#009e73",
    "uml": "#d55e00",
    "qemu": "#bf6a9a",
    "kvm": "#8c6d1f",
    "xen": "#6a6fd0",
}
"""After Okabe and Ito, made to stand out at 3:1 or more from white and from near black."""
_OTHER_COLOUR = "#808080"
_INK = "#010203"
"""Drawn by matplotlib, replaced by the page's own colour."""

_WIDTH = 380
"""Points: about the width of a phone, so that text is not scaled down there."""
_LEFT, _RIGHT = 64, 46
_BAR, _HEAD, _GAP = 17, 21, 8
"""Height of a bar's line, of a test's heading, and of the space after a test, in points."""
_TOP, _BOTTOM = 4, 38
_LOWEST, _HIGHEST = 0.01, 10


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing with what a person who cannot see it needs."""

    name: str
    title: str
    description: str
    svg: str


def draw_figures(analysis: Analysis) -> list[Figure]:
    """Return one figure for each group of tests and number of copies, web serving last."""
    groups: dict[tuple[str, int], list[tuple[str, list[Result]]]] = {}
    for group, title, cells in iterate_tests(analysis):
        compared = [cell for cell in cells if cell.index is not None]
        # A figure shows all servers settings of web serving; the tests run with more copies get figures of their own.
        copies = 1 if group == "http" else cells[0].copies
        if any(cell.subject != HOST for cell in compared):
            groups.setdefault((group, copies), []).append((title, compared))
    return [
        _draw(f"{group}-{copies}", _title(group, copies), tests, approaches_of(analysis))
        for (group, copies), tests in groups.items()
    ]


def approaches_of(analysis: Analysis) -> dict[str, str]:
    """Return the approach of each subject, the host's own name for the host."""
    return {subject.name: subject.approach or HOST for subject in analysis.header.subjects}


def _title(group: str, copies: int) -> str:
    title = name_group(group)
    return title if copies == 1 else f"{title}, {copies} copies at once"


def _draw(
    name: str,
    title: str,
    tests: Sequence[tuple[str, Sequence[Result]]],
    approaches: dict[str, str],
) -> Figure:
    height = _TOP + _BOTTOM + sum(_HEAD + _BAR * len(cells) + _GAP for _, cells in tests)
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            # Without a salt the ids would differ from call to call, and so would the file.
            "svg.hashsalt": name,
            "font.family": "sans-serif",
            "font.size": 12,
            "text.color": _INK,
            "axes.edgecolor": _INK,
            "xtick.color": _INK,
        }
    ):
        canvas = Canvas(figsize=(_WIDTH / 72, height / 72), dpi=72)
        axes = canvas.add_axes(
            (
                _LEFT / _WIDTH,
                _BOTTOM / height,
                (_WIDTH - _LEFT - _RIGHT) / _WIDTH,
                (height - _TOP - _BOTTOM) / height,
            )
        )
        _set_scale(axes, [cell for _, cells in tests for cell in cells])
        axes.set_ylim(height - _TOP - _BOTTOM, 0)
        line = 0.0
        for test, cells in tests:
            _write_left(axes, line + _HEAD / 2 + 1, test, weight="bold")
            line += _HEAD
            for cell in cells:
                colour = _PALETTE.get(approaches.get(cell.subject, ""), _OTHER_COLOUR)
                _draw_bar(axes, cell, line + _BAR / 2, colour)
                line += _BAR
            line += _GAP
        text = io.StringIO()
        canvas.savefig(
            text,
            format="svg",
            # The page shows through: a background of its own would be white in the dark.
            facecolor="none",
            metadata={"Creator": None, "Date": None, "Format": None, "Type": None},
        )
    description = _describe(tests)
    return Figure(
        name=name,
        title=title,
        description=description,
        svg=_embed(text.getvalue(), name, title, description),
    )


def _set_scale(axes: Axes, cells: Sequence[Result]) -> None:
    """Span the decades of the figures, but never fewer than 0.01 to 10, so that drawings can be laid side by side.

    The intervals have no say: a wide one would squeeze the bars that it stands beside.
    """
    values = [cell.index for cell in cells if cell.index]
    low = min(_LOWEST, 10 ** math.floor(math.log10(min(values, default=_LOWEST))))
    high = max([_HIGHEST, *values])
    axes.set_xscale("log")
    # Beyond the longest bar there is room for an interval of half again.
    axes.set_xlim(low, high * 1.5)
    decades = range(round(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [10.0**decade for decade in decades]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(axis="x", color=_INK, alpha=0.18, linewidth=0.8)
    axes.axvline(10, color=_INK, alpha=0.6, linewidth=0.9, dashes=(3, 2))
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.set_xlabel("index, host = 10 (log scale; longer is faster)", color=_INK)


def _draw_bar(axes: Axes, cell: Result, middle: float, colour: str) -> None:
    if cell.index is None:
        return
    low, _ = axes.get_xlim()
    axes.barh(middle, cell.index - low, left=low, height=_BAR - 4, color=colour)
    _draw_interval(axes, cell, middle)
    _write_left(axes, middle, cell.subject)
    # All in one column beside the plot, where no interval runs through them and no edge cuts them.
    inside = _WIDTH - _LEFT - _RIGHT
    place = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(
        1 + (_RIGHT - 2) / inside,
        middle,
        index(cell.index),
        transform=place,
        va="center",
        ha="right",
    )


def _draw_interval(axes: Axes, cell: Result, middle: float) -> None:
    """Draw the interval from cap to cap; an arrow instead of a cap says that it goes on beyond the drawing."""
    if cell.ci_low is None or cell.ci_high is None or cell.subject == HOST:
        return
    low, high = axes.get_xlim()
    start, end = 10 * cell.ci_low, 10 * cell.ci_high
    ends = [max(start, low), min(end, high)]
    axes.plot(ends, [middle, middle], color=_INK, linewidth=1)
    marks = ["<" if start < low else "|", ">" if end > high else "|"]
    for place, mark in zip(ends, marks, strict=True):
        axes.plot(place, middle, mark, color=_INK, markersize=5 if mark == "|" else 4)


def _write_left(axes: Axes, middle: float, text: str, weight: str = "normal") -> None:
    """Write ``text`` from the left edge of the drawing; a test's name may run on over the plot."""
    inside = _WIDTH - _LEFT - _RIGHT
    place = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(-(_LEFT - 2) / inside, middle, text, transform=place, va="center", weight=weight)


def _describe(tests: Sequence[tuple[str, Sequence[Result]]]) -> str:
    """Return the figure in words, for who cannot see it."""
    told = [
        f"{test}: "
        + join_words([f"{cell.subject} {index(cell.index)}" for cell in cells if cell.index])
        for test, cells in tests
    ]
    return f"Bars of the index, host = 10. {'; '.join(told)}."


def _embed(svg: str, name: str, title: str, description: str) -> str:
    """Make a stand-alone SVG part of a page: no prologue, own ids, the page's colour, a title and a description."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace(_INK, "currentColor")
    box = re.search(r'viewBox="[^"]+"', svg)
    assert box is not None
    head = (
        f'<svg {box[0]} class="chart" role="img" '
        f'aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(description)}</desc>'
    )
    return re.sub(r"^<svg[^>]*>", lambda _: head, svg).strip()
