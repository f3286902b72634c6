"""Every vz command line that the source prints (sections 2.1.2 to 2.1.5 and 3.2), in its order, on real guests.

Fedora Core 5 is the template that is shipped, by an alias of ``vz.conf``. What the source shows of the kernel's file
``/proc/user_beancounters`` is asked of ``vzubc --proc``. The other node is a home in a network of its own. All that ``vzyum`` and
``vzpkgcache`` say is in a transcript.
"""

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.cli.test_migrate import Pair
from tests.containers import cpu_limit, cpu_weight, kernel_says
from tests.guest.conftest import ShippedTemplate
from tests.guest.test_every_approach import page_of
from tests.homes import BUSYBOX, HomeUnderTest
from tests.netns import other_network
from tests.terminal import open_terminal
from tests.transcripts import TRANSCRIPTS, retell

from wirt.ops.create import DEFAULT_TEMPLATE

PROGRAMS = Path(sys.executable).parent
SECONDS = 120.0
COUNTING = """setsid sh -c '
    i=0; while :; do i=$((i+1)); echo $i >/root/new; mv /root/new /root/count; sleep 0.01; done
' </dev/null >/dev/null 2>&1 &"""
"""Has a process of a container count, in a file, for as long as it lives."""
HAS_PASSWORD = """perl -e '
    my ($has) = `getent shadow root` =~ /^root:([^:]+)/; exit(crypt("secret", $has) ne $has)
'"""


class Shell:
    """A person at the node's shell, who knows another node, b."""

    def __init__(self, pair: Pair) -> None:
        self.home = pair.here
        self._pair = pair

    def type(self, line: str, *, status: int = 0) -> str:
        """Run a line of the source and return what it prints."""
        return self.home.type(line, directory=self.home.base, timeout=SECONDS, status=status)

    def type_on_b(self, line: str) -> str:
        """Run a line on the other node."""
        enter = f"nsenter --net={self._pair.netns}"
        return self._pair.there.type(f"{enter} {line}", timeout=SECONDS)

    def counted(self) -> int:
        """Return how far the process in 103 has counted."""
        return int(self.type("vzctl exec 103 cat /root/count"))


@pytest.fixture
def shell(template: ShippedTemplate) -> Iterator[Shell]:
    with (
        homes.open_home(Path(template.directory)) as here,
        homes.open_base() as base,
        other_network() as netns,
    ):
        there = HomeUnderTest(base)
        there.give_templates(Path(template.directory))
        pair = Pair(here, there, netns)
        pair.add()
        own = ["--home", here.home.data, "--run", here.home.run]
        pair.on_b("node", "add", "a", *own, "--netns", f"/proc/{os.getpid()}/ns/net")
        etc = Path(here.home.etc, "vz")
        etc.mkdir(parents=True)
        aliases = f"fedora-core-5-i386-default={template.name}"
        (etc / "vz.conf").write_text(f'OSTEMPLATE_ALIASES="{aliases}"\nCPUPOWER="50000"\n')
        try:
            yield Shell(pair)
        finally:
            for guest in there.guests():
                pair.on_b("destroy", "--force", guest.name)


