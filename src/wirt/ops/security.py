"""Judges how well a node is kept from its guests: rules over facts, each finding with why it matters and what to change.

Pure: the facts come from ``host/security.py``, what Wirt itself does to containers from its approach.
"""

import ipaddress
import stat
from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from wirt.host.security import IdRange, Security
from wirt.model.resources import Idmap

_SAFE_CORES = ("|/lib/systemd/systemd-coredump", "|/usr/lib/systemd/systemd-coredump")
_PLENTY = 1 << 20
"""Of terminals, the most that Linux takes (NR_UNIX98_PTY_MAX)."""
_MEMORY_DEVICES = frozenset({"/dev/mem", "/dev/kmem", "/dev/port"})


class State(StrEnum):
    """What a finding comes to."""

    GOOD = "good"
    KNOW = "know"
    """Nothing is wrong on the node; who runs guests must know it."""
    CHANGE = "change"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    name: str
    state: State
    found: str
    why: str
    change: str | None = None
    """What to do, None if there is nothing."""


class _Sysctl(msgspec.Struct, frozen=True, kw_only=True):
    """How a kernel parameter should be set."""

    name: str
    is_good: Callable[[str], bool]
    advised: str
    why: str


def _is(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


def _at_least(smallest: int) -> Callable[[str], bool]:
    return lambda value: value.lstrip("-").isdecimal() and int(value) >= smallest


# The first six are the parameters that the OpenVZ host of the source sets (listing 3.2). ip_forward is not judged, because
# whether guests go out is the administrator's to say; of sysrq and send_redirects the source wants what is judged wrong here.
_RULES = (
    _Sysctl(
        name="net.ipv4.conf.default.proxy_arp",
        is_good=_is("0"),
        advised="0",
        why="a node that answers for others' addresses draws traffic to itself that is not meant for it",
    ),
    _Sysctl(
        name="net.ipv4.conf.all.rp_filter",
        is_good=_is("1"),
        advised="1",
        why="only strict checking drops what a guest sends under an address that is not reached through its card",
    ),
    _Sysctl(
        name="kernel.sysrq",
        is_good=lambda value: value != "1",
        advised="176",
        why="1 lets whoever reaches the keyboard or the serial line do everything, memory dumps included; 176 leaves "
        "sync, read-only and reboot",
    ),
    _Sysctl(
        name="net.ipv4.conf.default.send_redirects",
        is_good=_is("0"),
        advised="0",
        why="a new interface takes it over, the guests' bridge too; redirects tell guests of ways past the node",
    ),
    _Sysctl(
        name="net.ipv4.conf.all.send_redirects",
        is_good=_is("0"),
        advised="0",
        why="redirects tell guests of ways past the node",
    ),
    _Sysctl(
        name="kernel.dmesg_restrict",
        is_good=_is("1"),
        advised="1",
        why="without it every process, in containers too, reads the node's kernel log",
    ),
    _Sysctl(
        name="kernel.kptr_restrict",
        is_good=_at_least(1),
        advised="1",
        why="addresses of the kernel help to exploit it; containers share it",
    ),
    _Sysctl(
        name="kernel.perf_event_paranoid",
        is_good=_at_least(2),
        advised="2",
        why="below 2 any process, in containers too, may profile the kernel",
    ),
    _Sysctl(
        name="kernel.randomize_va_space",
        is_good=_is("2"),
        advised="2",
        why="processes at known addresses are easier to exploit; containers have no setting of their own",
    ),
    _Sysctl(
        name="kernel.unprivileged_bpf_disabled",
        is_good=_at_least(1),
        advised="1",
        why="0 lets processes without rights, in containers too, load programs into the kernel",
    ),
    _Sysctl(
        name="fs.protected_hardlinks",
        is_good=_at_least(1),
        advised="1",
        why="users could keep others' setuid programs, holes included, by a second name",
    ),
    _Sysctl(
        name="fs.protected_symlinks",
        is_good=_at_least(1),
        advised="1",
        why="links in /tmp could lead a privileged program elsewhere",
    ),
    _Sysctl(
        name="fs.suid_dumpable",
        is_good=_is("0"),
        advised="0",
        why="memory of setuid programs would be written where others can read it",
    ),
    # What is counted for the node and all containers together; at this much a guest's own memory ends first, at about 1 kB
    # and 3 kB apiece.
    _Sysctl(
        name="fs.inotify.max_user_instances",
        is_good=_at_least(_PLENTY),
        advised=str(_PLENTY),
        why="those of all containers count as those of the node's root: one guest could leave none to the others and to "
        "root's own services",
    ),
    _Sysctl(
        name="kernel.pty.max",
        is_good=_at_least(_PLENTY),
        advised=str(_PLENTY),
        why="a guest that mounts devpts anew takes terminals beyond its own 1024, and could leave none to other guests; "
        "the node has some in reserve",
    ),
)


def judge(
    facts: Security, *, idmap: Idmap, dropped: tuple[str, ...], unbounded: list[str] | None
) -> list[Finding]:
    """Return every finding.

    Args:
        facts: what the node says.
        idmap: all ids that containers may have.
        dropped: the capabilities that a container's root does without.
        unbounded: the guests that nothing holds to the size of their disks; None: the caller may not look.
    """
    findings = [_user_namespaces(facts), _id_ranges(facts, idmap)]
    findings += [_seccomp(facts), _capabilities(dropped), _mandatory_access(facts)]
    findings += [_forwarding(facts), *_sysctls(facts), _core_dumps(facts)]
    findings += [
        _places(facts),
        _guest_places(facts),
        _disks(unbounded),
        _mount(facts),
        _devices(facts),
    ]
    return [*findings, _listeners(facts), _mitigations(facts)]


def _user_namespaces(facts: Security) -> Finding:
    why = "they make root in a container nobody on the node"
    if facts.user_namespaces:
        found = f"the kernel allows {facts.user_namespaces} to a user"
        return Finding(name="user namespaces", state=State.GOOD, found=found, why=why)
    return Finding(
        name="user namespaces",
        state=State.CHANGE,
        found="the kernel gives none, so no container starts",
        why=why,
        change="sysctl -w user.max_user_namespaces=10000",
    )


def _id_ranges(facts: Security, idmap: Idmap) -> Finding:
    taken = [
        f"{found.owner} ({found.file})" for found in facts.id_ranges if _overlaps(found, idmap)
    ]
    why = "whoever has ids of the guests may signal their processes and read and write their files"
    guests = f"{idmap.first} to {idmap.first + idmap.size - 1}"
    if not taken:
        found = f"nobody on the node has ids of the guests, {guests}"
        return Finding(name="id ranges", state=State.GOOD, found=found, why=why)
    return Finding(
        name="id ranges",
        state=State.CHANGE,
        found=f"of the guests' ids, {guests}, some are given to {_listed(taken)}",
        why=why,
        change="give them other ids in that file",
    )


def _overlaps(found: IdRange, idmap: Idmap) -> bool:
    return found.first < idmap.first + idmap.size and idmap.first < found.first + found.size


def _seccomp(facts: Security) -> Finding:
    why = (
        "LXC's filter forbids loading modules, kexec, file handles and forced unmounting; of an unprivileged "
        "container the kernel itself refuses the first two, and the last of what is not the container's own"
    )
    if facts.kernel >= (6, 11):
        found = "unprivileged containers run without; from Linux 6.11 they may open file handles of their own mounts"
    elif facts.seccomp:
        found = "unprivileged containers run without; the kernel refuses them file handles too"
    else:
        found = "this kernel has no filters; unprivileged containers run without"
    return Finding(name="seccomp", state=State.KNOW, found=found, why=why)


def _capabilities(dropped: tuple[str, ...]) -> Finding:
    return Finding(
        name="capabilities",
        state=State.GOOD,
        found=f"root in a container has all but {', '.join(dropped)}",
        why="they count only over what belongs to the container's own namespaces",
    )


def _mandatory_access(facts: Security) -> Finding:
    why = "a second lock behind the user namespace, should the kernel have a hole in the first"
    name = "AppArmor or SELinux"
    if facts.apparmor:
        found = "AppArmor is on, and every container has a profile of its own"
        return Finding(name=name, state=State.GOOD, found=found, why=why)
    if facts.selinux:
        found = "SELinux enforces the node's policy; Wirt gives containers no label of their own"
        return Finding(name=name, state=State.KNOW, found=found, why=why)
    return Finding(
        name=name,
        state=State.CHANGE,
        found="neither is on",
        why=why,
        change="apt-get install apparmor, and boot a kernel with AppArmor",
    )


def _forwarding(facts: Security) -> Finding:
    name = "net.ipv4.ip_forward"
    value = facts.sysctls.get(name)
    why = "with 1 guests get out through the node, and others in, unless the packet filter says no"
    if value is None:
        return _not_told(name, why)
    state = State.KNOW if value == "1" else State.GOOD
    return Finding(name=name, state=state, found=value, why=why)


def _sysctls(facts: Security) -> Iterator[Finding]:
    for rule in _RULES:
        value = facts.sysctls.get(rule.name)
        if value is None:
            yield _not_told(rule.name, rule.why)
        elif rule.is_good(value):
            yield Finding(name=rule.name, state=State.GOOD, found=value, why=rule.why)
        else:
            yield Finding(
                name=rule.name,
                state=State.CHANGE,
                found=value,
                why=rule.why,
                change=f"sysctl -w {rule.name}={rule.advised}, and keep it in /etc/sysctl.d",
            )


def _core_dumps(facts: Security) -> Finding:
    name = "kernel.core_pattern"
    value = facts.sysctls.get(name)
    why = "a crash in a container starts the program behind | as root of the node, with input that the guest chooses"
    if value is None:
        return _not_told(name, why)
    if not value.startswith("|") or value.split()[0] in _SAFE_CORES:
        return Finding(name=name, state=State.GOOD, found=value, why=why)
    return Finding(
        name=name,
        state=State.CHANGE,
        found=value,
        why=why,
        change="sysctl -w kernel.core_pattern=core, or apt-get install systemd-coredump",
    )


def _places(facts: Security) -> Finding:
    why = "whoever writes there decides what Wirt does as root"
    if not facts.places:
        return Finding(
            name="home", state=State.UNKNOWN, found="there is none yet, or none to see", why=why
        )
    open_ones = [
        path
        for path, mode in facts.places.items()
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(mode)
    ]
    if not open_ones:
        found = "nobody but its owner writes in its directories"
        return Finding(name="home", state=State.GOOD, found=found, why=why)
    return Finding(
        name="home",
        state=State.CHANGE,
        found=f"others may write to {_listed(open_ones)}",
        why=why,
        change=f"chmod go-w {' '.join(open_ones)}",
    )


def _guest_places(facts: Security) -> Finding:
    why = "on disk a guest's files have its own ids: what its root made setuid would be root of the node for a user here"
    if not facts.is_root:
        return Finding(
            name="guests' files",
            state=State.UNKNOWN,
            found="only root can look",
            why=why,
            change="run wirt doctor --security as root",
        )
    open_ones = [
        path
        for path, mode in facts.guest_places.items()
        if stat.S_ISDIR(mode) and mode & stat.S_IRWXO
    ]
    if not open_ones:
        found = "no other user gets to them"
        return Finding(name="guests' files", state=State.GOOD, found=found, why=why)
    return Finding(
        name="guests' files",
        state=State.CHANGE,
        found=f"other users get to {_listed(open_ones)}",
        why=why,
        change=f"chmod o= {' '.join(open_ones)}",
    )


def _disks(unbounded: list[str] | None) -> Finding:
    name, why = (
        "guests' disks",
        "a guest that nothing bounds can fill the node's file system, for all others and the node",
    )
    if unbounded is None:
        return Finding(
            name=name,
            state=State.UNKNOWN,
            found="only root can look",
            why=why,
            change="run wirt doctor --security as root",
        )
    if not unbounded:
        found = "every guest is held to the size of its disk"
        return Finding(name=name, state=State.GOOD, found=found, why=why)
    return Finding(
        name=name,
        state=State.CHANGE,
        found=f"nothing holds to the size of its disk: {_listed(unbounded)}",
        why=why,
        change="make guests on a pool that bounds them, with wirt create --pool image, or POOL=image in vz.conf for vzctl; "
        "on btrfs, btrfs quota enable",
    )


def _mount(facts: Security) -> Finding:
    why = "nosuid and nodev keep setuid programs and device nodes of guests without effect should somebody get to them"
    if facts.home_options is None:
        return _not_told("mount of the home", why)
    options = set(facts.home_options.split(","))
    missing = [option for option in ("nosuid", "nodev") if option not in options]
    if not missing:
        return Finding(
            name="mount of the home", state=State.GOOD, found=facts.home_options, why=why
        )
    return Finding(
        name="mount of the home",
        state=State.KNOW,
        found=f"without {' and '.join(missing)}; the directories' permissions alone keep others out",
        why=why,
    )


def _devices(facts: Security) -> Finding:
    why = "whoever reads or writes the node's disks or memory has the node and all guests"
    open_ones = [
        path
        for path, mode in facts.devices.items()
        if (stat.S_ISBLK(mode) or path in _MEMORY_DEVICES) and mode & (stat.S_IROTH | stat.S_IWOTH)
    ]
    if not open_ones:
        found = "disks and memory are for root and its groups"
        return Finding(name="devices", state=State.GOOD, found=found, why=why)
    return Finding(
        name="devices",
        state=State.CHANGE,
        found=f"open to everybody: {_listed(open_ones)}",
        why=why,
        change=f"chmod o= {' '.join(open_ones)}",
    )


def _listeners(facts: Security) -> Finding:
    why = "guests reach the node through the bridge, and with it every service that listens on all addresses"
    everywhere = [
        f"{found.protocol} {found.port}"
        for found in sorted(facts.listeners, key=lambda f: (f.protocol, f.port))
        if ipaddress.ip_address(found.address).is_unspecified
    ]
    if not everywhere:
        found = "no service listens on all addresses"
        return Finding(name="services", state=State.GOOD, found=found, why=why)
    return Finding(
        name="services",
        state=State.KNOW,
        found=f"on all addresses listen {_listed(list(dict.fromkeys(everywhere)))}",
        why=why,
        change="ss -lntup says whose they are; give each the address it is for, or filter what comes from the bridge",
    )


def _mitigations(facts: Security) -> Finding:
    why = "containers share the processor's caches and buffers with the node and each other"
    if not facts.mitigations:
        return _not_told("processor", why)
    weak = [name for name, text in facts.mitigations.items() if "vulnerable" in text.lower()]
    if not weak:
        found = "the kernel mitigates what is known of it"
        return Finding(name="processor", state=State.GOOD, found=found, why=why)
    return Finding(
        name="processor",
        state=State.CHANGE,
        found=f"vulnerable: {_listed(weak)}",
        why=why,
        change="boot without mitigations=off, install the microcode package and a newer kernel; in a virtual machine, "
        "ask its provider",
    )


def _not_told(name: str, why: str) -> Finding:
    return Finding(name=name, state=State.UNKNOWN, found="the kernel does not say", why=why)


def _listed(names: list[str], most: int = 6) -> str:
    """Return names in one line; of many only the first."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
