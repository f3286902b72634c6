"""``wirt compare``."""

import textwrap
from pathlib import Path

import click
from click.core import ParameterSource

from wirt import app
from wirt.bench import session
from wirt.bench.compare import analyse
from wirt.bench.export import render_json
from wirt.bench.plan import PROFILES, SUITES
from wirt.bench.properties import describe_approaches
from wirt.bench.report import render_report
from wirt.bench.report.text import answer
from wirt.bench.results import find_interrupted
from wirt.bench.runner import Progress
from wirt.bench.sample import Run
from wirt.cli import options
from wirt.console import output
from wirt.console.progress import progress
from wirt.errors import InvalidInput
from wirt.host import files

FAILURES = 1
"""Exit status of a run that came to its end although a subject failed."""


_WIDTH = 80
_LAST = "-"
"""In the place of a run's id, which no run's is."""


@click.command(short_help="Measure every approach and write the report.")
@click.option(
    "-p",
    "--profile",
    default="quick",
    show_default=True,
    type=click.Choice(list(PROFILES)),
    help="How thoroughly to measure.",
)
@click.option(
    "-a", "--approach", "approaches", multiple=True, help="Only this approach; may be repeated."
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    type=click.Choice(SUITES),
    help="Only this suite; may be repeated.",
)
@click.option("--test", "tests", multiple=True, help="Only this test of unix; may be repeated.")
@click.option(
    "--guests", type=int, default=3, show_default=True, help="Web servers loaded in parallel."
)
@click.option(
    "--blocks", type=click.IntRange(1), help="Number of blocks, instead of the profile's."
)
@click.option("--seconds", type=options.SECONDS, help="Length of a pass, instead of the profile's.")
@click.option("--seed", type=int, help="Seed of the order; chosen if left out.")
@click.option(
    "-t",
    "--template",
    default="debian-12-web",
    show_default=True,
    help="What guests are made from.",
)
@click.option(
    "--resume",
    metavar="[RUN]",
    is_flag=False,
    flag_value=_LAST,
    help="Go on with an interrupted run, as it was begun, the last one if left out; goes with --json only.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the results as JSON, and nothing else."
)
def compare(
    profile: str,
    approaches: tuple[str, ...],
    suites: tuple[str, ...],
    tests: tuple[str, ...],
    guests: int,
    blocks: int | None,
    seconds: float | None,
    seed: int | None,
    template: str,
    resume: str | None,
    as_json: bool,
) -> int:
    """Measure every approach against the bare host, and write the report.

    Makes guests for the purpose and destroys them. The exit status is 1 if one of them failed.
    """
    if resume is not None:
        if resume == _LAST:
            resume = find_interrupted(Path(app.find_home().results))
            if not as_json:
                output.note(f"going on with run {resume}")
        _refuse_changes(resume)
    request = session.CompareRequest(
        profile=profile,
        approaches=approaches,
        suites=suites,
        tests=tests,
        guests=guests,
        blocks=blocks,
        seconds=seconds,
        seed=seed,
        template=template,
    )
    try:
        run, directory = _measure(request, resume, quiet=as_json)
    except session.Interrupted as interrupted:
        output.note(f"\nwirt: interrupted; go on with: wirt compare --resume {interrupted.run}")
        return options.INTERRUPTED
    analysis = analyse(run)
    report = directory / "report.html"
    approaches_described = describe_approaches(run.header)
    page = render_report(analysis, approaches_described, fmt="html")
    files.write_atomically(str(report), page, mode=0o644)
    if as_json:
        output.say(render_json(analysis))
    else:
        output.say("\n".join(map(_wrap, answer(analysis))))
        output.say(f"\nreport: {report}\nrun:    {run.header.run}")
    for failure in run.failures:
        test = f", {failure.test}" if failure.test else ""
        output.note(f"failed: {failure.subject}{test}: {failure.message}")
    return FAILURES if run.failures else 0


def _refuse_changes(run: str) -> None:
    """Refuse options beside --resume that would have to change what the run was begun with.

    Raises:
        InvalidInput: one was given.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in ("resume", "as_json"):
            raise InvalidInput(
                f"{parameter.opts[-1]} cannot be changed in run {run}: a resumed run goes on as it was begun",
                hint="leave it out, or begin a new run without --resume",
            )


def _measure(
    request: session.CompareRequest, resume: str | None, *, quiet: bool
) -> tuple[Run, Path]:
    """Return the finished run and its directory; ``quiet`` shows no progress."""
    with app.open_context() as context, progress(quiet=quiet) as bar:

        def show(progress: Progress) -> None:
            bar(progress.text, progress.done, progress.seconds_left)

        bundle = app.find_workloads()
        if resume is None:
            run = session.compare(
                context, request, bundle=bundle, set_up_times=app.find_set_up_times(), show=show
            )
        else:
            run = session.resume(context, resume, bundle=bundle, show=show)
        return run, Path(context.home.results) / run.header.run


def _wrap(sentence: str) -> str:
    """Return a sentence in lines for a terminal, no number parted from its sign."""
    kept = sentence.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.fill(kept, _WIDTH, initial_indent="- ", subsequent_indent="  ")
    return lines.replace("\N{NO-BREAK SPACE}", " ")
