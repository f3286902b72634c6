"""Guests as domains of a real Xen: the lab host is its first one."""

import json
import re
from collections.abc import Iterator

import pytest
from tests.lab.host import PROJECT
from tests.lab.xenhost import XEN_ARGUMENTS, XenHost, open_xen_lab

from wirt.units import MIB

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

APPROACHES = ("xen", "xen-pvh")
WHY_IN_ONE_PIECE = {
    "xen": "this Xen has no shadow paging, without which it does not see what a paravirtualized domain writes",
    "xen-pvh": "xl sends what a domain writes to another xl alone, and not to files",
}
_PAGE = """
import sys, urllib.request
print(urllib.request.urlopen(f"http://{sys.argv[1]}/", timeout=60).read().decode(), end="")
"""

_UNTIL_IT_ANSWERS = (
    f"for try in $(seq 9); do {PROJECT}/.venv/bin/wirt exec xenu-1 -- true && exit; done; exit 1"
)

_THERE = ("env", "WIRT_HOME=/srv/there", "WIRT_RUN=/run/wirt-there")
"""A second home of the same machine: there is no other that runs on Xen."""

DOMAIN = """\
name = "xenU_1"
memory = 256
vif = ['mac=00:16:3e:00:00:01, bridge=xenbr0']
hostname = "xenU_1"
"""


def domains(lab: XenHost) -> list[str]:
    """Return the names of all domains but the first, which is the lab host's system."""
    return [line.split()[0] for line in lab.check("xl", "list").splitlines()[2:]]


@pytest.fixture
def node_b(xen_lab: XenHost) -> Iterator[str]:
    """Give the name of a node that guests can go to: it has the same templates, and no guests."""
    templates = "mkdir -p /srv/there && ln -sfn /var/lib/wirt/templates /srv/there/templates"
    xen_lab.check("/bin/sh", "-c", templates)
    xen_lab.wirt_inside("node", "add", "b", "--home", "/srv/there", "--run", "/run/wirt-there")
    yield "b"
    xen_lab.wirt_inside("node", "remove", "b")


def test_failed_boot_says_what_the_console_said(root_user: None) -> None:
    little = XEN_ARGUMENTS.replace("dom0_mem=1536M,max:1536M", "dom0_mem=8M,max:8M")
    with pytest.raises(AssertionError) as caught, open_xen_lab(little):
        pass

    assert str(caught.value).startswith("Xen did not start up: ")
    assert "(XEN) Panic on CPU 0:" in str(caught.value)


def test_doctor_says_yes_to_xen(xen_lab: XenHost) -> None:
    found = json.loads(xen_lab.wirt_inside("doctor", "--json"))
    said = {
        answer["name"]: answer["reason"] for answer in found["approaches"] if answer["available"]
    }

    assert said["xen"] == "Xen; the guest's kernel is paravirtualized"
    assert said["xen-pvh"] == "Xen, with the processor's help"


@pytest.mark.parametrize("approach", APPROACHES)
def test_guest_is_a_domain_from_its_creation_to_its_end(xen_lab: XenHost, approach: str) -> None:
    size = ("--memory", "384M", "--memory-max", "512M")
    xen_lab.wirt_inside("create", "web", "-a", approach, *size)
    xen_lab.wirt_inside("start", "web", "--timeout", "500s", seconds=600)
    shown = json.loads(xen_lab.wirt_inside("show", "web", "--json"))
    running = domains(xen_lab)
    status = xen_lab.run(f"{PROJECT}/.venv/bin/wirt", "exec", "web", "--", "sh", "-c", "exit 7")
    system = xen_lab.wirt_inside("exec", "web", "--", "systemd-detect-virt")
    page = xen_lab.wirt_inside("exec", "web", "--", "cat", "/var/www/html/index.html")
    # Its agent answers before all of its services are up.
    xen_lab.wirt_inside("exec", "web", "--", "sh", "-c", _UNTIL_IT_SERVES)
    served = xen_lab.check("python3", "-c", _PAGE, shown["address"])
    before = memory_inside(xen_lab)
    # The first domain has one processor of two.
    changes = ("--memory", "512M", "--cpu-weight", "200", "--cpus", "2", "--cpu-pin", "1")
    xen_lab.wirt_inside("set", "web", *changes)
    processors = xen_lab.wirt_inside("exec", "web", "--", "nproc")
    pinned = xen_lab.check("xl", "vcpu-list", running[0]).splitlines()[1:]
    xen_lab.wirt_inside("exec", "web", "--", "sh", "-c", _UNTIL_IT_HAS.format(kib=440 * 1024))
    after = memory_inside(xen_lab)
    weights = xen_lab.check("xl", "sched-credit2", "-d", running[0])
    xen_lab.wirt_inside("freeze", "web")
    paused = xen_lab.check("xl", "list", running[0]).splitlines()[1].split()[4]
    xen_lab.wirt_inside("thaw", "web")
    typed = xen_lab.check("/bin/sh", "-c", _AT_THE_CONSOLE)
    xen_lab.wirt_inside("stop", "web")
    left = domains(xen_lab)
    xen_lab.wirt_inside("destroy", "web")

    assert len(running) == 1
    assert status.returncode == 7
    assert system == "xen\n"
    assert served == page
    assert before < 400 * MIB < 440 * MIB <= after
    assert processors == "2\n"
    assert [line.split()[-3] for line in pinned] == ["1", "1"]
    # Paused, whether its processor was just at something or not.
    assert paused[2] == "p"
    assert typed == "Password:\n"
    assert weights.splitlines()[-1].split()[-2] == "512"
    assert left == []
    assert xen_lab.check("find", "/run/wirt/guests", "-mindepth", "1") == ""


