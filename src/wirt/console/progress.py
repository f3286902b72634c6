"""Progress of something long: a bar with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wirt.console import output
from wirt.units import render_seconds

_LINE_SECONDS = 10.0
"""Without a terminal a line is printed this often: a log must say that something goes on, and stay readable."""

Show = Callable[[str, float, float | None], None]
"""Told what goes on, the share that is done (0 to 1), and the seconds left, None if nobody knows."""


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Show]:
    """Give a function that shows how far something is; ``quiet`` shows nothing."""
    if quiet:
        yield lambda text, done, left: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


def _lines() -> Show:
    last = 0.0

    def show(text: str, done: float, left: float | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            rest = f", {render_seconds(left)} left" if left is not None else ""
            output.note(f"{done:4.0%}  {text}{rest}")

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    # Loaded here: a table and bar library takes longer to load than most commands to run.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, left="")

        def show(text: str, done: float, left: float | None) -> None:
            rest = f"{render_seconds(left)} left" if left is not None else ""
            bar.update(task, completed=done, description=text, left=rest)

        yield show
