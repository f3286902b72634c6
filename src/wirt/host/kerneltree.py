"""Reads the kernel's file trees (/proc, /sys) without surprises: what is not there, or not for us, is None.

Used by ``facts``, ``security`` and ``virtualization``. The root can be another directory, so that a tree recorded on one machine is
read on any other.
"""

import os
from contextlib import suppress
from pathlib import Path


class KernelTree:
    """The files below ``root``, "/" on a node."""

    def __init__(self, root: str | Path = "/") -> None:
        self._root = Path(root)

    def text(self, path: str) -> str | None:
        """Return a file's text without the space around it; None if it is missing, unreadable or empty."""
        try:
            return self._at(path).read_text(errors="replace").strip() or None
        except OSError:
            return None

    def lines(self, path: str) -> list[str]:
        """Return a file's lines; none if it cannot be read."""
        return (self.text(path) or "").splitlines()

    def number(self, path: str) -> int | None:
        """Return a file's whole number, None if it holds none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def texts(self, pattern: str) -> dict[str, str]:
        """Return path -> text of the readable files that match a shell pattern, in order of their names."""
        found = {}
        for path in sorted(self._root.glob(pattern.lstrip("/"))):
            name = f"/{path.relative_to(self._root)}"
            if (text := self.text(name)) is not None:
                found[name] = text
        return found

    def link(self, path: str) -> str | None:
        """Return where a symbolic link points, None if there is none or it is not for us."""
        try:
            return str(self._at(path).readlink())
        except OSError:
            return None

    def modes(self, pattern: str) -> dict[str, int]:
        """Return path -> type and permissions (``st_mode``) of what matches a shell pattern; links are not followed."""
        found = {}
        for path in sorted(self._root.glob(pattern.lstrip("/"))):
            with suppress(OSError):
                found[f"/{path.relative_to(self._root)}"] = path.lstat().st_mode
        return found

    def exists(self, path: str) -> bool:
        """Return whether there is anything at ``path``."""
        return os.path.exists(self._at(path))

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")
