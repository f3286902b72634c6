"""The source's Xen command lines (sections 2.2.3 to 2.2.6 and 3.3), in its order, on Xen itself: run in its lab host.

The domain is a paravirtualized one with Debian's kernel, on volumes of LVM, without an agent, as the source's. Its ramdisk is ours: it
holds what reaches a disk of Xen's. What the test machine can do of this without Xen is in ``tests/guest/test_xm_source.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.test_xm_source import (
    FSTAB,
    INIT,
    PROGRAMS,
    XEND_CONFIG,
    Node,
    install_root,
    network_of,
)
from tests.homes import HomeUnderTest
from tests.lab.ramdisk import KERNEL, build_ramdisk, output
from tests.terminal import Terminal, open_terminal

from wirt.units import MIB

pytestmark = pytest.mark.timeout(1500)

SECONDS = 400.0
ESCAPE = "\x1d"
GROUP = "VolGroup00"

DOMAIN = """\
## Konfiguration fuer Virtuelle Machine xenU_1
kernel="{kernel}"
ramdisk="{ramdisk}"
root = "/dev/sda1 ro"
memory = 256
name = "xenU_1"
disk = [ 'phy:VolGroup00/xenU_1.1,sda1,w',
'phy:VolGroup00/xenU_1.2,sda2,w' ]
#
# Netzwerk Konfiguration
#
vif = [ 'mac=00:00:00:00:00:01, bridge=xen-br7' ]
ip="{address}"
netmask="255.255.240.0"
gateway="{gateway}"
hostname="xenU_1"
template = "tiny"
"""
"""Listing 3.4, with a ramdisk: Debian's kernel has Xen's drivers as modules."""

WITHOUT_DISKS = """\
kernel="{kernel}"
ramdisk="{ramdisk}"
root = "/dev/sda1"
memory = 256
name = "xenU_2"
template = "tiny"
"""
"""One whose only disk is its own: what goes on from its memory must find its disks as they were."""

PROCESSORS = """\
while sleep 1; do
    for one in /sys/devices/system/cpu/cpu[1-9]/online; do
        [ ! -e $one ] || [ "$(cat $one)" = 1 ] || echo 1 >$one
    done
