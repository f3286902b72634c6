"""What is known to stand in the way of keeping a container's memory: found before anything is tried.

Each rule is of what CRIU says it cannot do, or was seen not to. Source: the checks of CRIU 4.2 in ``criu/cr-dump.c``,
``mount.c``, ``namespaces.c``, ``files.c`` and ``sk-*.c``. ``judge`` is pure; ``find`` asks the kernel.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_interface

import msgspec

from wirt.approaches.lxc import control
from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import cgroup, lxcfs, mountinfo, nft
from wirt.host.mountinfo import Mount
from wirt.model.checkpoint import Obstacle

_NAMESPACES = {
    "mnt": "mounts",
    "uts": "host name",
    "ipc": "IPC",
    "net": "network",
    "user": "users",
    "cgroup": "control groups",
    "pid": "processes",
    "time": "clocks",
    "time_for_children": "clocks",
}
_PREPARE = "switch its sandboxing off: wirt checkpoint --prepare"
_FILE_SYSTEMS = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "btrfs",
        "cgroup",
        "cgroup2",
        "debugfs",
        "devpts",
        "devtmpfs",
        "ext4",
        lxcfs.TYPE,
        "mqueue",
        "overlay",
        "proc",
        "pstore",
        "securityfs",
        "sysfs",
        "tmpfs",
        "tracefs",
        "xfs",
    }
)
"""Those that CRIU makes anew, fills again, or finds where it was."""
_DEVICES = re.compile(
    r"/dev/(null|zero|full|random|urandom|tty|ptmx|console|pts/[0-9]+|pts/ptmx|net/tun)"
)
_ANONYMOUS = re.compile(
    r"anon_inode:\[?(eventpoll|eventfd|inotify|signalfd|timerfd|pidfd|memfd|fanotify)\]?"
)
_SOCKETS = re.compile(
    rb"(TCP|UDP|UDPLITE|UDP-Lite|RAW)(v6|6)?|UDPLITEv6|UNIX(-STREAM)?|NETLINK|PACKET|PING(v6)?"
)
"""What the kernel calls the protocols whose sockets CRIU knows."""
_LARGEST_GHOST = 64 << 20


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a container."""

    number: int
    """In the container."""
    name: str
    unit: str | None
    """Of systemd's, that it belongs to."""
    own: tuple[str, ...] = ()
    """The kinds of namespaces that it does not share with init."""
    is_from_outside: bool = False
    """Its parent is not in the container."""
    is_led_from_outside: bool = False
    """The leader of its session was not."""
    is_traced: bool = False
    files: tuple[str, ...] = ()
    """What it has open that cannot be kept: "device /dev/fuse", "socket of an unknown kind"."""
    watches_btrfs: bool = False
    """It is told of changes of the root's files, and the root is a subvolume."""


def find(name: str, cards: Mapping[str, Collection[str]]) -> list[Obstacle]:
    """Return what stands in the way in a running container.

    Args:
        name: its.
        cards: the names of its cards, and the addresses that it was given, of IPv4 and IPv6.

    Raises:
        Failed: it does not run.
    """
    pids = cgroup.Cgroup(control.payload_group(name)).pids()
    init = find_init(name)
    shared = _namespaces(init)
    with open(f"/proc/{init}/mountinfo", errors="surrogateescape") as file:
        told = file.read().splitlines()
    mounts = mountinfo.parse_mounts(told)
    ids = {line.partition(" ")[0] for line in told}
    depth = len(_numbers(init, "NSpid")) - 1
    root = next(one for one in reversed(mounts) if one.mount_point == "/")
    subvolume = root.device_number if root.type == "btrfs" else None
    seen = [one for pid in pids if (one := _look(pid, shared, ids, depth, subvolume)) is not None]
    with open(f"/proc/{init}/net/dev") as lines:
        devices = [line.partition(":")[0].strip() for line in list(lines)[2:]]
    own = {"lo", *cards}
    given = {ip_interface(one).ip for addresses in cards.values() for one in addresses}
    return judge(
        seen,
        mounts,
        [one for one in devices if one not in own],
        _count_rules(init),
        [str(one) for one in sorted(_addresses(init) - given, key=str)],
    )


