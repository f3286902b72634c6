"""``wirt results``."""

import time
from pathlib import Path

import click
import msgspec

from wirt import __version__, app
from wirt.bench import export
from wirt.bench.analysis import Result, Verdict
from wirt.bench.compare import Comparison, analyse, compare_runs
from wirt.bench.doubts import check_run
from wirt.bench.importers.imported import Origin
from wirt.bench.report.wording import count, figure
from wirt.bench.results import (
    Summary,
    find_run,
    list_runs,
    new_run_id,
    read_run,
    run_path,
    write_run,
)
from wirt.bench.sample import IMPORTED, Run
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.host import files
from wirt.model.names import check_name

_SHOWN_CELLS = 4


@click.group()
def results() -> None:
    """Keep, show, compare, export and import runs."""


@results.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_results(as_json: bool) -> None:
    """List the runs of this home."""
    found = list_runs(_directory())
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    if not found:
        output.note("no runs yet; make one with: wirt compare")
        return
    rows = [
        (
            one.run,
            one.profile or "-",
            "-"
            if one.started is None
            else time.strftime("%Y-%m-%d %H:%M", time.localtime(one.started)),
            str(one.samples),
            "unreadable" if one.problem else _state(one),
            " ".join(one.subjects),
        )
        for one in found
    ]
    heads = ("RUN", "PROFILE", "STARTED", "SAMPLES", "STATE", "SUBJECTS")
    output.say(output.columns(heads, rows, right=("SAMPLES",)))
    _note([f"{one.run}: {one.problem}" for one in found if one.problem])


@results.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(run: str, as_json: bool) -> None:
    """Show the figures of RUN, each against the host's."""
    analysis = analyse(_read(run))
    if as_json:
        output.say(export.render_json(analysis))
    else:
        output.say(_table(analysis.results))
        _note(analysis.warnings)


@results.command()
@click.argument("run")
@click.argument("other")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(run: str, other: str, as_json: bool) -> None:
    """Show the figures of OTHER against those of RUN."""
    comparison = compare_runs(_read(run), _read(other))
    if as_json:
        output.say(export.render_comparison_json(comparison))
        return
    if comparison.results:
        output.say(_table(comparison.results))
    else:
        _note([_nothing_shared(comparison)])
    _note(comparison.warnings)


@results.command("export")
@click.argument("run")
@click.option(
    "-f",
    "--format",
    "fmt",
    type=click.Choice(("json", "csv", "samples-csv")),
    default="json",
    show_default=True,
    help="samples-csv has every pass.",
)
@click.option(
    "-o", "--output", "target", default="-", help="File to write; standard output if left out."
)
def export_run(run: str, fmt: str, target: str) -> None:
    """Write the figures of RUN for other programs."""
    found = _read(run)
    if fmt == "samples-csv":
        text = export.render_samples_csv(found)
    else:
        analysis = analyse(found)
        text = (
            export.render_json(analysis) if fmt == "json" else export.render_csv(analysis.results)
        )
    if target == "-":
        output.say(text.rstrip("\n"))
    else:
        with files.translated(f"write {target}"):
            Path(target).write_text(text)


@results.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--from",
    "tool",
    type=click.Choice(("unixbench", "siege")),
    required=True,
    help="Which program wrote it.",
)
@click.option("--subject", default="host", show_default=True, help="What it was run on.")
def import_run(file: str, tool: str, subject: str) -> None:
    """Keep the output of UnixBench or Siege as a run."""
    from wirt.bench.importers.siege import import_siege
    from wirt.bench.importers.unixbench import import_unixbench

    check_name(subject, "subject")
    started = Path(file).stat().st_mtime
    run_id = new_run_id(_directory(), started)
    text = Path(file).read_text(errors="replace")
    origin = Origin(run=run_id, wirt=__version__, at=started, subject=subject)
    try:
        run = import_unixbench(text, origin) if tool == "unixbench" else import_siege(text, origin)
        check_run(run)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.message}", hint=error.hint) from error
    write_run(run_path(_directory(), run_id), run)
    output.say(f"run {run_id} imported: {count(len(run.samples), 'sample')} of {subject}")


def _state(summary: Summary) -> str:
    if summary.complete:
        return "complete"
    if summary.running:
        return "running"
    return "cut short" if summary.profile == IMPORTED else "interrupted"


def _nothing_shared(comparison: Comparison) -> str:
    """Return what two runs have that the other has not, so that a person sees what to ask for instead."""
    of_a, of_b = (
        ", ".join(cells[:_SHOWN_CELLS]) + (", ..." if len(cells) > _SHOWN_CELLS else "")
        or "nothing"
        for cells in (comparison.only_a, comparison.only_b)
    )
    return (
        f"the runs have nothing in common: {comparison.run_a} has {of_a}; {comparison.run_b} has {of_b}. "
        "What was imported can be given another name: wirt results import --subject NAME"
    )


def _note(warnings: list[str]) -> None:
    for warning in warnings:
        output.note(f"note: {warning}")


def _directory() -> Path:
    return Path(app.find_home().results)


def _read(run: str) -> Run:
    return read_run(find_run(_directory(), run))


def _table(found: list[Result]) -> str:
    heads = ("SUITE", "TEST", "SUBJECT", "COPIES", "VALUE", "UNIT", "N", "RATIO", "95 %", "VERDICT")
    rows = [
        (
            one.suite,
            one.test,
            one.subject,
            str(one.copies),
            figure(one.value),
            one.unit,
            str(one.n),
            "-" if one.ratio is None else figure(one.ratio),
            "-"
            if one.ci_low is None or one.ci_high is None or one.verdict is Verdict.BASELINE
            else f"{figure(one.ci_low)}-{figure(one.ci_high)}",
            one.verdict.value,
        )
        for one in found
    ]
    return output.columns(heads, rows, right=("COPIES", "VALUE", "N", "RATIO", "95 %"))
