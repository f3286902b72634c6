"""The transcripts of README and getting started, typed line by line: what they show is what happens."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.documents import REPOSITORY, Shown, read_commands
from tests.homes import WIRT, HomeUnderTest

PAGES = ("README.md", "docs/getting-started.md")
LONG = re.compile(r"(sudo )?make |ln |wirt compare --profile ")
"""Not typed here: what changes the machine, and what takes minutes."""
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")


@pytest.fixture
def home(root_user: None, shared_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home with the template that the set-up has built."""
    with homes.open_home(shared_templates) as fresh:
        yield fresh


@pytest.mark.parametrize("page", PAGES)
def test_transcripts_of_page_run_as_shown(page: str, home: HomeUnderTest) -> None:
    typed = [
        shown
        for shown in read_commands(REPOSITORY / page)
        if shown.is_transcript and not LONG.match(shown.command)
    ]
    said: dict[Shown, list[str]] = {}

    for shown in typed:
        said[shown] = _type(shown.command, home)

    for shown in typed:
        if shown.output:
            assert said[shown] == _settled(shown.output), shown


def _type(command: str, home: HomeUnderTest) -> list[str]:
    """Run a line as a shell would, RUN and OTHER being the run that the home has, and return what it printed."""
    runs = sorted(path.name for path in Path(home.home.results).glob("*"))
    line = re.sub(r"\b(RUN|OTHER)\b", runs[-1] if runs else "RUN", command)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**home.environment, "PATH": f"{Path(WIRT).parent}:{os.environ['PATH']}"},
        cwd=home.base,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{line} ended {done.returncode}: {done.stderr}"
    return _settled(done.stdout.splitlines())


def _settled(lines: list[str] | tuple[str, ...]) -> list[str]:
    """Return lines without what differs from home to home: addresses, and the widths of columns with them."""
    return [" ".join(_ADDRESS.sub("ADDRESS", line).split()) for line in lines if line.strip()]
