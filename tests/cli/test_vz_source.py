"""Every vz command line that the source prints (sections 2.1.2 to 2.1.5 and 3.2), in its order, on a real guest.

Fedora Core 5 is an alias of the template at hand, as ``vz.conf`` says it. What the source shows of the kernel's file
``/proc/user_beancounters`` is asked of ``vzubc --proc``. Two lines end as vzctl ends when it cannot: the tiny template has no
packages (``vzyum`` and ``vzpkgcache`` with a real one: tests/guest/test_vz_source.py). ``vzmigrate --online``, which wants another
node, is in tests/cli/test_migrate.py.
"""

import os
import re
import sys
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.containers import cpu_limit, cpu_weight, kernel_says
from tests.homes import HomeUnderTest
from tests.terminal import open_terminal

PROGRAMS = Path(sys.executable).parent


class Shell:
    """A person at the node's shell."""

    def __init__(self, home: HomeUnderTest) -> None:
        self.home = home

    def type(self, line: str, *, stdin: str = "", status: int = 0) -> str:
        """Run a line of the source and return what it prints."""
        return self.home.type(line, stdin=stdin, directory=self.home.base, status=status)


@pytest.fixture
def shell(home: HomeUnderTest) -> Shell:
    etc = Path(home.home.etc, "vz")
    etc.mkdir(parents=True)
    aliases = f"fedora-core-5-i386-default={TINY}"
    (etc / "vz.conf").write_text(f'OSTEMPLATE_ALIASES="{aliases}"\nCPUPOWER="50000"\n')
    (home.base / "tools").mkdir()
    (home.base / "tools" / "chpasswd").write_text("#!/bin/sh\ncat > /root/given\n")
    return Shell(home)


def test_command_lines_of_the_source_do_what_it_says(shell: Shell) -> None:
    home = shell.home
    # 3.2.1.2: "vzctl create <vps-id> --ostemplate fedora-core-5-i386-default --config vps.basic", as 2.1.4 has it in general.
    shell.type("vzctl create 103 --ostemplate fedora-core-5-i386-default --config vps.basic")
    file = Path(home.home.data, "vz", "conf", "103.conf")
    shell.type("vzctl start 103")

    # 2.1.3.1: "vzcpucheck", "vzctl set 103 --cpuunits 10000 --cpulimit 20 --save".
    before = shell.type("vzcpucheck")
    shell.type("vzctl set 103 --cpuunits 10000 --cpulimit 20 --save")
    after = shell.type("vzcpucheck")
    said = "Current CPU utilization: {}\nPower of the node: {}\n"
    power = 50000 * len(os.sched_getaffinity(0))
    assert (before, after) == (said.format(1000, power), said.format(10000, power))
    assert (cpu_weight(home), cpu_limit(home)) == (1000, 0.2)

    # 2.1.3.3: "cat /proc/user_beancounters".
    lines = shell.type("vzubc --proc --compat=2006").splitlines()
    assert lines[0] == "Version: 2.5"
    assert lines[1].split() == ["uid", "resource", "held", "maxheld", "barrier", "limit", "failcnt"]
    assert lines[2].split()[:2] == ["103:", "kmemsize"]
    rows = {fields[-6]: fields[-5:] for fields in (line.split() for line in lines[2:])}
    assert rows["numproc"][2:] == ["65", "65", "0"]
    assert rows["numfile"][2:4] == ["2048", "2048"]
    assert int(rows["physpages"][0]) > 0

    # 2.1.3.4: "vzctl set <vps-id> --<UBC-Parameter> <barrier>:<limit> --save", "vzcfgvalidate <file>".
    shell.type("vzctl set 103 --numproc 70:70 --save")
    shell.type("vzctl set 103 --privvmpages 50000:60000 --save")
    assert kernel_says(home, "pids", "pids.max", "pids.max") == "70"
    assert kernel_says(home, "memory", "memory.limit_in_bytes", "memory.max") == str(60000 * 4096)
    assert shell.type(f"vzcfgvalidate --compat=2006 {file}") == "Validation completed: success\n"
    shell.type("vzctl --compat=2006 set 103 --privvmpages 100:200 --save", status=1)
    shell.type("vzctl --compat=2006 set 103 --privvmpages 5000:60000 --save")
    broken = shell.type(f"vzcfgvalidate --compat=2006 {file}", status=2)
    assert broken == "Warning: privvmpages.bar should be > 6144 (currently, 5000)\n"
    shell.type(f"vzcfgvalidate --compat=2006 -r {file}")

    # 2.1.5: "vzctl chkpnt <vps-id>", "vzctl restore <vps-id>".
    shell.type("vzctl chkpnt 103")
    assert shell.type("vzctl status 103") == "CTID 103 exist unmounted down suspended\n"
    shell.type("vzctl restore 103")
    assert shell.type("vzctl status 103") == "CTID 103 exist mounted running\n"

    # 3.2.1.1: "vzpkgcache"; "installed templates are shown by vzlist", which in truth shows containers.
    shell.type("vzpkgcache fedora-core-5-i386-default", status=1)
    assert re.fullmatch(r" *CTID .*\n +103 +\d+ running .*\n", shell.type("vzlist"))
    shell.type("vzctl stop 103 --fast")

    # 3.2.1.2: a guest, name by name; 3.2.2: into operation.
    create = "vzctl create 101 --ostemplate fedora-core-5-i386-default --config vps.basic"
    assert "private area was created" in shell.type(create)
    shell.type("vzctl set 101 --hostname www.example.org --save")
    address = re.sub(r"\d+$", "77", home.guests()[0].address)
    shell.type(f"vzctl set 101 --ipadd {address} --save")
    shell.type("vzctl set 101 --onboot yes --save")
    shell.type("vzctl start 101")
    shell.type("vzctl exec 101 'cat > /bin/chpasswd; chmod 755 /bin/chpasswd' < tools/chpasswd")
    shell.type("vzctl stop 101 --fast")
    shell.type("vzctl set 101 --userpasswd root:secret")
    assert shell.type("vzctl status 101") == "CTID 101 exist unmounted down\n"
    shell.type("vzctl start 101")
    listed = shell.type("vzlist -H -o ctid,status,ip,hostname,onboot").split()
    assert listed == ["101", "running", address, "www.example.org", "yes"]
    with open_terminal(home, "enter", "101", program=str(PROGRAMS / "vzctl")) as terminal:
        terminal.expect("entered into CT 101")
        terminal.expect("# ")  # what is typed before is lost: lxc-attach begins with no input
        terminal.type("echo $(hostname) has $(cat /root/given)\n")
        terminal.expect("www.example.org has root:secret")
        terminal.type("exit\n")
        assert terminal.end() == 0
    shell.type("vzyum 101 install hello", status=1)
    for number in (101, 103):
        shell.type(f"vzctl stop {number} --fast; vzctl destroy {number}")
    assert home.guests() == []
