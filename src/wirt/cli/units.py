"""Units of systemd, written for the home that a command was called for."""

import os
import sys

from wirt.host import files

_HOME_VARIABLES = ("WIRT_HOME", "WIRT_RUN", "WIRT_ETC")


def own_program() -> str:
    """Return the path of this very ``wirt``."""
    return os.path.abspath(sys.argv[0])


def home_environment() -> dict[str, str]:
    """Return the variables that name the home, if they are set."""
    return {name: os.environ[name] for name in _HOME_VARIABLES if os.environ.get(name)}


def write_unit(path: str, text: str) -> None:
    """Write a unit to where a person wants it.

    Raises:
        OutOfSpace, NotPermitted, Failed: it cannot be written.
    """
    with files.translated(f"write {path}"):
        files.write_atomically(path, text.encode(), mode=0o644)