@pytest.mark.timeout(900)
def test_command_lines_of_the_source_do_what_it_says(shell: Shell) -> None:
    home = shell.home
    # 2.1.2: "vzctl <subcommand> <vps-id> [OPTIONS]".
    shell.type("vzctl create 103 --ostemplate fedora-core-5-i386-default --config vps.basic")
    file = Path(home.home.data, "vz", "conf", "103.conf")
    shell.type("vzctl start 103 --wait")
    assert shell.type("vzctl exec 103 systemctl is-system-running") == "running\n"

    # 2.1.3.1: "vzcpucheck", "vzctl set 103 --cpuunits 10000 --cpulimit 20 --save", and what is kept for the node itself.
    before = shell.type("vzcpucheck")
    shell.type("vzctl set 103 --cpuunits 10000 --cpulimit 20 --save")
    after = shell.type("vzcpucheck")
    said = "Current CPU utilization: {}\nPower of the node: {}\n"
    power = 50000 * len(os.sched_getaffinity(0))
    assert (before, after) == (said.format(1000, power), said.format(10000, power))
    assert (cpu_weight(home), cpu_limit(home)) == (1000, 0.2)
    shell.type("vzctl set 103 --cpulimit 0 --save")
    shell.type(f"vzctl set 0 --cpuunits {power // 4} --save")
    assert shell.type("vzcpucheck") == said.format(10000 + power // 4, power)
    assert home.wirt("set", "103", "--cpu-guarantee", f"{power / 50000 * 0.8}").returncode == 4

    # 2.1.3.3: "cat /proc/user_beancounters".
    lines = shell.type("vzubc --proc --compat=2006").splitlines()
    assert lines[0] == "Version: 2.5"
    assert lines[1].split() == ["uid", "resource", "held", "maxheld", "barrier", "limit", "failcnt"]
    assert lines[2].split()[:2] == ["103:", "kmemsize"]
    rows = {fields[-6]: fields[-5:] for fields in (line.split() for line in lines[2:])}
    assert rows["numproc"][2:4] == ["65", "65"]
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
    assert shell.type(f"vzcfgvalidate --compat=2006 {file}") == "Validation completed: success\n"

    # 2.1.4: "vzctl create <vps-id> [--ostemplate <template>] [--config <config>]".
    shell.type("vzctl create 102 --ostemplate fedora-core-5-i386-default --config vps.basic")
    assert shell.type("vzctl status 102") == "CTID 102 exist unmounted down\n"
    shell.type("vzctl destroy 102")

    # 2.1.5.1: "vzctl chkpnt <vps-id>", "vzctl restore <vps-id>".
    address = next(guest for guest in home.guests() if guest.name == "103").address
    page = page_of(address)
    shell.type(f"vzctl exec 103 {shlex.quote(COUNTING)}")
    until(lambda: shell.counted() > 20)
    shell.type("vzctl chkpnt 103")
    assert shell.type("vzctl status 103") == "CTID 103 exist unmounted down suspended\n"
    shell.type("vzctl restore 103")
    assert shell.type("vzctl status 103") == "CTID 103 exist mounted running\n"
    first = shell.counted()
    assert first > 20
    until(lambda: shell.counted() > first)
    assert page_of(address) == page

    # 2.1.5.2: "vzmigrate --online <destination-node> <vps-id>", and back.
    said = shell.type("vzmigrate --online b 103")
    assert said == "Starting online migration of container 103 to b\nMigration completed\n"
    assert shell.type("vzctl status 103") == "CTID 103 deleted unmounted down\n"
    assert shell.type_on_b("vzctl status 103") == "CTID 103 exist mounted running\n"
    assert shell.type_on_b(f"{BUSYBOX} wget -q -O - http://{address}/") == page
    shell.type_on_b("vzmigrate --online a 103")
    assert shell.counted() > first
    assert page_of(address) == page

    # 3.2.1.1: "vzpkgcache"; "installed templates are shown by vzlist", which in truth shows containers.
    cached = shell.type("vzpkgcache").splitlines()[-1]
    assert re.fullmatch(rf"Cache of {DEFAULT_TEMPLATE} (is up to date|updated)", cached)
    assert re.fullmatch(r" *CTID .*\n +103 +\d+ running .*\n", shell.type("vzlist"))
    shell.type("vzctl stop 103 --fast; vzctl destroy 103")

    # 3.2.1.2: a guest, name by name, as often as the source has them.
    hosts = (101, 102, 103)
    for number in hosts:
        create = f"vzctl create {number} --ostemplate fedora-core-5-i386-default --config vps.basic"
        assert "private area was created" in shell.type(create)
        shell.type(f"vzctl set {number} --hostname www{number}.example.org --save")
        shell.type(f"vzctl set {number} --ipadd {of_host(address, number)} --save")
        shell.type(f"vzctl set {number} --userpasswd root:secret")
        shell.type(f"vzctl set {number} --onboot yes --save")
        assert shell.type(f"vzctl status {number}") == f"CTID {number} exist unmounted down\n"

    # 3.2.2: "vzctl start <vps-id>", "vzctl enter <vps-id>", "vzyum <vps-id> <yum-parameter>".
    for number in hosts:
        shell.type(f"vzctl start {number}")
    listed = shell.type("vzlist -H -o ctid,status,ip,hostname,onboot").splitlines()
    assert [line.split() for line in listed] == [
        [str(number), "running", of_host(address, number), f"www{number}.example.org", "yes"]
        for number in hosts
    ]
    assert [page_of(of_host(address, number)) for number in hosts] == [page] * 3
    with open_terminal(home, "enter", "101", program=str(PROGRAMS / "vzctl")) as terminal:
        terminal.expect("entered into CT 101")
        terminal.expect("# ")  # what is typed before is lost: lxc-attach begins with no input
        terminal.type("echo at $(hostname)\n")
        terminal.expect("at www101.example.org")
        terminal.type("exit\n")
        assert terminal.end() == 0
    shell.type(f"vzctl exec 101 {shlex.quote(HAS_PASSWORD)}")
    # A sample's 65 processes are those of the Apache of 2006; today's has threads.
    refused = shell.type("vzyum 101 install hello", status=1)
    assert "allow it more than 65 processes, look at wirt exec 101 -- dpkg --audit" in refused
    shell.type("vzctl set 101 --numproc 120:120 --save")
    shell.type("vzyum 101 install hello")
    assert shell.type("vzctl exec 101 hello") == "Hello, world!\n"

    # "is started too whenever the host is": with the command that the node's service runs.
    for number in hosts:
        shell.type(f"vzctl stop {number}")
    shell.type("wirt boot")
    assert shell.type("vzlist -H -1").split() == [str(number) for number in hosts]
    for number in hosts:
        shell.type(f"vzctl stop {number} --fast; vzctl destroy {number}")
    assert home.guests() == []


def of_host(address: str, number: int) -> str:
    """Return the address of a container, beside another of the home's."""
    return re.sub(r"\d+$", str(number), address)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline


def test_vzyum_installs_and_vzpkgcache_looks_after_the_template(guest_home: HomeUnderTest) -> None:
    path = TRANSCRIPTS / "packages.txt"
    told = path.read_text()
    Path(guest_home.home.etc, "vz").mkdir(parents=True, exist_ok=True)

    assert retell(guest_home, path) == told
    assert guest_home.guests() == []