@pytest.mark.parametrize("approach", APPROACHES)
def test_domain_goes_on_from_its_checkpoint(xen_lab: XenHost, approach: str) -> None:
    def inside(script: str) -> str:
        return xen_lab.wirt_inside("exec", "web", "--", "sh", "-c", script)

    size = ("--memory", "256M", "--memory-max", "384M")
    xen_lab.wirt_inside("create", "web", "-a", approach, *size)
    xen_lab.wirt_inside("start", "web", "--timeout", "500s", seconds=600)
    inside("cat /proc/sys/kernel/random/boot_id >/run/boot; echo one >/root/kept")
    xen_lab.wirt_inside("checkpoint", "web", "one", "--keep-running")
    inside("echo two >/root/kept; touch /run/later")
    going_on = domains(xen_lab)
    xen_lab.wirt_inside("checkpoint", "web", "two")
    ended = domains(xen_lab)
    xen_lab.wirt_inside("resume", "web")
    later = inside("cat /root/kept; ls /run/later; sync; echo goes on >/root/written; sync")
    xen_lab.wirt_inside("resume", "web", "one", "--force")
    earlier = inside(
        "cat /root/kept; ls /run/later /root/written; cmp /run/boot /proc/sys/kernel/random/boot_id"
        " && systemctl is-system-running --wait >/dev/null; date +%s"
    )
    node = float(xen_lab.check("date", "+%s"))
    xen_lab.wirt_inside("destroy", "--force", "web")

    assert (len(going_on), ended) == (1, [])
    assert later.splitlines() == ["two", "/run/later"]
    *said, clock = earlier.splitlines()
    assert said == ["one"]
    assert abs(node - float(clock)) < 60
    assert domains(xen_lab) == []


@pytest.mark.parametrize("approach", APPROACHES)
def test_domain_goes_to_another_node_with_its_memory(
    xen_lab: XenHost, node_b: str, approach: str
) -> None:
    def there(*arguments: str) -> str:
        return xen_lab.check(*_THERE, f"{PROJECT}/.venv/bin/wirt", *arguments)

    xen_lab.wirt_inside("create", "web", "-a", approach, "--memory", "256M")
    xen_lab.wirt_inside("start", "web", "--timeout", "500s", seconds=600)
    script = "cat /proc/sys/kernel/random/boot_id >/run/boot; echo written >/root/kept"
    xen_lab.wirt_inside("exec", "web", "--", "sh", "-c", script)
    before = domains(xen_lab)
    went = json.loads(xen_lab.wirt_inside("migrate", "web", node_b, "--json", seconds=900))
    after = domains(xen_lab)
    left = json.loads(xen_lab.wirt_inside("list", "--json"))
    script = "cmp /run/boot /proc/sys/kernel/random/boot_id && cat /root/kept"
    kept = there("exec", "web", "--", "sh", "-c", script)
    there("destroy", "--force", "web")

    assert went["mode"] == "live"
    assert went["in_one_piece"] == WHY_IN_ONE_PIECE[approach]
    assert went["memory_at_last"] > 256 * MIB
    assert went["trouble"] is None
    assert left == []
    assert kept == "written\n"
    # One before and one after, and it is another home's.
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    assert domains(xen_lab) == []


