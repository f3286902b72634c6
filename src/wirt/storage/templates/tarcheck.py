"""Which members of a foreign tar may become part of a root: rules only, nothing is read or written.

Absolute symbolic links are ordinary (``/etc/mtab``, everything in ``/etc/alternatives``) and harmless as long as
nothing is unpacked through them; they are resolved inside the guest. Hard links, on the other hand, are resolved while
unpacking, by us: theirs must stay inside.
"""

import tarfile
from collections.abc import Callable, Collection

from wirt.errors import InvalidInput

MOST_MEMBERS = 4_000_000
_FROM_INSIDE = "pack it from inside its root: tar -C ROOT -cf FILE ."
_WITHOUT_DEVICES = "leave such nodes out with --skip-devices: a guest gets its own"


def inner_name(name: str) -> str:
    """Return a member's path below the root without ``./`` and doubled slashes; the root itself is empty."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _flaw(path: str) -> str | None:
    """Return how a path leads out of the root, None if it does not."""
    if path.startswith("/"):
        return "an absolute path"
    return "a path with .." if ".." in path.split("/") else None


class MemberCheck:
    """Checks the members of one archive in their order; remembers what later ones could abuse.

    Args:
        archive: what it is called in messages.
        hint: the next step for who made it.
        device_hint: the same, if it is device nodes that were found.
        is_file_below: whether a name is a file of what the archive is laid upon: hard links may lead there.
    """

    def __init__(
        self,
        archive: str,
        *,
        hint: str = _FROM_INSIDE,
        device_hint: str = _WITHOUT_DEVICES,
        is_file_below: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._archive = archive
        self._hint = hint
        self._device_hint = device_hint
        self._is_file_below = is_file_below
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
            raise self.refusal(member.name, f"is {flaw}")
        self.name = inner_name(member.name)
        parents = self.name.split("/")[:-1]
        self._top.add(self.name.split("/")[0])
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            if self._seen.get(parent) == tarfile.SYMTYPE:
                raise self.refusal(member.name, f"lies below the symbolic link {parent}")
        if member.ischr() or member.isblk():
            raise self.refusal(member.name, "is a device node", self._device_hint)
        if member.islnk():
            self._check_hard_link(member)
        elif not (member.isreg() or member.isdir() or member.issym() or member.isfifo()):
            raise self.refusal(member.name, f"is of the unknown type {member.type!r}")
        if member.size < 0:
            raise self.refusal(member.name, "has a negative size")
        if len(self._seen) >= MOST_MEMBERS:
            raise InvalidInput(
                f"{self._archive} was not imported: it has more than {MOST_MEMBERS} members",
                hint=self._hint,
            )
        # Once a symbolic link, always one: which of two members of one name wins is up to the reader.
        if self._seen.get(self.name) != tarfile.SYMTYPE:
            self._seen[self.name] = tarfile.REGTYPE if member.isreg() else member.type

    def check_is_root(self) -> None:
        """Check, after the last member, that this was a root file system.

        Raises:
            InvalidInput: it has neither ``usr`` nor ``bin`` at its top.
        """
        check_top(self._archive, self._top, self._hint)

    def refusal(self, name: str, reason: str, hint: str | None = None) -> InvalidInput:
        """Return the error for a member that is refused."""
        return InvalidInput(
            f"{self._archive} was not imported: its member {name!r} {reason}",
            hint=hint or self._hint,
        )

    def _check_hard_link(self, member: tarfile.TarInfo) -> None:
        target = member.linkname
        if flaw := _flaw(target):
            raise self.refusal(member.name, f"is a hard link to {target!r}, {flaw}")
        inner = inner_name(target)
        if self._seen.get(inner) in (tarfile.REGTYPE, tarfile.LNKTYPE):
            return
        if inner in self._seen or not self._is_file_below(inner):
            raise self.refusal(member.name, no_file_before(target))


def no_file_before(target: str) -> str:
    """Return why a hard link to ``target`` is refused that the archive has not brought."""
    return f"is a hard link to {target!r}, which is no file before it in the archive"


def check_top(archive: str, top: Collection[str], hint: str = _FROM_INSIDE) -> None:
    """Check, by the names at its top, that an archive holds a root file system.

    Raises:
        InvalidInput: there is neither ``usr`` nor ``bin``.
    """
    if not {"usr", "bin"} & set(top):
        raise InvalidInput(
            f"{archive} was not imported: it holds no root file system, "
            "for it has neither usr nor bin at its top",
            hint=hint,
        )
