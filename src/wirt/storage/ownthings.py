"""What in a root is one guest's own, and must not become every guest's that is made of it: rules only.

They work on the members of the tar that a root is packed into, so nothing in the guest is changed and no path of it is
followed.
"""

import copy
import re
import tarfile

_MACHINE_ID, _DBUS_ID = "etc/machine-id", "var/lib/dbus/machine-id"
_ROTATED = re.compile(r".*\.(\d+|old|gz|xz|bz2|zst)")
_DROPPED = {
    "SSH host keys": re.compile(r"etc/ssh/ssh_host_[^/]*"),
    "logs": re.compile(r"var/log/journal/.+"),
    "leases": re.compile(
        r"var/lib/(dhcp|dhcpcd|dhclient|NetworkManager|systemd/network)/[^/]*leases?[^/]*"
        r"|var/lib/dhcp/.+|var/lib/dhclient/.+"
    ),
    "seeds of random numbers": re.compile(
        r"var/lib/(systemd/(random-seed|credential\.secret)|urandom/random-seed)"
    ),
    "the name": re.compile(r"etc/hostname"),
    "temporary files": re.compile(r"(tmp|var/tmp|run)/(?!lock$).+"),
    "device nodes": re.compile(r"dev/.+"),
}
"""What -> the paths that are left out."""


class OwnThings:
    """Treats the members of one root in turn, and counts what it has put right."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def treat(self, name: str, member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        """Return the member as it may become part of a template; None if it may not.

        Args:
            name: its path in the root, without ``./``.
            member: the member.
        """
        for what, paths in _DROPPED.items():
            if paths.fullmatch(name):
                self._note(what, member)
                return None
        holds_something = member.isreg() or member.islnk()
        if name == _MACHINE_ID:
            self._note("the machine id", member)
            # systemd takes an empty one for a system that has yet to get its own.
            return _emptied(member)
        if name == _DBUS_ID and holds_something:
            return None
        if name.startswith("var/log/") and holds_something:
            self._note("logs", member)
            # A log that its program opens, but may not make, must stay; one that was put aside need not.
            return None if _ROTATED.fullmatch(name) else _emptied(member)
        return member

    def said(self) -> list[str]:
        """Return what was put right, a line for each kind."""
        return [
            f"put right: {what}" + (f" ({count})" if what.endswith("s") else "")
            for what, count in self._count.items()
        ]

    def _note(self, what: str, member: tarfile.TarInfo) -> None:
        if not member.isdir() and (member.size or not member.isreg()):
            self._count[what] = self._count.get(what, 0) + 1


def _emptied(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member as an empty file of the same owner and mode."""
    empty = copy.copy(member)
    empty.type, empty.size, empty.linkname, empty.pax_headers = tarfile.REGTYPE, 0, "", {}
    return empty
