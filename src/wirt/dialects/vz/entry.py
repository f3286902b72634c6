"""The processes of the vz commands, each of which is imported only when it is run."""

from typing import NoReturn

from wirt.console import process


def vzcfgvalidate() -> NoReturn:
    """Run ``vzcfgvalidate``, and end it."""
    process.run("wirt.dialects.vz.vzcfgvalidate")


def vzctl() -> NoReturn:
    """Run ``vzctl``, and end it."""
    process.run("wirt.dialects.vz.vzctl.main")


def vzlist() -> NoReturn:
    """Run ``vzlist``, and end it."""
    process.run("wirt.dialects.vz.vzlist")


def vzubc() -> NoReturn:
    """Run ``vzubc``, and end it."""
    process.run("wirt.dialects.vz.vzubc")
