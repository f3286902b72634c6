"""A command whose reader has gone away ends as other programs do, without a word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command", ["wirt --help", "vzctl --help", "vzlist --list", "vzcfgvalidate --help", "xm help"]
)
def test_program_whose_result_nobody_reads_ends_silently(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    name, *arguments = command.split()
    try:
        done = subprocess.run(
            [PROGRAMS / name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(theirs)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    "command", ["wirt nonsense", "vzctl nonsense", "vzcfgvalidate", "xm nonsense"]
)
def test_program_whose_error_nobody_reads_ends_silently(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    name, *arguments = command.split()
    try:
        done = subprocess.run(
            [PROGRAMS / name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
    finally:
        os.close(theirs)

    assert done.returncode == 141
