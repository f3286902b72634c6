"""Transcripts of the vz commands: what a person types, what the terminal shows then, and what each command ends with.

``WIRT_GOLDEN=write`` writes what the commands say now.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.homes import HomeUnderTest

TRANSCRIPTS = Path(__file__).parent / "golden" / "vz"
NOTHING: Mapping[str, str] = {}


def vz(
    home: HomeUnderTest, command: str, environment: Mapping[str, str] = NOTHING
) -> tuple[str, int]:
    """Run a command line as a person types it, and return what the terminal shows and the exit status."""
    directory = f"{home.home.etc}/vz"
    done = home.shell(command, directory=directory, environment=environment, timeout=240)
    said = done.stdout.replace(str(home.base), "BASE")
    said = re.sub(r"(?<=/guests/)[0-9a-f]{6}", "ID", said)
    said = re.sub(r"\bfd[0-9a-f:]+/64", "RANGE", said)
    said = re.sub(r"\b10\.\d+\.\d+\.\d+( *)", _address, said)
    return said, done.returncode


def _address(match: re.Match[str]) -> str:
    """Return a word for an address, as long as it with the blanks behind it."""
    return "ADDRESS".ljust(len(match[0])) if match[1] else "ADDRESS"


def commands_of(transcript: str) -> Iterator[str]:
    yield from (line[2:] for line in transcript.splitlines() if line.startswith("$ "))


def retell(home: HomeUnderTest, path: Path, environment: Mapping[str, str] = NOTHING) -> str:
    """Type the commands of a transcript again, and return what it should say."""
    typed = []
    for command in commands_of(path.read_text()):
        said, status = vz(home, command, environment)
        typed.append(f"$ {command}\n{said}" + (f"[{status}]\n" if status else ""))
    found = "".join(typed)
    if os.environ.get("WIRT_GOLDEN") == "write":
        path.write_text(found)
    return found


def endings_of(transcript: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the words of each command of a transcript, and whether it ended well."""
    for block in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        command, _, said = block.partition("\n")
        yield shlex.split(command), re.search(r"^\[[0-9]+\]\n\Z", said, re.MULTILINE) is None
