"""The process ``wirt``."""

from typing import NoReturn

from wirt.console import process


def entry() -> NoReturn:
    """Run the command line as a process of its own, and end it."""
    process.run("wirt.cli.main")
