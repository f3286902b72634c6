"""Network interfaces of the node, changed by ``ip`` in one batch a change.

The kernel is asked by calls, which speak of the network that this process is in; /sys shows the one that it was mounted in.
"""

import fcntl
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from wirt.errors import Failed
from wirt.host import run

if TYPE_CHECKING:
    import socket

_UP = 1
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914
_GET_MAC, _GET_NUMBER = 0x8927, 0x8933
_REQUEST = struct.Struct("16sH22x")
"""Sources: netdevice(7), SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFHWADDR and SIOCGIFINDEX; ``struct ifreq``."""
_GET_LINK, _LINK_BYTES, _LINK_NAME, _LINK_MASTER = 18, 16, 3, 10
_LOOK_SECONDS = 0.001


def knows_ipv6() -> bool:
    """Return whether the node's kernel has IPv6 at all."""
    return os.path.isdir("/proc/sys/net/ipv6")


def has_ipv6() -> bool:
    """Return whether interfaces of this node that are made now have IPv6."""
    try:
        for which in ("all", "default"):
            with open(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6") as switch:
                if switch.read().strip() != "0":
                    return False
    except FileNotFoundError:  # the kernel has none
        return False
    return True


def exists(name: str) -> bool:
    """Return whether there is an interface of this name.

    By its directory of settings, which is that of the network that asks: every command looks for its home's bridge, and what
    else it would take to ask, a socket, takes longer to load than the question.
    """
    return os.path.isdir(f"/proc/sys/net/ipv4/conf/{name}")


def is_up(name: str) -> bool:
    """Return whether the interface is there and set up (IFF_UP)."""
    return bool((_flags(name) or 0) & _UP)


def set_up(name: str) -> None:
    """Set an interface up; cheaper than to have ``ip`` do it."""
    flags = (_flags(name) or 0) | _UP
    with _asking() as asked:
        fcntl.ioctl(asked, _SET_FLAGS, _REQUEST.pack(name.encode(), flags))


def _flags(name: str) -> int | None:
    """Return an interface's flags, None if there is none of this name."""
    with _asking() as asked:
        try:
            answer = fcntl.ioctl(asked, _GET_FLAGS, _REQUEST.pack(name.encode(), 0))
        except OSError:
            return None
    flags: int = _REQUEST.unpack(answer)[1]
    return flags


@contextmanager
def _asking(*, ipv6: bool = False) -> Iterator["socket.socket"]:
    """Give a socket by which the kernel is asked about interfaces and addresses; nothing is sent."""
    # Loaded here: many commands ask for nothing of the kind.
    import socket

    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        yield asked


def mac_of(name: str) -> str:
    """Return an interface's MAC.

    Raises:
        OSError: there is no such interface.
    """
    with _asking() as asked:
        answer = fcntl.ioctl(asked, _GET_MAC, struct.pack("40s", name.encode()))
    return answer[18:24].hex(":")


def ports_of(bridge: str) -> list[str]:
    """Return the names of a bridge's ports; empty if there is none of this name.

    Source: rtnetlink(7), RTM_GETLINK, IFLA_IFNAME and IFLA_MASTER.
    """
    # Loaded here: few commands ask.
    from wirt.host import netlink

    found = []
    with suppress(OSError), netlink.opened_in(os.getpid(), netlink.ROUTE) as asked:
        number = number_of(bridge).to_bytes(4, sys.byteorder)
        for _, content in netlink.dump(asked, _GET_LINK, bytes(_LINK_BYTES)):
            link = dict(netlink.attributes(content[_LINK_BYTES:]))
            if link.get(_LINK_MASTER) == number:
                found.append(link[_LINK_NAME].rstrip(b"\0").decode())
    return sorted(found)


def number_of(name: str) -> int:
    """Return an interface's number, which it keeps in another network unless somebody has it there.

    Raises:
        OSError: there is no such interface.
    """
    with _asking() as asked:
        answer = fcntl.ioctl(asked, _GET_NUMBER, struct.pack("40s", name.encode()))
    return int.from_bytes(answer[16:20], sys.byteorder)


def is_name(name: str) -> bool:
    """Return whether an interface is called so, be it beside another name."""
    try:
        number_of(name)
    except OSError:
        return False
    return True


def has_address(name: str, address: str) -> bool:
    """Return whether the interface carries this IPv4 address."""
    said = run.run(["ip", "-4", "-oneline", "address", "show", "dev", name]).stdout
    return any(f" {address}/" in line for line in said.splitlines())


def batch(commands: list[str], *, inside: int | None = None, ipv6: bool = False) -> None:
    """Let ``ip`` do several things in order, stopping at the first that fails.

    Args:
        commands: as ``ip`` takes them.
        inside: a process in whose network they are done; None: in this one's.
        ipv6: whether they are those of IPv6, where they do not say so themselves.

    Raises:
        Failed: the kernel refused one; its words are the message's.
    """
    enter = [] if inside is None else ["nsenter", f"--net=/proc/{inside}/ns/net"]
    if commands:
        family = ["-6"] if ipv6 else []
        run.check([*enter, "ip", *family, "-batch", "-"], stdin="\n".join(commands) + "\n")


def attempt(commands: list[str], *, inside: int, ipv6: bool = False) -> None:
    """Let ``ip`` do several things in a process's network, whether each of them can be done or not."""
    if commands:
        enter = ["nsenter", f"--net=/proc/{inside}/ns/net"]
        family = ["-6"] if ipv6 else []
        run.run([*enter, "ip", *family, "-force", "-batch", "-"], stdin="\n".join(commands) + "\n")


def delete(name: str) -> None:
    """Delete an interface; no error if it is gone.

    Raises:
        Failed: the kernel refused.
    """
    if not exists(name):
        return
    done = run.run(["ip", "link", "delete", name])
    if done.status != 0 and exists(name):
        raise Failed(f"cannot delete interface {name}: {done.stderr.strip()}")


def wait_gone(name: str, timeout: float) -> bool:
    """Wait until an interface that is vanishing has gone; return False if it is still there after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while exists(name):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def is_forwarding(name: str) -> bool:
    """Return whether the node passes on IPv4 packets that come in by this interface; False if there is none."""
    return read_setting(forwarding_of(name)) == "1"


def set_forwarding(name: str, *, on: bool) -> None:
    """Have the node pass on IPv4 packets that come in by this interface, or not; no error if it has gone."""
    write_setting(forwarding_of(name), "1" if on else "0")


def forwarding_of(name: str, *, ipv6: bool = False) -> str:
    """Return the path of the switch of what comes in by an interface; of IPv6 "all" may stand for every one."""
    if not ipv6:
        return f"/proc/sys/net/ipv4/conf/{name}/forwarding"
    return f"/proc/sys/net/ipv6/conf/{name}/{'forwarding' if name == 'all' else 'force_forwarding'}"


def forwards_ipv6_singly() -> bool:
    """Return whether this kernel passes on IPv6 packets by single interfaces (Linux 6.17), as it does those of IPv4."""
    return read_setting(forwarding_of("lo", ipv6=True)) is not None


def find_listening_to_routers() -> list[str]:
    """Return the path of each interface's switch of whether it takes its addresses and routes from routers."""
    root = "/proc/sys/net/ipv6/conf"
    with suppress(FileNotFoundError):
        names = sorted({*os.listdir(root)} - {"all", "default"})
        return [f"{root}/{name}/accept_ra" for name in names]
    return []


def read_setting(path: str) -> str | None:
    """Return what a file of the kernel's settings holds; None if there is none."""
    try:
        with open(path) as setting:
            return setting.read().strip()
    except FileNotFoundError:
        return None


def write_setting(path: str, value: str) -> None:
    """Change a setting of the kernel; no error if what it was for has gone."""
    with suppress(FileNotFoundError), open(path, "w") as setting:
        setting.write(value)


def forward_ipv6(name: str) -> None:
    """Have the node pass on IPv6 packets that come in by this interface, where its kernel does that for single ones."""
    write_setting(forwarding_of(name, ipv6=True), "1")


def answer_for_others(name: str) -> None:
    """Have the node answer neighbour discovery on this interface for the addresses that it has been told of, as routers may."""
    for switch in ("forwarding", "proxy_ndp"):
        write_setting(f"/proc/sys/net/ipv6/conf/{name}/{switch}", "1")


def find_answered() -> list[tuple[str, str]]:
    """Return each address that the node answers for in the place of whoever has it, and on which interface."""
    found = []
    for family in ("-4", "-6"):
        said = run.run(["ip", family, "-oneline", "neighbour", "show", "proxy"]).stdout
        # "10.64.16.9 dev wirt-abcd proxy"
        found += [(line.split()[0], line.split()[2]) for line in said.splitlines()]
    return found


def forget_neighbours(name: str, addresses: list[str]) -> None:
    """Have the node ask anew who has these addresses on an interface; no error if it knows nobody who has."""
    for address in addresses:
        run.run(["ip", "neighbour", "flush", "to", address, "dev", name])


def has_route(name: str, address: str) -> bool:
    """Return whether the node has a route to a single IPv4 address by this interface."""
    wanted = IPv4Address(address).packed[::-1].hex().upper()
    with open("/proc/net/route") as file:
        return any(line.split()[:2] == [name, wanted] for line in file)


def is_own(address: str) -> bool:
    """Return whether an IPv4 or IPv6 address is one of the node's own."""
    with suppress(OSError), _asking(ipv6=":" in address) as asked:
        asked.bind((address, 0))
        return True
    return False


def routed() -> set[str]:
    """Return the names of the interfaces that the node's IPv4 routes lead to."""
    with open("/proc/net/route") as file:
        return {line.split()[0] for line in file.readlines()[1:]} - {"lo"}


def routed_ipv6() -> set[str]:
    """Return the names of the interfaces that the node's IPv6 routes lead to, those of single links and groups left out."""
    found = set()
    with suppress(FileNotFoundError), open("/proc/net/ipv6_route") as file:
        for line in file:
            target, *_, name = line.split()
            if not target.startswith(("fe8", "ff")):
                found.add(name)
    return found - {"lo"}


def routed_networks() -> list[IPv4Network]:
    """Return the IPv4 networks that the node has routes to, the default route left out."""
    return [network for _, network in find_routes()]


def find_routes() -> list[tuple[str, IPv4Network]]:
    """Return the interface and the network of each IPv4 route of the node, the default route left out.

    Source: ``/proc/net/route``, whose addresses are little-endian hexadecimal.
    """
    found = []
    with open("/proc/net/route") as file:
        lines = file.readlines()[1:]
    for line in lines:
        fields = line.split()
        target, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
        if mask:
            found.append((fields[0], IPv4Network((target, mask.bit_count()))))
    return found
