"""Facts of the node that decide how well guests are kept apart and away from it.

Used by ``ops/security.py``, which judges them. Nothing here changes the node or needs root; None means that the node does
not say, or not to this caller.
"""

import glob
import ipaddress
import os

import msgspec

from wirt.host.kerneltree import KernelTree

SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.default.proxy_arp",
    "net.ipv4.conf.all.rp_filter",
    "kernel.sysrq",
    "net.ipv4.conf.default.send_redirects",
    "net.ipv4.conf.all.send_redirects",
    "kernel.dmesg_restrict",
    "kernel.kptr_restrict",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.unprivileged_bpf_disabled",
    "kernel.core_pattern",
    "fs.protected_hardlinks",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "fs.inotify.max_user_instances",
    "kernel.pty.max",
)
_TCP_LISTEN, _UDP_BOUND = "0A", "07"
"""States in /proc/net/tcp and /proc/net/udp (include/net/tcp_states.h); a UDP socket without a peer is "closed"."""


class IdRange(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of the node that somebody has or may use."""

    owner: str
    file: str
    """Where it stands."""
    first: int
    size: int


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A socket that waits for whoever comes."""

    protocol: str
    """"tcp" or "udp"."""
    address: str
    port: int


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """What ``wirt doctor --security`` judges."""

    is_root: bool
    user_namespaces: int | None
    """How many the kernel allows a user; 0 or None: there are none."""
    id_ranges: list[IdRange]
    """Of the node's users, and those that /etc/subuid and /etc/subgid give them."""
    seccomp: bool
    kernel: tuple[int, int]
    """The kernel's version, (0, 0) if it cannot be read."""
    apparmor: bool
    selinux: bool | None
    """It enforces; None: there is no SELinux."""
    sysctls: dict[str, str]
    """Those of ``SYSCTLS`` that the node has."""
    mitigations: dict[str, str]
    """Vulnerability of the CPU -> what the kernel says of it."""
    listeners: list[Listener]
    places: dict[str, int]
    """The home's directories -> permissions; without root, those that the caller can see."""
    guest_places: dict[str, int]
    """The directories that hold the guests' files -> permissions."""
    devices: dict[str, int]
    """Block devices and the memory's -> permissions."""
    home_options: str | None
    """Options of the mount that the home's data lies on."""


def probe_security(*, data: str, run: str, etc: str, tree: KernelTree | None = None) -> Security:
    """Read the facts; ``data``, ``run`` and ``etc`` are the home's directories."""
    from wirt.host.facts import probe_filesystem

    tree = tree or KernelTree()
    lies_on = probe_filesystem(data, tree)
    said = tree.texts("/sys/devices/system/cpu/vulnerabilities/*")
    data_pattern, *others = (glob.escape(place) for place in (data, run, etc))
    places = [data_pattern, *others, f"{data_pattern}/*", f"{data_pattern}/pools/*"]
    return Security(
        is_root=os.geteuid() == 0,
        user_namespaces=tree.number("/proc/sys/user/max_user_namespaces"),
        id_ranges=_users(tree) + _subordinate(tree),
        seccomp=tree.exists("/proc/sys/kernel/seccomp"),
        kernel=_version(tree.text("/proc/sys/kernel/osrelease")),
        apparmor=tree.text("/sys/module/apparmor/parameters/enabled") == "Y",
        selinux=_is_one(tree.number("/sys/fs/selinux/enforce")),
        sysctls=_sysctls(tree),
        mitigations={path.rpartition("/")[2]: text for path, text in said.items()},
        listeners=_listeners(tree),
        places=_directories(tree, places),
        guest_places=_directories(
            tree, [f"{data_pattern}/pools/*/*", f"{data_pattern}/templates/*"]
        ),
        devices=tree.modes("/dev/[!.]*"),
        home_options=lies_on.options if lies_on else None,
    )


def _sysctls(tree: KernelTree) -> dict[str, str]:
    read = {name: tree.text(f"/proc/sys/{name.replace('.', '/')}") for name in SYSCTLS}
    return {name: text for name, text in read.items() if text is not None}


def _directories(tree: KernelTree, patterns: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for pattern in patterns:
        found |= tree.modes(pattern)
    return found


def _users(tree: KernelTree) -> list[IdRange]:
    rows = (line.split(":") for line in tree.lines("/etc/passwd"))
    return [
        IdRange(owner=row[0], file="/etc/passwd", first=int(row[2]), size=1)
        for row in rows
        if len(row) > 2 and row[2].isdecimal()
    ]


def _subordinate(tree: KernelTree) -> list[IdRange]:
    return [
        IdRange(owner=row[0], file=file, first=int(row[1]), size=int(row[2]))
        for file in ("/etc/subuid", "/etc/subgid")
        for row in (line.split(":") for line in tree.lines(file))
        if len(row) == 3 and row[1].isdecimal() and row[2].isdecimal()
    ]


def _listeners(tree: KernelTree) -> list[Listener]:
    found: dict[Listener, None] = {}
    for table, state in (
        ("tcp", _TCP_LISTEN),
        ("tcp6", _TCP_LISTEN),
        ("udp", _UDP_BOUND),
        ("udp6", _UDP_BOUND),
    ):
        for line in tree.lines(f"/proc/net/{table}")[1:]:
            fields = line.split()
            if len(fields) < 4 or fields[3] != state:
                continue
            address, _, port = fields[1].partition(":")
            where = _address(address)
            listener = Listener(protocol=table[:3], address=where, port=int(port, 16))
            found.setdefault(listener)
    return list(found)


def _address(text: str) -> str:
    """Return an address of /proc/net: words of 32 bits in hexadecimal, each in the byte order of x86."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _version(text: str | None) -> tuple[int, int]:
    """Return major and minor number of "6.18.5-amd64"."""
    parts = (text or "").split(".")[:2]
    if len(parts) < 2 or not all(part.isdecimal() for part in parts):
        return (0, 0)
    return int(parts[0]), int(parts[1])


def _is_one(number: int | None) -> bool | None:
    return None if number is None else number == 1
