"""A command whose reader has gone away ends as other programs do, without a word."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent


@contextmanager
def unread() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        yield theirs
    finally:
        os.close(theirs)


def line(command: str) -> list[str]:
    """Return a command line with the path of its program."""
    name, *arguments = command.split()
    return [str(PROGRAMS / name), *arguments]


@pytest.mark.parametrize(
    "command", ["wirt --help", "vzctl --help", "vzlist --list", "vzcfgvalidate --help", "xm help"]
)
def test_program_whose_result_nobody_reads_ends_silently(command: str) -> None:
    with unread() as pipe:
        done = subprocess.run(
            line(command), stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.PIPE, text=True
        )

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    "command", ["wirt nonsense", "vzctl nonsense", "vzcfgvalidate", "xm nonsense"]
)
def test_program_whose_error_nobody_reads_ends_silently(command: str) -> None:
    with unread() as pipe:
        done = subprocess.run(
            line(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=pipe
        )

    assert done.returncode == 141
