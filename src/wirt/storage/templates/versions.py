"""The versions of a template: directories that never move, and which of them is the current one.

The first is the directory ``NAME``. An update makes ``NAME@`` with the beginning of its checksum beside it, and then says
by one rename that this is the current one: the link ``.current-NAME``. Guests find theirs by its checksum, so their roots
rest on the same paths for ever, whatever becomes current.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from wirt.host.files import sync_directory

_CURRENT = ".current-"
_DIGITS = 12


class Versions:
    """The versions in one directory of templates."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @staticmethod
    def called(name: str, sha256: str) -> str:
        """Return the name of the directory of a version that is not the first."""
        return f"{name}@{sha256[:_DIGITS]}"

    def current(self, name: str) -> str:
        """Return the name of the directory of the current version, be it there or not."""
        try:
            found = os.readlink(self._path(f"{_CURRENT}{name}"))
        except OSError:
            return name
        # A removal that was killed leaves a link to nothing, or an old one to what is gone.
        if found.startswith(f"{name}@") and "/" not in found and os.path.isdir(self._path(found)):
            return found
        return name

    def of(self, name: str, sha256: str) -> str:
        """Return the name of the directory of the version with a checksum."""
        later = self.called(name, sha256)
        return later if os.path.isdir(self._path(later)) else name

    def all(self, name: str) -> list[str]:
        """Return the directories of all versions, the current one last."""
        current = self.current(name)
        found = [
            entry
            for entry in sorted(os.listdir(self._directory))
            if entry == name or entry.startswith(f"{name}@")
        ]
        return sorted(found, key=lambda entry: entry == current)

    def names(self) -> Iterator[str]:
        """Give the names of all templates, and of directories that are none."""
        entries = os.listdir(self._directory)
        later = {entry.removeprefix(_CURRENT) for entry in entries if entry.startswith(_CURRENT)}
        yield from sorted({*entries, *later})

    def switch(self, name: str, version: str) -> None:
        """Make a version the current one; a crash leaves the one before or this one."""
        fresh = self._path(f".new{_CURRENT}{name}")
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        os.symlink(version, fresh)
        os.rename(fresh, self._path(f"{_CURRENT}{name}"))
        sync_directory(self._directory)

    def forget(self, name: str) -> None:
        """Let the first version be the current one again."""
        with suppress(FileNotFoundError):
            os.unlink(self._path(f"{_CURRENT}{name}"))

    def _path(self, entry: str) -> str:
        return os.path.join(self._directory, entry)
