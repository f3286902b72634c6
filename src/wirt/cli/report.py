"""``wirt report``."""

import sys
from pathlib import Path

import click

from wirt import app
from wirt.bench.compare import analyse
from wirt.bench.properties import describe_approaches
from wirt.bench.report import FORMATS, render_report
from wirt.bench.results import find_run, read_run
from wirt.console import output
from wirt.errors import NotPermitted
from wirt.host import files


@click.command()
@click.argument("run")
@click.option(
    "-f",
    "--format",
    "fmt",
    type=click.Choice(FORMATS),
    default="html",
    show_default=True,
    help="What to write.",
)
@click.option(
    "-o",
    "--output",
    "target",
    help="File to write, - for standard output; RUN's own directory if left out.",
)
def report(run: str, fmt: str, target: str | None) -> None:
    """Write the report of RUN from its file alone."""
    path = find_run(Path(app.find_home().results), run)
    found = read_run(path)
    page = render_report(analyse(found), describe_approaches(found.header), fmt=fmt)
    if target == "-":
        sys.stdout.buffer.write(page)
        return
    place = target or str(path.parent / f"report.{fmt}")
    try:
        files.write_atomically(place, page, mode=0o644)
    except PermissionError as error:
        raise NotPermitted(
            f"cannot write {place}: {error.strerror}",
            hint="name a file of your own with --output, or run it as root",
        ) from error
    except OSError as error:
        raise files.translate(error, f"write {place}") from error
    output.say(f"report: {place}")
