"""The scripts that a restore runs, made from values alone.

``lxc-checkpoint`` makes the container's cgroup and its root, then runs ``criu``, which is the first script: it makes the
cgroups below, which CRIU wants to be there, and becomes the real one. CRIU runs the second one when the container's
namespaces are there and nothing in them yet, then with nothing but its first process in its cgroup, and again when all is restored and
nothing runs yet.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence

import msgspec

from wirt.approaches import addressing
from wirt.approaches.lxc import veth
from wirt.approaches.lxc.groups import Group
from wirt.model.resources import Nic


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the scripts are made from."""

    criu: str
    options: Sequence[str]
    """Of ``criu restore``, but for the root."""
    name: str
    """The container's."""
    groups: Sequence[Group]
    """Its cgroups, the outer before the inner."""
    late: Collection[str] = ()
    """Hierarchies in which a group that gives controllers away takes no processes, as CRIU's first one, which goes on from there."""
    nics: Sequence[Nic]
    """Its cards, the first one first."""
    first: Sequence[str] = ()
    """What is put before a program that goes first on a processor."""
    freezers: Mapping[str, str] = {}
    """Files by one of which what was restored is frozen before it goes on, and what is written to them; none if it is to go on."""
    urgent: Mapping[str, str] = {}
    """Files of its control groups, and what is written to them to have what is restored in them go first."""


def build_criu_script(plan: RestorePlan) -> str:
    """Return the script that lxc-checkpoint takes for CRIU. What of its options is of use is where the root is."""
    options = " ".join(shlex.quote(option) for option in plan.options)
    lines = [
        "#!/bin/sh",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        # Only asked whether it is new enough, for what LXC asks has been there for ten years.
        '[ "$1" != --version ] || exec echo "Version: 4.0"',
        # What CRIU starts to try the kernel, and waits for, goes first as part of its session.
        *(["chrt --rr --pid 1 $$", "echo -20 2>&- >/proc/$$/autogroup"] if plan.first else []),
        f'[ "$1" = restore ] || exec {shlex.quote(plan.criu)} "$@"',
        'for word; do [ "$before" != --root ] || root=$word; before=$word; done',
        *(f"echo {value} >{shlex.quote(file)}" for file, value in plan.urgent.items()),
        *_make(plan.groups, plan.name),
        *_fill([one for one in plan.groups if one.hierarchy not in plan.late], plan.name),
        f'exec {shlex.join([*plan.first, plan.criu])} restore --root "$root" {options}',
    ]
    return "\n".join(lines) + "\n"


def build_network_script(plan: RestorePlan) -> str:
    """Return the script that gives the container the cards that a start would have given it.

    The cards are joined to their bridges only when every socket is there again: the kernel answers what comes for a connection that
    it does not know yet with a reset, and that connection would be lost.
    """
    late = _fill([one for one in plan.groups if one.hierarchy in plan.late], plan.name)
    joining = [veth.join(nic) for nic in plan.nics]
    names = [line for nic in plan.nics for line in veth.name_too(nic)]
    if names:
        # Where it is restored somebody may have the name. That keeps nobody from going on.
        names = ["ip -force -batch - <<END", *names, "END", "exit 0 ;;"]
    outside = [
        line
        for nic in plan.nics
        for line in (*veth.make(nic, "$CRTOOLS_INIT_PID"), f"link set {nic.interface} up")
    ]
    inside = ["link set lo up", *(line for nic in plan.nics for line in _inside(nic))]
    rules = [line for nic in plan.nics for line in veth.rules("add", nic, ipv6=True)]
    enter = "nsenter --net=/proc/$CRTOOLS_INIT_PID/ns/net ip"
    lines = [
        "#!/bin/sh",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        'case "$CRTOOLS_SCRIPT_ACTION" in',
        # By now the container's first process is where it was, and the others are not there yet.
        *(["post-setup-namespaces)", *late, "exit 0 ;;"] if late else []),
        "post-restore) ip -batch - <<END || exit 1"
        if names
        else "post-restore) exec ip -batch - <<END ;;",
        *joining,
        "END",
        *names,
        *_freeze(plan.freezers),
        "setup-namespaces) ;;",
        "*) exit 0 ;;",
        "esac",
        "ip -batch - <<END || exit 1",
        *outside,
        "END",
        *([f"{enter} -6 -batch - <<END || exit 1", *rules, "END"] if rules else []),
        f"exec {enter} -batch - <<END",
        *inside,
        "END",
    ]
    return "\n".join(lines) + "\n"


def _freeze(freezers: Mapping[str, str]) -> list[str]:
    """Return what is done when CRIU is about to let go of processes that it holds still."""
    if not freezers:
        return []
    one_by_one = [
        f"[ ! -e {shlex.quote(file)} ] || {{ echo {value} >{shlex.quote(file)}; exit; }}"
        for file, value in freezers.items()
    ]
    return ["pre-resume)", *one_by_one, "exit 1 ;;"]


def _inside(nic: Nic) -> list[str]:
    return [
        *addressing.set_up(nic, "add"),
        *veth.routes(nic, "add"),
        *veth.static(nic, "add"),
        *veth.rules("add", nic, ipv6=False),
    ]


def _make(groups: Sequence[Group], name: str) -> list[str]:
    """Return the line that makes cgroups: one program for however many."""
    if not groups:
        return []
    return [f"mkdir -p {' '.join(shlex.quote(group.path(name)) for group in groups)}"]


def _fill(groups: Sequence[Group], name: str) -> list[str]:
    """Return the lines that make cgroups what they were: few programs for however many."""
    owners: dict[str, list[str]] = {}
    modes: dict[str, list[str]] = {}
    values = []
    for group in groups:
        path = group.path(name)
        for entry in group.entries:
            file = shlex.quote(f"{path}/{entry.name}".rstrip("/"))
            owners.setdefault(f"{entry.uid}:{entry.gid}", []).append(file)
            modes.setdefault(f"{entry.mode:o}", []).append(file)
        values += [
            f"echo {shlex.quote(value)} >{shlex.quote(f'{path}/{file}')}"
            for file, value in group.values.items()
        ]
    return [
        *values,
        *(f"chown {owner} {' '.join(paths)}" for owner, paths in owners.items()),
        *(f"chmod {mode} {' '.join(paths)}" for mode, paths in modes.items()),
    ]