def judge(
    processes: list[Seen],
    mounts: list[Mount],
    devices: list[str],
    rules: int,
    addresses: Sequence[str] = (),
) -> list[Obstacle]:
    """Return the obstacles in what was seen of a container, each once; devices and addresses are those that it was not given."""
    found = [obstacle for one in processes for obstacle in _of_process(one)]
    found += [
        Obstacle(
            what=f"mount {one.mount_point}",
            reason=f"is of a kind that cannot be kept: {one.type}",
            hint=_PREPARE if _unit_of(one) else f"unmount it: umount {one.mount_point}",
            unit=_unit_of(one),
        )
        for one in mounts
        if one.type not in _FILE_SYSTEMS or (one.type == "overlay" and one.mount_point != "/")
    ]
    found += [
        Obstacle(
            what=f"process {one.number} ({one.name})",
            reason="watches files (inotify) of a btrfs, which would be others when it goes on",
            hint="keep the guest on a pool of another kind, directory or image",
        )
        for one in processes
        if one.watches_btrfs
    ]
    found += [
        Obstacle(
            what=f"device {device}",
            reason="was made in the guest and would not be there again",
            hint=f"remove it: ip link delete {device}",
        )
        for device in devices
    ]
    if not devices:
        found += [
            Obstacle(
                what=f"address {address}",
                reason="was added in the guest and would not be there again, nor what is bound to it",
                hint="remove it (ip address delete), and give it from outside: wirt set --ip-add",
            )
            for address in addresses
        ]
    if rules:
        found.append(
            Obstacle(
                what="packet filter of the guest",
                reason=f"has rules that would not be there again: {rules}",
                hint="remove them: nft flush ruleset",
            )
        )
    return list(dict.fromkeys(found))


def _unit_of(mounted: Mount) -> str | None:
    """Return the unit whose credentials a mount holds; systemd 252 leaves them mounted when the unit has ended."""
    directory, _, unit = mounted.mount_point.rpartition("/")
    return unit if directory == "/run/credentials" else None


def _of_process(one: Seen) -> Iterator[Obstacle]:
    what = f"process {one.number} ({one.name})"
    if one.is_from_outside and "pid" not in one.own:
        yield Obstacle(
            what=what,
            reason="was started from outside by wirt exec or enter and still runs",
            hint="wait until it ends",
        )
        return
    if one.is_led_from_outside and "pid" not in one.own:
        yield Obstacle(
            what=what,
            reason="is in a session that was begun outside by wirt exec or enter",
            hint="end it and start it as a service, or with setsid -f",
        )
    if one.is_traced:
        yield Obstacle(what=what, reason="is being traced", hint="end its debugger")
    if one.own:
        kinds = " and ".join(dict.fromkeys(_NAMESPACES[kind] for kind in one.own))
        yield Obstacle(
            what=f"unit {one.unit}" if one.unit else what,
            reason=f"has a view of its own of {kinds}",
            hint=_PREPARE if one.unit else "end it",
            unit=one.unit,
        )
    for file in one.files:
        yield Obstacle(what=what, reason=f"holds a {file}", hint="end it, or have it close that")


