"""What the documents tell a reader to type is what the programs understand."""

import re
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import click
import pytest
from tests.documents import DOCUMENTS, REPOSITORY, Shown, read_commands
from tests.homes import HomeUnderTest

from wirt.cli.main import wirt as command_line
from wirt.dialects.vz import ubcoptions, vzcfgvalidate, vzlist, vzmigrate
from wirt.dialects.vz.vzctl import main as vzctl
from wirt.dialects.xm import main as xm
from wirt.ops.doctor import PROGRAMS

SHOWN = [shown for document in DOCUMENTS for shown in read_commands(document)]
COMMANDS_PAGE = REPOSITORY / "docs" / "commands.md"
MAKEFILE = REPOSITORY / "Makefile"
FOREIGN = frozenset({"apt-get", "cd", "echo", "git", "ln", "rm", "systemctl", "tar"})
"""Programs that the documents may use and that are not ours to test."""
PROGRAMS_OF_OURS = frozenset(
    tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
)
FILES = ("unixbench.txt", "root.tar.xz")
"""Files that commands in the documents read."""
HARMLESS = ("wirt doctor", "wirt list --json", "wirt results list", "wirt template list")


def _every_command(
    group: click.Group, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue  # it is for programs
        if isinstance(command, click.Group):
            found += _every_command(command, (*path, name))
        else:
            found.append(((*path, name), command))
    return found


EVERY_COMMAND = _every_command(command_line)


def _parse(arguments: list[str], *, is_whole: bool) -> None:
    """Take the arguments apart as the command line would, and stop short of doing anything.

    A sentence may name a command without its arguments (``is_whole`` is False then), a transcript may not.
    """
    command: click.Command = command_line
    rest = list(arguments)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        below = command.get_command(click.Context(command), name)
        assert below is not None, f"there is no command {name}"
        command = below
    if not rest and not is_whole:
        return
    with suppress(click.exceptions.Exit), command.make_context("wirt", rest):
        pass  # --help and --version exit


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_command_in_document_is_understood(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).touch()
    targets = re.findall(r"^([a-z-]+):", MAKEFILE.read_text(), re.MULTILINE)

    for program, *arguments in shown.programs():
        if program.removeprefix(".venv/bin/") == "wirt":
            _parse(arguments, is_whole=shown.is_transcript)
        elif program == "vzcfgvalidate":
            assert vzcfgvalidate.parse_arguments(arguments) is not None
        elif program == "vzlist":
            assert vzlist.parse_arguments(arguments) is not None
        elif program == "vzubc":
            ubcoptions.parse_arguments(arguments)
        elif program == "vzctl":
            assert callable(vzctl.find_command(arguments[0]))
        elif program == "vzmigrate":
            vzmigrate.parse_arguments(arguments)
        elif program == "xm":
            assert callable(xm.find_command(xm.resolve(arguments[0])))
        elif program.startswith("vz"):
            assert program in PROGRAMS_OF_OURS
        elif program == "make":
            assert arguments[:1] == ["-C"] or set(arguments) <= set(targets)
        elif program == ".venv/bin/python":
            assert (REPOSITORY / arguments[0]).is_file()
        elif "/" in program:
            assert program.startswith(".venv/bin/") or (REPOSITORY / program).is_file()
        else:
            assert program in FOREIGN


@pytest.mark.parametrize("command", HARMLESS)
def test_harmless_command_of_documents_runs_in_an_empty_home(command: str, tmp_path: Path) -> None:
    home = HomeUnderTest(tmp_path)
    arguments = command.split()[1:]

    done = home.wirt(*arguments)

    assert command in {shown.command for shown in SHOWN}
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "command"), EVERY_COMMAND, ids=[" ".join(path) for path, _ in EVERY_COMMAND]
)
def test_commands_page_shows_every_command_and_option(
    path: tuple[str, ...], command: click.Command
) -> None:
    page = COMMANDS_PAGE.read_text()
    shown = {shown.command for shown in SHOWN if shown.document == COMMANDS_PAGE}
    options = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }

    missing = sorted(option for option in options if f"`{option}" not in page)

    assert any(f"{line} ".startswith(f"wirt {' '.join(path)} ") for line in shown)
    assert missing == []


def test_make_without_a_target_prints_every_errand() -> None:
    done = subprocess.run(["make", "-C", REPOSITORY], capture_output=True, text=True, check=True)

    for target in ("compare", "test", "set-up", "lint", "bench", "clean"):
        assert f"make {target} " in done.stdout


def test_set_up_installs_every_program_that_the_doctor_looks_for() -> None:
    text = (REPOSITORY / "scripts" / "packages-debian.txt").read_text()
    listed = {line.split()[0] for line in text.splitlines() if line and not line.startswith("#")}

    assert {program.package for program in PROGRAMS} <= listed
