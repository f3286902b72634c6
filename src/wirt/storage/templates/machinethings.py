"""What in a root names the disks and cards of the machine that it was, and what it lacks to be a guest's.

The rules work on the members of the tar that the root comes as. What is put in is Wirt's by its name and takes nobody's place: a
guest with a kernel of its own is told its address by that kernel's command line, which systemd's own programs read, and is driven
by the QEMU guest agent.
"""

import copy
import re
import tarfile
from collections.abc import Iterator

import msgspec

_EMPTIED = re.compile(r"etc/(fstab|crypttab|network/interfaces)")
_REMOVED = re.compile(
    r"etc/network/interfaces\.d/[^/]+"
    r"|etc/netplan/[^/]+\.yaml"
    r"|etc/systemd/network/[^/]+\.(network|link)"
    r"|etc/NetworkManager/system-connections/[^/]+"
    r"|etc/udev/rules\.d/70-persistent-[^/]+\.rules"
)
_UNIT = re.compile(r"(?:usr/)?lib/systemd/system/(systemd-(?:networkd|network-generator)\.service)")
_AGENT = re.compile(r"(usr/)?s?bin/qemu-ga")
_SSH_SERVER = re.compile(r"(usr/)?s?bin/sshd")
_WANTED_BY = {
    "systemd-networkd.service": "multi-user.target",
    "systemd-network-generator.service": "sysinit.target",
}

_SYSTEM = "etc/systemd/system"
_OWN_KERNEL = "[Unit]\nConditionVirtualization=!container\n"
"""A container's address is set before its init runs."""
_AGENT_UNIT = """\
[Unit]
Description=QEMU guest agent on User-Mode Linux's second serial line
ConditionVirtualization=uml
After=systemd-tmpfiles-setup-dev.service

[Service]
ExecStart=/{agent} --method=isa-serial --path=/dev/ttyS1
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""
_KEYS_UNIT = """\
[Unit]
Description=This guest's own SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
"""


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is put into a root, or a link."""

    name: str
    content: str = ""
    target: str | None = None
    """Where a link leads; None: it is a file."""


class MachineThings:
    """Treats the members of one machine's root in turn, and knows afterwards what it was and what it lacks."""

    def __init__(self) -> None:
        self._put_right: list[str] = []
        self._units: dict[str, str] = {}
        self._agent: str | None = None
        self._has_ssh_server = False

    def treat(self, name: str, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        """Return the member as it may become part of a guest's root; None if it may not.

        Args:
            name: its path in the root, without ``./``.
            member: the member.
        """
        if unit := _UNIT.fullmatch(name):
            self._units[unit[1]] = name
        if _AGENT.fullmatch(name):
            self._agent = name
        self._has_ssh_server |= _SSH_SERVER.fullmatch(name) is not None
        if _REMOVED.fullmatch(name):
            self._put_right.append(name)
            return None
        if _EMPTIED.fullmatch(name) and (member.islnk() or (member.isreg() and member.size)):
            self._put_right.append(name)
            empty = copy.copy(member)
            empty.type, empty.size, empty.linkname = tarfile.REGTYPE, 0, ""
            return empty
        return member

    def additions(self) -> Iterator[Addition]:
        """Yield what is put into the root when all of it has been seen."""
        for unit, path in self._units.items():
            yield Addition(name=f"{_SYSTEM}/{unit}.d/wirt.conf", content=_OWN_KERNEL)
            yield _enabled(unit, f"/{path}", _WANTED_BY[unit])
        if self._agent is not None:
            yield from _unit("wirt-agent.service", _AGENT_UNIT.format(agent=self._agent))
        if self._has_ssh_server:
            yield from _unit("wirt-ssh-keys.service", _KEYS_UNIT)

    def said(self) -> list[str]:
        """Return what was put right, and what of its guests' wants it lacks, a line for each."""
        lacking = []
        if self._agent is None:
            lacking.append("lacking for uml, qemu and kvm: qemu-guest-agent")
        if len(self._units) < len(_WANTED_BY):
            lacking.append(
                "lacking for uml, qemu and kvm: systemd-networkd, which sets the address"
            )
        return [*(f"put right: {path}" for path in self._put_right), *lacking]


def _unit(name: str, content: str) -> Iterator[Addition]:
    yield Addition(name=f"{_SYSTEM}/{name}", content=content)
    yield _enabled(name, f"/{_SYSTEM}/{name}", "multi-user.target")


def _enabled(unit: str, path: str, target: str) -> Addition:
    return Addition(name=f"{_SYSTEM}/{target}.wants/{unit}", target=path)