def test_disk_is_in_its_domain_from_the_start(xen_lab: XenHost) -> None:
    xen_lab.wirt_inside("create", "web", "-a", "xen", "--memory", "256M")
    xen_lab.wirt_inside("disk", "add", "web", "--name", "data", "--size", "64M")
    xen_lab.wirt_inside("start", "web", "--timeout", "500s", seconds=600)
    listed = xen_lab.check("xl", "block-list", domains(xen_lab)[0])
    size = xen_lab.wirt_inside("exec", "web", "--", "lsblk", "-bdno", "SIZE", "/dev/xvdb").strip()
    xen_lab.wirt_inside("destroy", "--force", "web")

    # As Xen counts them: xvda, xvdb.
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["51712", "51728"]
    assert size == str(64 * MIB)
    assert domains(xen_lab) == []
    assert re.findall(r"console/\d+/1", xen_lab.check("xenstore-ls", "-f")) == []


def test_xm_makes_domains_of_xen(xen_lab: XenHost, node_b: str) -> None:
    def xm(*arguments: str) -> str:
        return xen_lab.check(f"{PROJECT}/.venv/bin/xm", *arguments)

    def xm_there(*arguments: str) -> str:
        return xen_lab.check(*_THERE, f"{PROJECT}/.venv/bin/xm", *arguments)

    def seen() -> list[str]:
        """Return what Xen itself says of the domain: memory, processors and state."""
        return xen_lab.check("xl", "list", domains(xen_lab)[0]).splitlines()[1].split()[2:5]

    xen_lab.check("/bin/sh", "-c", 'printf %s "$1" >/etc/xen/xenU_1', "sh", DOMAIN)
    made = xm("create", "xenU_1")
    listed = xm("list", "xenU_1").splitlines()[-1].split()[:4]
    # Its kernel begins with all processors that there may be, and gives back those that it was not given.
    at_start = seen()[0]
    xen_lab.check("/bin/sh", "-c", _UNTIL_IT_ANSWERS, seconds=600)
    xm("mem-set", "xenU_1", "200")
    xm("sched-credit", "-d", "xenU_1", "-w", "512", "-c", "50")
    share = xen_lab.check("xl", "sched-credit2", "-d", domains(xen_lab)[0]).splitlines()[-1]
    xm("pause", "xenU_1")
    memory, _, paused = seen()
    xm("unpause", "xenU_1")
    xm("save", "xenU_1", "/root/xenU_1.state")
    saved = domains(xen_lab)
    xm("restore", "/root/xenU_1.state")
    restored = seen()[:2]
    xen_lab.check("/bin/sh", "-c", _UNTIL_IT_ANSWERS, seconds=600)
    xen_lab.check(f"{PROJECT}/.venv/bin/xm", "migrate", "--live", "xenU_1", node_b, seconds=900)
    gone, come = xm("list").splitlines()[2:], xm_there("list").splitlines()[2:]
    ended = xm_there("shutdown", "-w", "xenU_1")
    left = domains(xen_lab)
    xm_there("delete", "xenU_1")

    assert made == 'Using config file "/etc/xen/xenU_1".\nStarted domain xenU_1\n'
    assert listed == ["xenU_1", "1", "256", "1"]
    assert at_start == "256"
    assert share.split()[-2:] == ["512", "50"]
    assert (memory, paused[2]) == ("200", "p")
    assert saved == []
    assert restored == ["200", "1"]
    assert gone == []
    assert [line.split()[:4] for line in come] == [["xenU_1", "1", "200", "1"]]
    assert ended == "Domain xenU_1 terminated\n"
    assert left == []


def test_command_lines_of_the_source(xen_lab: XenHost) -> None:
    xen_lab.pytest("tests/lab/inside_xm_source.py")


def test_kills_at_every_point_leave_nothing(xen_lab: XenHost) -> None:
    xen_lab.pytest("tests/lab/inside_xen_crashes.py", seconds=3500)


_AT_THE_CONSOLE = f"""
said=/root/said
rm -f $said
{{
    until grep -q login: $said; do sleep 0.2; done
    printf 'nobody\\r'
    for try in $(seq 300); do grep -q Password: $said && break; sleep 0.2; done
    printf '\\035'
}} | script -qfc "{PROJECT}/.venv/bin/wirt console web" $said >/dev/null
grep -o Password: $said
"""

_UNTIL_IT_SERVES = """
for try in $(seq 600); do
    systemctl -q is-active apache2 && exit 0
    sleep 0.1
done
exit 1
"""

_UNTIL_IT_HAS = """
for try in $(seq 600); do
    set -- $(grep MemTotal: /proc/meminfo)
    [ "$2" -ge {kib} ] && exit 0
    sleep 0.1
done
exit 1
"""


def memory_inside(lab: XenHost) -> int:
    """Return the bytes of memory that the guest's own kernel says it has."""
    line = lab.wirt_inside("exec", "web", "--", "grep", "MemTotal:", "/proc/meminfo")
    return int(line.split()[1]) * 1024
