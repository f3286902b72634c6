"""``xm`` as it is installed, in a home without guests; what it says of domains: tests/unit/test_xm_transcripts.py."""

import os
import subprocess
import sys
from pathlib import Path

from tests.homes import HomeUnderTest
from tests.terminal import open_terminal

XM = str(Path(sys.executable).parent / "xm")


def run(home: HomeUnderTest, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [XM, *arguments], env=home.environment, capture_output=True, text=True, timeout=60
    )


def test_node_is_domain_0(home: HomeUnderTest) -> None:
    done = run(home, "list")
    head, row = done.stdout.splitlines()
    name, number, memory, cpus, state, seconds = row.split()

    assert head == "Name                                      ID Mem(MiB) VCPUs State   Time(s)"
    assert (name, number, state) == ("Domain-0", "0", "r-----")
    assert int(memory) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    assert (int(cpus), float(seconds) > 0) == (os.sysconf("SC_NPROCESSORS_ONLN"), True)


def test_info_tells_of_the_node_what_the_node_says(home: HomeUnderTest) -> None:
    lines = run(home, "info").stdout.splitlines()
    said = {line[:23].strip(): line[25:] for line in lines}
    uname = os.uname()

    assert (said["host"], said["release"]) == (uname.nodename, uname.release)
    assert (said["machine"], said["xen_caps"]) == (uname.machine, "(none)")
    assert all(line[23:25] == ": " for line in lines)


def test_messages_of_the_kernel_are_those_of_dmesg(home: HomeUnderTest) -> None:
    done = run(home, "dmesg")
    plain = subprocess.run(["dmesg"], capture_output=True, text=True)

    assert done.returncode == plain.returncode
    # More may have been said between the two.
    assert set(done.stdout.splitlines()[-1:]) <= set(plain.stdout.splitlines())


def test_top_shows_the_node_until_it_is_left(home: HomeUnderTest) -> None:
    with open_terminal(home, "top", program=XM) as terminal:
        terminal.expect("NAME")
        terminal.expect("Domain-0")
        terminal.expect("VCPUS")  # the second time
        terminal.type("\x03")
        status = terminal.end()

    assert status == 0
