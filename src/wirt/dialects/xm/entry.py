"""The process of ``xm``."""

from typing import NoReturn

from wirt.console import process


def xm() -> NoReturn:
    """Run ``xm``, and end it."""
    process.run("wirt.dialects.xm.main")
