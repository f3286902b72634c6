"""A network of a test's own: what a test does to forwarding, routes and interfaces, it does to nobody else.

The test's process itself moves: everything that it runs or asks is there too, and the node as it was when it comes back.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wirt.host import mountinfo

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_KEPT = ("/dev", "/proc", "/run", "/sys")
NODE, OUTSIDE = "198.51.100.1", "198.51.100.2"
"""The node's address on its uplink, and who is at the other end."""

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _foreign_mounts() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        points = [mount.mount_point for mount in mountinfo.parse_mounts(file)]
    return [
        point
        for point in reversed(points)
        if point != "/" and f"/{point.split('/')[1]}" not in _KEPT
    ]


@contextmanager
def own_network() -> Iterator[None]:
    """Be on a node without any network but its loopback, as long as the block runs."""
    before = [
        os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "mnt")
    ]
    directory = os.getcwd()
    _call("unshare", _CLONE_NEWNET | _CLONE_NEWNS)
    try:
        _call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
        # What others mount would be held by our copy of it when they have unmounted it.
        for point in _foreign_mounts():
            _call("umount2", os.fsencode(point), _MNT_DETACH)
        # The old one shows the interfaces of the network that it was mounted in.
        cgroups = os.open("/sys/fs/cgroup", os.O_PATH | os.O_CLOEXEC)
        _call("mount", b"sysfs", b"/sys", b"sysfs", 0, None)
        _call(
            "mount",
            f"/proc/self/fd/{cgroups}".encode(),
            b"/sys/fs/cgroup",
            None,
            _MS_BIND | _MS_REC,
            None,
        )
        os.close(cgroups)
        # A new network begins with the settings of the machine's, where somebody may let packets through at the moment.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        for descriptor in before:
            _call("setns", descriptor, 0)
            os.close(descriptor)
        os.chdir(directory)


class Outside:
    """Somebody at the other end of the node's uplink, ``eth0``, who has no route to guests."""

    def __init__(self, keeper: int) -> None:
        self._enter = ["nsenter", f"--target={keeper}", "--net"]

    def run(
        self, *argv: str, stdin: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._enter, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            check=check,
            timeout=30,
        )


@contextmanager
def outside() -> Iterator[Outside]:
    """Give the node of ``own_network`` an uplink with a default route, and who is there."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo ready; exec sleep 2147483647"],
        stdout=subprocess.PIPE,
    ) as keeper:
        try:
            assert keeper.stdout is not None
            keeper.stdout.readline()
            other = Outside(keeper.pid)
            for command in (
                f"ip link add eth0 type veth peer name eth0 netns {keeper.pid}",
                f"ip address add {NODE}/24 dev eth0",
                "ip link set eth0 up",
                f"ip route add default via {OUTSIDE}",
            ):
                subprocess.run(command.split(), check=True)
            other.run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "eth0")
            other.run("ip", "link", "set", "eth0", "up")
            other.run("ip", "link", "set", "lo", "up")
            yield other
        finally:
            keeper.kill()


def is_forwarding(interface: str) -> bool:
    """Ask the kernel whether it forwards what comes in there."""
    return Path(f"/proc/sys/net/ipv4/conf/{interface}/forwarding").read_text().strip() == "1"


def enter_network(path: str) -> None:
    """Be in a network for good: for children that run one command."""
    with open(path) as there:
        _call("setns", there.fileno(), 0)


@contextmanager
def other_network() -> Iterator[str]:
    """Give the path of a network namespace beside the test's own, without anything in it."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep 2147483647"],
        stdout=subprocess.PIPE,
    ) as keeper:
        try:
            assert keeper.stdout is not None
            keeper.stdout.readline()
            yield f"/proc/{keeper.pid}/ns/net"
        finally:
            keeper.kill()


@contextmanager
def joined(bridge: str, other_bridge: str, other: str) -> Iterator[str]:
    """Join the bridges of two networks, and give the path of a third network with a card on the first.

    Args:
        bridge: here.
        other_bridge: in the other network.
        other: that network's path.
    """
    with other_network() as client:
        number = _pid(client)
        ports = (f"j{number}", f"k{number}")
        into = [["nsenter", f"--net={path}", "ip", "link"] for path in (other, client)]
        for argv in (
            ["ip", "link", "add", ports[0], "type", "veth", "peer", "far", "netns", _pid(other)],
            ["ip", "link", "add", ports[1], "type", "veth", "peer", "eth0", "netns", number],
            *(["ip", "link", "set", port, "master", bridge, "up"] for port in ports),
            [*into[0], "set", "far", "master", other_bridge, "up"],
            [*into[1], "set", "eth0", "up"],
        ):
            subprocess.run(argv, check=True)
        try:
            yield client
        finally:
            for port in ports:
                subprocess.run(["ip", "link", "delete", port], check=True)


def _pid(network: str) -> str:
    return network.split("/")[2]
