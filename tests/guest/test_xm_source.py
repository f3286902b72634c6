"""Every Xen command line and file that the source prints (sections 2.2.3 to 2.2.6 and 3.3), in its order, on a real guest.

The node has no Xen, so the paravirtualized guest is one of User-Mode Linux, its kernel is ``linux.uml``, and the volumes of the group
VolGroup00 are files. yum's Fedora is a busybox: what installs a root is not what is tested here. Lines that User-Mode Linux cannot
do (memory, processors, saving, migrating) end as xm ends when it cannot.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.homes import BUSYBOX, HomeUnderTest
from tests.terminal import open_terminal

PROGRAMS = Path(sys.executable).parent
SECONDS = 180.0
ESCAPE = "\x1d"

XEND_CONFIG = """\
# -*- sh -*-
# Xend Konfigurations Datei.
# Zugewiesene CPUs
(dom0-cpus 0)
# Minimale Speicherzuteilung zur Domaene 0
(dom0-min-mem 256)
# Einstellungen fuer Bridge Netzwerk
(network-script 'network-bridge bridge=xen-br7 netdev=eth0')
(vif-script 'vif-bridge')
"""
"""Listing 3.3; the bridge has another name than the usual one, so that it is seen to be read."""

DOMAIN = """\
## Konfiguration fuer Virtuelle Machine xenU_1
kernel="{kernel}"
root = "/dev/sda1 ro"
memory = 256
name = "xenU_1"
disk = [ 'file:{volumes}/xenU_1.1,sda1,w',
'file:{volumes}/xenU_1.2,sda2,w' ]
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
"""Listing 3.4."""

FSTAB = """\
/dev/ubdb / ext3 defaults 1 1
/dev/ubdc swap swap defaults 0 0
none /dev/pts devpts gid=5,mode=620 0 0
none /dev/shm tmpfs defaults 0 0
none /proc proc defaults 0 0
none /sys sysfs defaults 0 0
"""
"""The source's, with the disks as User-Mode Linux calls them; the source itself means sda2 where it writes sda3."""

INIT = """\
#!/bin/sh
mount -t proc none /proc
mount -o remount,rw /
mkdir -p /dev/pts /dev/shm
mount -a
swapon -a
for word in $(cat /proc/cmdline); do
  case $word in systemd.hostname=*) hostname "${word#*=}" ;; ip=*) words=${word#ip=} ;; esac
done
IFS=: read -r address _ gateway netmask _ <<END
$words
END
ip link set lo up
ifconfig vec0 "$address" netmask "$netmask" up
ip route add default via "$gateway"
echo 0 >/proc/sys/kernel/ctrl-alt-del
trap 'echo going down' INT
echo "$(hostname) is up"
setsid -c /bin/sh </dev/console >/dev/console 2>&1 &
wait
umount -a -r
busybox poweroff -f
"""
"""What a busybox needs to be a system: it ends when whoever is on the console leaves, or at Ctrl-Alt-Del."""


class Node:
    """A person at the node's shell, in a directory with the volumes."""

    def __init__(self, home: HomeUnderTest) -> None:
        self.home = home
        self.volumes = home.base / "VolGroup00"
        self.volumes.mkdir()

    def type(self, line: str, *, status: int = 0) -> str:
        """Run a line and return what it prints."""
        return self.home.type(line, directory=self.volumes, timeout=120, status=status)

    @contextmanager
    def mounted(self, volume: str, at: Path) -> Iterator[None]:
        """Show a volume at a place, and take it away again."""
        how = "" if volume.startswith("/dev/") else "-o loop"
        self.type(f"mkdir {at}; mount {how} {volume} {at}")
        try:
            yield
        finally:
            self.type(f"umount {at}")


@pytest.fixture
def node(home: HomeUnderTest) -> Node:
    return Node(home)


