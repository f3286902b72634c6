"""What in a root is one guest's own, and must not become every guest's that is made of it.

Of a template's root all of it is left out, and the rules work on the members of the tar that the root is packed into. A clone
goes on where its original was, with its logs and whatever else lies there, and loses only what it is told from others by.
"""

import copy
import errno
import os
import re
import stat
import tarfile
from collections.abc import Sequence
from typing import NamedTuple

from wirt.host import inside

_MACHINE_ID, _DBUS_ID = "etc/machine-id", "var/lib/dbus/machine-id"
_ROTATED = re.compile(r".*\.(\d+|old|gz|xz|bz2|zst)")
_IDENTITY = {
    "SSH host keys": re.compile(r"etc/ssh/ssh_host_[^/]*"),
    "leases": re.compile(
        r"var/lib/(dhcp|dhcpcd|dhclient|NetworkManager|systemd/network)/[^/]*leases?[^/]*"
        r"|var/lib/dhcp/.+|var/lib/dhclient/.+"
    ),
    "seeds of random numbers": re.compile(
        r"var/lib/(systemd/(random-seed|credential\.secret)|urandom/random-seed)"
    ),
    "the name": re.compile(r"etc/hostname"),
}
_DEBRIS = {
    "logs": re.compile(r"var/log/journal/.+"),
    "temporary files": re.compile(r"(tmp|var/tmp|run)/(?!lock$).+"),
    "device nodes": re.compile(r"dev/.+"),
}
"""What -> the paths that are left out."""
PLACES = (
    *("etc", "etc/ssh", "var/lib/dbus", "var/lib/dhcp", "var/lib/dhcpcd", "var/lib/dhclient"),
    *("var/lib/NetworkManager", "var/lib/systemd", "var/lib/systemd/network", "var/lib/urandom"),
)
"""The directories that those of the first kind, and the machine's ids, lie in."""


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
        for what, paths in (_IDENTITY | _DEBRIS).items():
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


def forget_identity(root: int) -> list[str]:
    """Take out of a root what its guest is told from others by, and return what was put right.

    It is the root of a guest that does not run. No link in it is followed.

    Args:
        root: descriptor of the directory, which shows the guest's own ids.
    """
    return said_of([what for place in PLACES for what in _forget_in(root, place)])


class Entry(NamedTuple):
    """What is there by a name."""

    mode: int
    """Its kind and permissions, as stat(2) has them."""
    size: int


def find_identity(path: str, entry: Entry) -> str | None:
    """Return what of a guest's identity is at a path of its root, None if nothing; it is to be taken away.

    The machine's id is to be empty then: systemd takes that for a system that has yet to get its own.
    """
    if stat.S_ISDIR(entry.mode):
        return None
    if path == _MACHINE_ID:
        return "the machine id" if entry.size else None
    # A link to the other id is in order.
    if path == _DBUS_ID:
        return "the machine id" if stat.S_ISREG(entry.mode) else None
    return next((what for what, paths in _IDENTITY.items() if paths.fullmatch(path)), None)


def is_machine_id(path: str) -> bool:
    """Return whether a file is to be empty, and not gone."""
    return path == _MACHINE_ID


def said_of(found: Sequence[str]) -> list[str]:
    """Return a line for each kind of what was put right."""
    return [
        f"put right: {what}" + (f" ({found.count(what)})" if what.endswith("s") else "")
        for what in dict.fromkeys(found)
    ]


def _forget_in(root: int, place: str) -> list[str]:
    try:
        directory = inside.open_beneath(root, place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return []
        raise
    try:
        return [
            what
            for name in sorted(os.listdir(directory))
            if (what := _forget(directory, name, f"{place}/{name}")) is not None
        ]
    finally:
        os.close(directory)


def _forget(directory: int, name: str, path: str) -> str | None:
    """Take away one entry if it is part of the identity, and return what that is called."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    what = find_identity(path, Entry(mode=status.st_mode, size=status.st_size))
    if what is not None:
        os.unlink(name, dir_fd=directory)
        if is_machine_id(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o444, dir_fd=directory))
    return what


def _emptied(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the member as an empty file of the same owner and mode."""
    empty = copy.copy(member)
    empty.type, empty.size, empty.linkname, empty.pax_headers = tarfile.REGTYPE, 0, "", {}
    return empty
