"""The commands of OpenVZ as they are installed: each told by a transcript, with what it says and what it ends with.

A transcript begins without containers and ends so.
"""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from tests import homes
from tests.homes import PROGRAMS, HomeUnderTest
from tests.netns import Outside, other_network
from tests.terminal import open_terminal
from tests.transcripts import TRANSCRIPTS, endings_of, retell, vz

from wirt.dialects.vz.conf import SHIPPED
from wirt.dialects.vz.vzctl.main import COMMANDS

ALL = sorted(TRANSCRIPTS.glob("*.txt"))
ELSEWHERE = {
    # Another node is needed, or packages, which the tiny template has none of (tests/guest/test_vz_source.py).
    "migrate",
    "packages",
}
HERE = [path for path in ALL if path.stem not in ELSEWHERE]
WAYS: Mapping[str, tuple[str, ...]] = {
    "vzcalc": ("",),
    "vzcfgvalidate": ("",),
    "vzcpucheck": ("",),
    "vzlist": ("",),
    "vzmemcheck": ("",),
    "vzmigrate": ("", "--online", "--check-only"),
    "vzpid": ("",),
    "vzpkgcache": ("", "-r"),
    "vzquota": ("stat", "show", "setlimit", "init", "on", "off", "drop"),
    "vzsplit": ("",),
    "vzubc": ("", "--proc", "-f"),
    "vzyum": ("install", "update", "upgrade"),
}
"""Program -> its subcommands, or what makes it do something else; empty: what it does without."""
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "vzcalc": ("-v",),
    "vzcfgvalidate": ("-r", "-i", "-v"),
    "vzcpucheck": ("-v",),
    "vzlist": ("-a", "-S", "-n", "-H", "-t", "-j", "-o", "-1", "-s", "-h", "-N", "-L"),
    "vzmemcheck": ("-v", "-A"),
    "vzmigrate": ("-r", "-t"),
    "vzpid": ("-p",),
    "vzsplit": ("-n", "-f", "-s", "-v"),
    "vzubc": ("-q", "-v", "-r", "-i", "-c", "-qh", "-qm", "-rc", "-rd"),
    "vzyum": ("-y",),
}
"""Program -> options that change what it says."""
NEVER: Mapping[str, set[tuple[str, bool]]] = {
    # A disk is bounded by its pool, always or never.
    "vzquota": {(way, True) for way in ("init", "on", "off", "drop")},
}
SCRIPT = 'echo "a script in $(hostname)"; exit 4\n'
CHPASSWD = '#!/bin/sh\nread -r line; echo "$line" >> /root/passwords\n'
"""For busybox, which is built without its own."""

BEANS = """Version: 2.5
       uid  resource                     held              maxheld              barrier                limit              failcnt
      101:  kmemsize                  1000000              2500000              2752512              2936012                    0
            numproc                        60                   65                   65                   65                    3
            numfile                       100                  200                 2048                 2048                    0
            physpages                    5000                 6000                    0  9223372036854775807                    0
"""
"""What ``vzubc -f`` is given, which holds the same each time."""


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
    (etc / "beans").write_text(BEANS)
    return module_home


@pytest.mark.parametrize("path", HERE, ids=lambda path: path.stem)
def test_transcript_is_what_the_commands_say(vz_home: HomeUnderTest, path: Path) -> None:
    told = path.read_text()

    assert retell(vz_home, path) == told
    assert vz_home.guests() == []


def test_transcript_of_containers_that_go_to_another_node(
    vz_home: HomeUnderTest, tiny_templates: Path
) -> None:
    path = TRANSCRIPTS / "migrate.txt"
    told = path.read_text()
    with homes.open_base() as base, other_network() as netns:
        there = HomeUnderTest(base)
        there.give_templates(tiny_templates)
        places = ["--home", there.home.data, "--run", there.home.run, "--netns", netns]
        vz_home.wirt("node", "add", "b", *places, status=0)
        on_b = f"nsenter --net={netns} env WIRT_HOME={there.home.data} WIRT_RUN={there.home.run}"
        found = retell(vz_home, path, {"ON_B": on_b})
        vz_home.wirt("node", "remove", "b", status=0)

        assert found == told
        assert vz_home.guests() == there.guests() == []


def test_every_subcommand_of_vzctl_has_transcripts_of_success_and_failure() -> None:
    seen = {
        (words[place], is_well)
        for words, is_well in all_endings()
        for place in [next((n for n, word in enumerate(words) if word in COMMANDS), 0)]
        if "vzctl" in words
    }
    always_refused = {name for name, where in COMMANDS.items() if ".missing:refuse" in where}

    assert {(name, False) for name in COMMANDS} <= seen
    # The console wants a terminal: tests/cli/test_console.py gives it one.
    assert {(name, True) for name in set(COMMANDS) - always_refused - {"console"}} <= seen


def test_every_other_program_has_transcripts_of_success_and_failure_in_each_of_its_ways() -> None:
    missing = {
        f"{program} {way}: {'success' if is_well else 'failure'}"
        for program, ways in WAYS.items()
        for way in ways
        for is_well in (True, False)
        if (way, is_well) not in NEVER.get(program, ())
        and not is_told(program, way, is_well=is_well)
    }

    assert missing == set()
    installed = {path.name for path in PROGRAMS.glob("vz*")}
    assert installed - {"vzctl"} == set(WAYS)


def test_every_option_of_the_other_programs_is_in_a_transcript_of_success() -> None:
    missing = {
        f"{program} {option}"
        for program, options in OPTIONS.items()
        for option in options
        if not is_told(program, option, is_well=True)
    }

    assert missing == set()


def is_told(program: str, way: str, *, is_well: bool) -> bool:
    return any(
        program in words and well is is_well and (not way or way in words)
        for words, well in all_endings()
        # To tell how it is used is not to do it; ``vzlist -h`` asks for a host name.
        if not {"--help", *([] if program == "vzlist" else ["-h"])} & set(words)
    )


@cache
def all_endings() -> list[tuple[list[str], bool]]:
    return [ending for path in ALL for ending in endings_of(path.read_text())]


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
