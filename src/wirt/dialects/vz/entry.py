"""The processes of the vz commands, each of which is imported only when it is run."""

from typing import NoReturn

from wirt.console import process


def vzcalc() -> NoReturn:
    """Run ``vzcalc``, and end it."""
    process.run("wirt.dialects.vz.vzcalc")


def vzcfgvalidate() -> NoReturn:
    """Run ``vzcfgvalidate``, and end it."""
    process.run("wirt.dialects.vz.vzcfgvalidate")


def vzcpucheck() -> NoReturn:
    """Run ``vzcpucheck``, and end it."""
    process.run("wirt.dialects.vz.vzcpucheck")


def vzctl() -> NoReturn:
    """Run ``vzctl``, and end it."""
    process.run("wirt.dialects.vz.vzctl.main")


def vzlist() -> NoReturn:
    """Run ``vzlist``, and end it."""
    process.run("wirt.dialects.vz.vzlist")


def vzubc() -> NoReturn:
    """Run ``vzubc``, and end it."""
    process.run("wirt.dialects.vz.vzubc")


def vzmemcheck() -> NoReturn:
    """Run ``vzmemcheck``, and end it."""
    process.run("wirt.dialects.vz.vzmemcheck")


def vzmigrate() -> NoReturn:
    """Run ``vzmigrate``, and end it."""
    process.run("wirt.dialects.vz.vzmigrate")


def vzpid() -> NoReturn:
    """Run ``vzpid``, and end it."""
    process.run("wirt.dialects.vz.vzpid")


def vzpkgcache() -> NoReturn:
    """Run ``vzpkgcache``, and end it."""
    process.run("wirt.dialects.vz.vzpkgcache")


def vzquota() -> NoReturn:
    """Run ``vzquota``, and end it."""
    process.run("wirt.dialects.vz.vzquota")


def vzsplit() -> NoReturn:
    """Run ``vzsplit``, and end it."""
    process.run("wirt.dialects.vz.vzsplit")


def vzyum() -> NoReturn:
    """Run ``vzyum``, and end it."""
    process.run("wirt.dialects.vz.vzyum")