done &
"""
"""What udev does in a system that is larger: it uses each processor that is put in."""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[str]:
    """Give the name of an empty volume group."""
    (tmp_path / "disk").touch()
    os.truncate(tmp_path / "disk", 128 * MIB)
    device = output("losetup", "--find", "--show", str(tmp_path / "disk")).strip()
    output("vgcreate", "--yes", GROUP, device)
    yield GROUP
    output("vgremove", "--force", "--yes", GROUP)
    output("losetup", "--detach", device)


@pytest.fixture
def node(home: HomeUnderTest) -> Node:
    return Node(home)


def test_command_lines_of_the_source_do_what_it_says_on_xen(group: str, node: Node) -> None:
    home = node.home
    etc = Path(home.home.etc, "xm")
    etc.mkdir(parents=True)
    # Listing 3.3: xend-config.sxp.
    (etc / "xend-config.sxp").write_text(XEND_CONFIG)
    # Listing 3.4: /etc/xen/xenU_1.
    address, gateway = network_of(home)
    told = {"kernel": KERNEL, "ramdisk": build_ramdisk(home.base)}
    (etc / "xenU_1").write_text(DOMAIN.format(**told, address=address, gateway=gateway))
    (etc / "xenU_2").write_text(WITHOUT_DISKS.format(**told))

    # 3.3.1.2: the volumes, "mkfs.ext3", "mkswap", "mkdir", "mount"; the root; "chroot".
    node.type(f"lvcreate --yes --name xenU_1.1 --size 64M {group}")
    node.type(f"lvcreate --yes --name xenU_1.2 --size 16M {group}")
    node.type(f"mkfs.ext3 -q -F /dev/{group}/xenU_1.1")
    node.type(f"mkswap /dev/{group}/xenU_1.2")
    root = home.base / "xenU_1.root"
    fstab = FSTAB.replace("/dev/ubd", "/dev/xvd")
    with node.mounted(f"/dev/{group}/xenU_1.1", root):
        install_root(root, fstab=fstab, init=of_xen(INIT))
        assert node.type(f"chroot {root} /bin/sh -c 'cat /etc/fstab'") == fstab

    # 2.2.5 and 3.3.2: "xm create -c xenU_1".
    xm = str(PROGRAMS / "xm")
    with open_terminal(home, "create", "-c", "xenU_1", program=xm) as terminal:
        expect(terminal, f'Using config file "{etc}/xenU_1".', "Started domain xenU_1")
        expect(terminal, "Linux version", "xenu-1 is up")
        terminal.type(
            "echo root $(grep -c ' / ext3 rw' /proc/mounts) swap $(grep -c xvdc /proc/swaps)\r"
        )
        expect(terminal, "root 1 swap 1")
        terminal.type("cat /sys/class/net/eth0/address; cat /sys/hypervisor/type\r")
        expect(terminal, "00:00:00:00:00:01", "xen")
        # Its card is on the bridge: the node is the other end.
        terminal.type(f"ping -c 1 -w 60 {gateway} >/dev/null && echo gateway answers\r")
        expect(terminal, "gateway answers\r\n")
        terminal.type(ESCAPE)
        assert terminal.end() == 0

    # 2.2.3.2: "xm <subcommand> <domain-id> [OPTIONS]", of domain 0 too.
    assert node.type("xm domid xenU_1") == "1\n"
    listed = node.type("xm list").splitlines()
    assert [line.split()[:4] for line in listed[2:]] == [["xenU_1", "1", "256", "1"]]
    assert listed[1].split()[:2] == ["Domain-0", "0"]
    assert node.type("xm network-list xenU_1").splitlines()[1].split()[2] == "00:00:00:00:00:01"
    disks = node.type("xm block-list 1").splitlines()[1:]
    assert [(line.split()[0], line.split()[-1]) for line in disks] == [
        ("2049", f"/dev/{group}/xenU_1.1"),
        ("2050", f"/dev/{group}/xenU_1.2"),
    ]
    assert "(uname phy:VolGroup00/xenU_1.1)" in node.type("xm list --long xenU_1")

    # 2.2.4: memory, processors and their share, while it runs; Xen itself is asked.
    node.type("xm sched-credit -d xenU_1 -w 512 -c 50")
    assert node.type("xm sched-credit -d xenU_1") == "{'cap': 50, 'weight': 512}\n"
    node.type("xm vcpu-pin xenU_1 0 1")
    assert node.type("xm vcpu-list xenU_1").splitlines()[1].split()[-1] == "1"
    node.type("xm mem-set xenU_1 200")
    node.type("xm vcpu-set xenU_1 2")
    domain = seen_by_xen(node)[0]
    assert domain[2:4] == ["200", "2"]
    assert node.type(f"xl sched-credit2 -d {domain[0]}").split()[-2:] == ["512", "50"]
    pins = node.type(f"xl vcpu-list {domain[0]}").splitlines()[1:]
    assert [line.split()[-3] for line in pins] == ["1", "1"]
    assert float(node.type("xm list 1").split()[-1]) > 0

    # 2.2.6: saving, and "xm migrate --live <gastname> <zielhost>": volumes of the node stay where they are.
    refused = node.type("xm save xenU_1 state", status=1)
    assert refused.startswith("Error: guest xenu-1 cannot be checkpointed: disk xvdb ")
    node.type(f"wirt node add zielhost --home {home.base}/other")
    refused = node.type("xm migrate --live xenU_1 zielhost", status=1)
    assert "cannot go to another node: its disk sda1 is this one's" in refused

    # 2.2.3.2: paused, and going on; "console"; "shutdown".
    node.type("xm pause xenU_1")
    assert node.type("xm list xenU_1").split()[-2] == "--p---"
    assert seen_by_xen(node)[0][4][2] == "p"
    node.type("xm unpause xenU_1")
    with open_terminal(home, "console", "xenU_1", program=xm) as terminal:
        expect(terminal, "gateway answers\r\n", "/ # ")
        terminal.type("echo cpus $(grep -c processor /proc/cpuinfo), it goes on\r")
        expect(terminal, "\ncpus 2, it goes on")
        assert node.type("xm shutdown -w xenU_1") == "Domain xenU_1 terminated\n"
        expect(terminal, "going down", "Domain xenU_1 terminated")
        assert terminal.end() == 0
    assert seen_by_xen(node) == []
    assert len(node.type("xm list").splitlines()) == 2
    with node.mounted(f"/dev/{group}/xenU_1.1", home.base / "again"):
        assert (home.base / "again" / "etc" / "fstab").read_text() == fstab

    # 2.2.6 once more, for a domain whose disk goes along: saved and restored.
    with open_terminal(home, "create", "-c", "xenU_2", program=xm) as terminal:
        # Its kernel has to stop by itself, so it must have come so far.
        expect(terminal, "going to /dev/xvda")
        terminal.type(ESCAPE)
        assert terminal.end() == 0
    node.type("xm save xenU_2 state")
    assert seen_by_xen(node) == []
    node.type("xm restore state")
    assert seen_by_xen(node)[0][2:4] == ["256", "1"]
    assert node.type("xm list xenU_2").splitlines()[1].split()[:4] == ["xenU_2", "3", "256", "1"]

    # 2.2.3.2: "destroy"; nothing of the domains is left once they are deleted.
    node.type("xm destroy xenU_2")
    assert seen_by_xen(node) == []
    for name in ("xenU_1", "xenU_2"):
        node.type(f"xm delete {name}")
    assert home.guests() == []


def expect(terminal: Terminal, *texts: str) -> None:
    """Read until all of them have been shown, one after the other, on a machine that takes its time."""
    for text in texts:
        terminal.expect(text, seconds=SECONDS)


def seen_by_xen(node: Node) -> list[list[str]]:
    """Return what Xen itself says of each domain but the first: name, number, memory, processors, state."""
    return [line.split()[:5] for line in node.type("xl list").splitlines()[2:]]


def of_xen(init: str) -> str:
    """Return the first program of a guest on User-Mode Linux as it is on Xen."""
    told = init.replace("vec0", "eth0").replace("echo 0 >/proc", f"{PROCESSORS}echo 0 >/proc")
    return told.replace("none /proc\n", "none /proc\nmount -t sysfs none /sys\n")
