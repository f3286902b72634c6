"""The commands of OpenVZ as they are installed: each told by a transcript, with what it says and what it ends with.

A transcript begins without containers and ends so. ``WIRT_GOLDEN=write`` writes what the commands say now.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.homes import HomeUnderTest
from tests.netns import Outside
from tests.terminal import open_terminal

from wirt.dialects.vz.conf import SHIPPED
from wirt.dialects.vz.vzctl.main import COMMANDS

TRANSCRIPTS = sorted((Path(__file__).parents[1] / "golden" / "vz").glob("*.txt"))
PROGRAMS = Path(sys.executable).parent
SCRIPT = 'echo "a script in $(hostname)"; exit 4\n'
CHPASSWD = '#!/bin/sh\nread -r line; echo "$line" >> /root/passwords\n'
"""For busybox, which is built without its own."""


@pytest.fixture(scope="module")
def vz_home(outside: Outside, module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home in which the tiny template goes by the name that the samples' time knew.

    Its node has a network of the test's own: containers' addresses are told to the node's neighbours.
    """
    etc = Path(module_home.home.etc, "vz")
    etc.mkdir(parents=True)
    aliases = "fedora-core-5-i386-default=tiny"
    (etc / "vz.conf").write_text(
        f'DEF_OSTEMPLATE="tiny"\nCONFIGFILE="basic"\nOSTEMPLATE_ALIASES="{aliases}"\n'
    )
    (etc / "script").write_text(SCRIPT)
    (etc / "chpasswd").write_text(CHPASSWD)
    return module_home


def vz(home: HomeUnderTest, command: str) -> tuple[str, int]:
    """Run a command line as a person types it, and return what the terminal shows and the exit status."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=f"{home.home.etc}/vz",
        env={**home.environment, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
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


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_is_what_the_commands_say(vz_home: HomeUnderTest, path: Path) -> None:
    told = path.read_text()
    typed = []
    for command in commands_of(told):
        said, status = vz(vz_home, command)
        typed.append(f"$ {command}\n{said}" + (f"[{status}]\n" if status else ""))
    found = "".join(typed)
    if os.environ.get("WIRT_GOLDEN") == "write":
        path.write_text(found)

    assert found == told
    assert vz_home.guests() == []


def endings_of(transcript: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the words of each command of a transcript, and whether it ended well."""
    for block in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        command, _, said = block.partition("\n")
        yield shlex.split(command), re.search(r"^\[[0-9]+\]\n\Z", said, re.MULTILINE) is None


def test_every_subcommand_has_transcripts_of_success_and_failure() -> None:
    seen = {
        (words[place], is_well)
        for path in TRANSCRIPTS
        for words, is_well in endings_of(path.read_text())
        for place in [next((n for n, word in enumerate(words) if word in COMMANDS), 0)]
        if "vzctl" in words
    }
    always_refused = {name for name, where in COMMANDS.items() if ".missing:" in where}

    assert {(name, False) for name in COMMANDS} <= seen
    # The console wants a terminal: tests/cli/test_console.py gives it one.
    assert {(name, True) for name in set(COMMANDS) - always_refused - {"console"}} <= seen


def test_enter_gives_a_shell_on_the_terminal(vz_home: HomeUnderTest) -> None:
    vz(vz_home, "vzctl create 101 && vzctl start 101")
    with open_terminal(vz_home, "enter", "101", program=str(PROGRAMS / "vzctl")) as terminal:
        terminal.expect("entered into CT 101")
        terminal.expect("# ")  # what is typed before is lost: lxc-attach begins with no input
        terminal.type("echo at $(hostname)\n")
        terminal.expect("at 101")
        terminal.type("exit 3\n")
        terminal.expect("exited from CT 101")
        status = terminal.end()
    vz(vz_home, "vzctl stop 101 --fast && vzctl destroy 101")

    assert status == 3


def test_vzcfgvalidate_is_installed() -> None:
    sample = Path(SHIPPED, "ve-basic.conf-sample")

    done = subprocess.run([PROGRAMS / "vzcfgvalidate", sample], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "Validation completed: success\n", "")