def _look(
    pid: int, shared: dict[str, str], mounts: set[str], depth: int, subvolume: str | None
) -> Seen | None:
    """Return what can be seen of a process, whose number is the container's at ``depth``; None if it has ended meanwhile."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()
        with open(f"/proc/{pid}/cgroup") as file:
            unit = re.search(r"/([^/\n]+\.(service|scope))$", file.read(), re.MULTILINE)
        own = _namespaces(pid)
        number = _numbers(pid, "NSpid")[depth]
        apart = own["mnt"] != shared["mnt"]
        return Seen(
            number=number,
            name=name,
            unit=unit.group(1) if unit else None,
            own=tuple(kind for kind in own if own[kind] != shared[kind]),
            is_from_outside=number != 1 and _is_child_of_outside(pid),
            is_led_from_outside=_numbers(pid, "NSsid")[depth] == 0,
            is_traced=_numbers(pid, "TracerPid") != [0],
            files=tuple(dict.fromkeys(_bad_files(pid, None if apart else mounts))),
            watches_btrfs=subvolume is not None and _watches(pid, subvolume),
        )
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None


def _is_child_of_outside(pid: int) -> bool:
    (parent,) = _numbers(pid, "PPid")
    return os.readlink(f"/proc/{parent}/ns/pid") != os.readlink(f"/proc/{pid}/ns/pid")


def _bad_files(pid: int, mounts: set[str] | None) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    for number in os.listdir(directory):
        with suppress(FileNotFoundError):
            target = os.readlink(f"{directory}/{number}")
            if target.startswith("socket:"):
                kind = os.getxattr(f"{directory}/{number}", "system.sockprotoname").rstrip(b"\0")
                if not _SOCKETS.fullmatch(kind):
                    yield f"socket of a kind that cannot be kept: {kind.decode()}"
            elif target.startswith("anon_inode:") and not _ANONYMOUS.fullmatch(target):
                name = target.removeprefix("anon_inode:").strip("[]")
                yield f"descriptor of a kind that cannot be kept: {name}"
            elif target.startswith("/dev/") and not target.startswith("/dev/shm/"):
                mode = os.stat(f"{directory}/{number}").st_mode
                if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not _DEVICES.fullmatch(target):
                    yield f"device that cannot be kept: {target}"
            elif (
                mounts is not None
                and stat.S_ISREG(os.stat(f"{directory}/{number}").st_mode)
                and not target.startswith("/memfd:")
                and _mount_of(pid, number) not in mounts
            ):
                yield f"file of the node: {target}"
            elif (
                target.endswith(" (deleted)")
                and not target.startswith("/memfd:")
                and os.stat(f"{directory}/{number}").st_size > _LARGEST_GHOST
            ):
                yield f"deleted file of more than 64 MiB: {target.removesuffix(' (deleted)')}"


def _watches(pid: int, device_number: str) -> bool:
    """Return whether a process has a watch on a file of a file system (proc(5), ``sdev`` in ``/proc/PID/fdinfo``)."""
    major, minor = map(int, device_number.split(":"))
    told = f" sdev:{major << 20 | minor:x} "
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{number}") == "anon_inode:inotify":
                with open(f"/proc/{pid}/fdinfo/{number}") as lines:
                    if any(told in line for line in lines):
                        return True
    return False


def _mount_of(pid: int, descriptor: str) -> str:
    """Return the id of the mount that an open file is on (proc(5), ``mnt_id`` in ``/proc/PID/fdinfo``)."""
    with open(f"/proc/{pid}/fdinfo/{descriptor}") as lines:
        return next((line.split()[1] for line in lines if line.startswith("mnt_id:")), "")


def _namespaces(pid: int) -> dict[str, str]:
    directory = f"/proc/{pid}/ns"
    # A kernel may have been built without some.
    there = os.listdir(directory)
    return {kind: os.readlink(f"{directory}/{kind}") for kind in _NAMESPACES if kind in there}


def _numbers(pid: int, field: str) -> list[int]:
    try:
        with open(f"/proc/{pid}/status") as lines:
            for line in lines:
                if line.startswith(f"{field}:"):
                    return [int(word) for word in line.split()[1:]]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return []


def _addresses(init: int) -> set[IPv4Address | IPv6Address]:
    """Return the addresses that a container has, but for those that a kernel gives itself."""
    found: set[IPv4Address | IPv6Address] = set()
    with open(f"/proc/{init}/net/fib_trie") as lines:
        address = ""
        for line in lines:
            if "|-- " in line:
                address = line.split()[-1]
            elif "/32 host LOCAL" in line:
                found.add(IPv4Address(address))
    with suppress(FileNotFoundError), open(f"/proc/{init}/net/if_inet6") as lines:
        found |= {IPv6Address(int(line.split()[0], 16)) for line in lines}
    return {one for one in found if not one.is_loopback and not one.is_link_local}


def _count_rules(init: int) -> int:
    """Return the number of rules of the container's packet filter; 0 if nobody can tell."""
    return nft.count_rules(init)
