"""A pool without file systems of its own, for tests and for trying things out.

A root is a copy of the template's tree, and "mounted" is a file beside it: both are there for the next process when one
is killed. It fails when it is told to, leaving the work half done.
"""

import os
import shutil

from wirt.errors import Failed
from wirt.host import files
from wirt.model.capability import Capability, yes
from wirt.model.presence import Presence
from wirt.model.resources import Idmap, RootTree


class FakePool:
    """Roots that are plain copies.

    Args:
        directory: where they live.
        fail_at: number of the call (the first is 1) to ``clone``, ``attach``, ``detach`` or ``remove`` that fails.
    """

    name = "fake"
    roots = frozenset({"tree"})
    form = "tree"

    def __init__(self, directory: str, *, fail_at: int | None = None) -> None:
        self._directory = directory
        self._fail_at = fail_at
        self.calls: list[str] = []
        """The names of the calls so far that change something."""

    def probe_capability(self) -> Capability:
        """Say yes."""
        return yes(self.name, "it needs nothing")

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Copy the template's tree."""
        if self.probe(guest_id) is Presence.PRESENT:
            return
        os.makedirs(self._path(guest_id), exist_ok=True)
        self._count("clone")
        shutil.copytree(form_path, self._path(guest_id, "root"), symlinks=True)

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> RootTree:
        """Say that the copy is mounted; ids are not shifted, whatever is asked for."""
        if self.probe(guest_id) is not Presence.PRESENT:
            raise Failed(f"guest {guest_id} has no root to attach")
        self._count("attach")
        files.write(self._path(guest_id, "attached"), "")
        return RootTree(path=self._path(guest_id, "root"), idmap=idmap)

    def detach(self, guest_id: str) -> None:
        """Say that it is not mounted."""
        self._count("detach")
        if self.probe_attached(guest_id) is Presence.PRESENT:
            os.unlink(self._path(guest_id, "attached"))

    def remove(self, guest_id: str) -> None:
        """Delete the copy."""
        self._count("remove")
        files.remove_tree(self._path(guest_id))

    def probe(self, guest_id: str) -> Presence:
        """Look for the copy."""
        if os.path.isdir(self._path(guest_id, "root")):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Look for the file that says so."""
        there = os.path.exists(self._path(guest_id, "attached"))
        return Presence.PRESENT if there else Presence.ABSENT

    def list_guests(self) -> list[str]:
        """Return the ids of the guests that have a directory here."""
        try:
            return sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _path(self, guest_id: str, part: str = "") -> str:
        return os.path.join(self._directory, guest_id, part).rstrip("/")
