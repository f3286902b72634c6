"""Which members of a foreign tar may become part of a root: rules only, nothing is read or written.

Absolute symbolic links are ordinary (``/etc/mtab``, everything in ``/etc/alternatives``) and harmless as long as
nothing is unpacked through them; they are resolved inside the guest. Hard links, on the other hand, are resolved while
unpacking, by us: theirs must stay inside.
"""

import tarfile

from wirt.errors import InvalidInput

MOST_MEMBERS = 4_000_000
_FROM_INSIDE = "pack it from inside its root: tar -C ROOT -cf FILE ."
_WITHOUT_DEVICES = "pack it without them: tar --exclude='./dev/*' -C ROOT -cf FILE ."


def inner_name(name: str) -> str:
    """Return a member's path below the root without ``./`` and doubled slashes; the root itself is empty."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _flaw(path: str) -> str | None:
    """Return how a path leads out of the root, None if it does not."""
    if path.startswith("/"):
        return "an absolute path"
    return "a path with .." if ".." in path.split("/") else None


class MemberCheck:
    """Checks the members of one archive in their order; remembers what later ones could abuse."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._seen: dict[str, bytes] = {}
        self._top: set[str] = set()
        self.name = ""
        """Inner name of the member checked last."""

    def check(self, member: tarfile.TarInfo) -> None:
        """Check one member.

        Raises:
            InvalidInput: it could reach outside of the root, or is no file of an ordinary root.
        """
        if flaw := _flaw(member.name):
            raise self._refusal(member, f"is {flaw}")
        self.name = inner_name(member.name)
        parents = self.name.split("/")[:-1]
        self._top.add(self.name.split("/")[0])
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            if self._seen.get(parent) == tarfile.SYMTYPE:
                raise self._refusal(member, f"lies below the symbolic link {parent}")
        if member.ischr() or member.isblk():
            raise self._refusal(member, "is a device node", _WITHOUT_DEVICES)
        if member.islnk():
            self._check_hard_link(member)
        elif not (member.isreg() or member.isdir() or member.issym() or member.isfifo()):
            raise self._refusal(member, f"is of the unknown type {member.type!r}")
        if member.size < 0:
            raise self._refusal(member, "has a negative size")
        if len(self._seen) >= MOST_MEMBERS:
            raise InvalidInput(
                f"{self._archive} was not imported: it has more than {MOST_MEMBERS} members",
                hint=_FROM_INSIDE,
            )
        # Once a symbolic link, always one: which of two members of one name wins is up to the reader.
        if self._seen.get(self.name) != tarfile.SYMTYPE:
            self._seen[self.name] = tarfile.REGTYPE if member.isreg() else member.type

    def check_is_root(self) -> None:
        """Check, after the last member, that this was a root file system.

        Raises:
            InvalidInput: it has neither ``usr`` nor ``bin`` at its top.
        """
        if not {"usr", "bin"} & self._top:
            raise InvalidInput(
                f"{self._archive} was not imported: it holds no root file system, "
                "for it has neither usr nor bin at its top",
                hint=_FROM_INSIDE,
            )

    def _check_hard_link(self, member: tarfile.TarInfo) -> None:
        target = member.linkname
        if flaw := _flaw(target):
            raise self._refusal(member, f"is a hard link to {target!r}, {flaw}")
        if self._seen.get(inner_name(target)) not in (tarfile.REGTYPE, tarfile.LNKTYPE):
            raise self._refusal(
                member, f"is a hard link to {target!r}, which is no file before it in the archive"
            )

    def _refusal(
        self, member: tarfile.TarInfo, reason: str, hint: str = _FROM_INSIDE
    ) -> InvalidInput:
        return InvalidInput(
            f"{self._archive} was not imported: its member {member.name!r} {reason}", hint=hint
        )
