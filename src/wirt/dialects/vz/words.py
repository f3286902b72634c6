"""What vzctl 4.11 says, and where the vzctl of 2006 said it otherwise."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wirt.errors import Error

_GUEST = re.compile(r"(?<![\w./-])([Gg]uest)(s?)(?![\w./-])( [\w.-]+)?")
"""What Wirt calls a container, and what stands behind it: perhaps a name, which may be "guest"."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The words that differ."""

    ctid: str
    container: str
    starting: str
    unlimited: int
    """What a beancounter without a limit is written as by the kernel."""

    @property
    def capital(self) -> str:
        """Return the word for a container at the beginning of a sentence."""
        return self.container[0].upper() + self.container[1:]

    def creating(self, template: str, place: str) -> str:
        """Return the first line of ``create``: 4.11 names the template, 2006 the directory."""
        if self.container == "VPS":
            return f"Creating VPS private area: {place}"
        return f"Creating container private area ({template})"

    def saved(self, ctid: int, path: str) -> str:
        """Return the last line of a command that saved."""
        if self.container == "VPS":
            return f"Saved parameters for VPS {ctid}"
        return f"CT configuration saved to {path}"

    @property
    def limits_set(self) -> str:
        """Return what is said when beancounters have been set: 2006 misspelled it."""
        return (
            f"UB limits were set {'successefully' if self.container == 'VPS' else 'successfully'}"
        )

    def not_saved(self, *, is_up: bool) -> str:
        """Return the warning of a command that was not told to save."""
        if self.container == "VPS":
            return (
                "WARNING: Settings were not saved and will be resetted to original values on next "
                "start (use --save flag)"
            )
        lost = "and will be lost after CT restart " if is_up else ""
        return f"WARNING: Settings were not saved to config {lost}(use --save flag)"


NOW = Words(
    ctid="CTID", container="container", starting="Starting container...", unlimited=2**63 - 1
)
IN_2006 = Words(ctid="VPSID", container="VPS", starting="Starting VPS ...", unlimited=2**31 - 1)


def in_words(text: str, words: Words = NOW) -> str:
    """Return a message of Wirt's as somebody of OpenVZ says it: a guest is a container there."""

    def called(match: re.Match[str]) -> str:
        word = words.capital if match[1][0] == "G" else words.container
        return f"{word}{match[2]}{match[3] or ''}"

    return _GUEST.sub(called, text)


@contextmanager
def speaking(words: Words) -> Iterator[None]:
    """Have what goes wrong in the block be said in these words."""
    try:
        yield
    except Error as error:
        error.message = in_words(error.message, words)
        error.hint = error.hint and in_words(error.hint, words)
        raise