def test_command_lines_of_the_source_do_what_it_says(node: Node) -> None:
    home, volumes = node.home, node.volumes
    etc = Path(home.home.etc, "xm")
    etc.mkdir(parents=True)
    # Listing 3.3: xend-config.sxp.
    (etc / "xend-config.sxp").write_text(XEND_CONFIG)
    # Listing 3.4: /etc/xen/xenU_1.
    address, gateway = network_of(home)
    kernel = node.type("command -v linux.uml").strip()
    text = DOMAIN.format(kernel=kernel, volumes=volumes, address=address, gateway=gateway)
    (etc / "xenU_1").write_text(text)

    # 3.3.1.2: the volumes, "mkfs.ext3", "mkswap", "mkdir", "mount"; the root; "chroot".
    node.type("truncate -s 48M xenU_1.1; truncate -s 16M xenU_1.2")
    node.type("mkfs.ext3 -q -F xenU_1.1")
    node.type("mkswap xenU_1.2")
    root = home.base / "xenU_1.root"
    with node.mounted("xenU_1.1", root):
        install_root(root, fstab=FSTAB, init=INIT)
        assert node.type(f"chroot {root} /bin/sh -c 'cat /etc/fstab'") == FSTAB

    # 2.2.5 and 3.3.2: "xm create -c xenU_1".
    xm = str(PROGRAMS / "xm")
    with open_terminal(home, "create", "-c", "xenU_1", program=xm) as terminal:
        terminal.expect(f'Using config file "{etc}/xenU_1".')
        terminal.expect("Started domain xenU_1")
        terminal.expect("Linux version", seconds=SECONDS)
        terminal.expect("xenu-1 is up", seconds=SECONDS)
        terminal.type(
            "echo root $(grep -c ' / ext3 rw' /proc/mounts) swap $(grep -c ubdc /proc/swaps)\r"
        )
        terminal.expect("root 1 swap 1", seconds=SECONDS)
        terminal.type("cat /sys/class/net/vec0/address; echo asked\r")
        terminal.expect("00:00:00:00:00:01", seconds=SECONDS)
        # Its card is on the bridge: the node is the other end.
        terminal.type(f"ping -c 1 -w 30 {gateway} >/dev/null && echo gateway answers\r")
        terminal.expect("gateway answers", seconds=SECONDS)
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
        ("2049", f"{volumes}/xenU_1.1"),
        ("2050", f"{volumes}/xenU_1.2"),
    ]
    assert "(uname file:" in node.type("xm list --long xenU_1")

    # 2.2.4: memory, processors and their share, while it runs.
    node.type("xm sched-credit -d xenU_1 -w 512 -c 50")
    assert node.type("xm sched-credit -d xenU_1") == "{'cap': 50, 'weight': 512}\n"
    node.type("xm vcpu-pin xenU_1 0 0")
    assert node.type("xm vcpu-list xenU_1").splitlines()[1].split()[-1] == "0"
    for line in ("xm mem-set xenU_1 200", "xm vcpu-set xenU_1 2"):
        assert node.type(line, status=1).startswith("Error: the ")
    assert float(node.type("xm list 1").split()[-1]) > 0

    # 2.2.6: "xm migrate --live <gastname> <zielhost>", and saving.
    assert node.type("xm save xenU_1 state", status=1).startswith("Error: guest xenu-1 ")
    node.type(f"wirt node add zielhost --home {home.base}/other")
    refused = node.type("xm migrate --live xenU_1 zielhost", status=1)
    assert "cannot go to another node: its disk sda1 is this one's" in refused

    # 2.2.3.2: paused, and going on; "console"; "shutdown".
    node.type("xm pause xenU_1")
    assert node.type("xm list xenU_1").split()[-2] == "--p---"
    node.type("xm unpause xenU_1")
    with open_terminal(home, "console", "xenU_1", program=xm) as terminal:
        terminal.expect("gateway answers\r\n")
        terminal.expect("/ # ")
        terminal.type("echo goes on\r")
        terminal.expect("\ngoes on")
        assert node.type("xm shutdown -w xenU_1") == "Domain xenU_1 terminated\n"
        terminal.expect("going down", seconds=SECONDS)
        terminal.expect("Domain xenU_1 terminated", seconds=SECONDS)
        assert terminal.end() == 0
    assert len(node.type("xm list").splitlines()) == 2
    with node.mounted("xenU_1.1", home.base / "again"):
        assert (home.base / "again" / "etc" / "fstab").read_text() == FSTAB
    node.type("xm delete xenU_1")
    assert home.guests() == []


def network_of(home: HomeUnderTest) -> tuple[str, str]:
    """Return an address that a guest can have, and that of the node."""
    said = home.wirt("network", "show", status=0).stdout
    match = re.search(r"^subnet +(\S+)0/20$", said, re.MULTILINE)
    assert match is not None
    return f"{match[1]}2", f"{match[1]}1"


def install_root(root: Path, *, fstab: str, init: str) -> None:
    """Make what a system needs, as the source does with MAKEDEV, mount and yum."""
    for name in ("bin", "dev", "etc", "proc", "root", "sbin", "sys", "tmp"):
        (root / name).mkdir()
    for name, major, minor in (("console", 5, 1), ("null", 1, 3), ("zero", 1, 5), ("random", 1, 8)):
        os.mknod(root / "dev" / name, 0o20666, os.makedev(major, minor))
    (root / "etc" / "fstab").write_text(fstab)
    (root / "bin" / "busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (root / "bin" / "busybox").chmod(0o755)
    links = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    for name in sorted(set(links.split()) - {"busybox"}):
        (root / "bin" / name).symlink_to("busybox")
    # What Xen's drivers call when the domain is told to shut down.
    (root / "sbin" / "poweroff").write_text("#!/bin/sh\nkill -INT 1\n")
    (root / "sbin" / "init").write_text(init)
    for name in ("init", "poweroff"):
        (root / "sbin" / name).chmod(0o755)
