"""Configuration files of OpenVZ (``CTID.conf``, ``vz.conf``, samples), taken apart and put together without a loss.

They look like shell, and shells source them; here they are read and never run. So a line is blank, a comment or one
``KEY=value``, and what a shell would have to work out is refused with its line.
"""

import re
from collections.abc import Iterator

import msgspec

from wirt.errors import InvalidInput

_ASSIGNMENT = re.compile(r"(\s*)([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VALUE = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")|(?P<single>'[^']*')|(?P<bare>(?:[^\s"'\\]|\\.)*)""", re.DOTALL
)
_REST = re.compile(r"\s*|\s+#.*")
_SHELL_IN_QUOTES = re.compile(r"`|\$(?!VEID\b|\{VEID\})[A-Za-z_0-9{(@*#?$!-]")
_SHELL_IN_BARE = re.compile(r"[;&|<>()`]|\$(?!VEID\b|\{VEID\})")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_UNESCAPED = re.compile(r'\\([\\"$`])')
_IN_NEED = re.compile(r'([\\"`]|\$(?!VEID\b|\{VEID\}))')


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line as it was written, and what it sets."""

    text: str
    key: str | None = None
    value: str = ""
    before: str = ""
    """What stands before the key."""
    after: str = ""
    """What stands behind the value: blanks, a comment."""


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration file: its lines, of which rendering changes none that nobody changed."""

    lines: tuple[Line, ...] = ()
    ends_with_newline: bool = True

    def get(self, key: str) -> str | None:
        """Return the value of a key; of one set twice the last, as a shell would; None if it is not set."""
        return next((line.value for line in reversed(self.lines) if line.key == key), None)

    def line_of(self, key: str) -> int | None:
        """Return the number of the line that has the say about a key; None if there is none."""
        numbers = [number for number, line in enumerate(self.lines, 1) if line.key == key]
        return numbers[-1] if numbers else None

    def names(self) -> Iterator[str]:
        """Yield the keys that are set, once each, in the order of the file."""
        yield from dict.fromkeys(line.key for line in self.lines if line.key is not None)

    def replace(self, key: str, value: str) -> "ConfigFile":
        """Return the file with a key set: in the line that has the say, or in a new one at the end.

        Raises:
            InvalidInput: the value has a line break, which no line can hold.
        """
        if "\n" in value or "\0" in value:
            raise InvalidInput(f"the value of {key} has a line break", hint="write it in one line")
        places = [place for place, line in enumerate(self.lines) if line.key == key]
        old = self.lines[places[-1]] if places else Line(text="")
        text = f'{old.before}{key}="{_IN_NEED.sub(_with_backslash, value)}"{old.after}'
        new = Line(text=text, key=key, value=value, before=old.before, after=old.after)
        if not places:
            return ConfigFile(lines=(*self.lines, new))
        lines = (*self.lines[: places[-1]], new, *self.lines[places[-1] + 1 :])
        return ConfigFile(lines=lines, ends_with_newline=self.ends_with_newline)


def parse_config(text: str, *, name: str) -> ConfigFile:
    """Take a file apart; ``name`` is what errors call it.

    Raises:
        InvalidInput: a line is no assignment, or only a shell could say what it means.
    """
    if not text:
        return ConfigFile()
    ends_with_newline = text.endswith("\n")
    lines = text.removesuffix("\n").split("\n")
    return ConfigFile(
        lines=tuple(_parse_line(line, f"{name}:{number}") for number, line in enumerate(lines, 1)),
        ends_with_newline=ends_with_newline,
    )


def render_config(config: ConfigFile) -> str:
    """Put a file together again."""
    end = "\n" if config.lines and config.ends_with_newline else ""
    return "\n".join(line.text for line in config.lines) + end


def _parse_line(text: str, place: str) -> Line:
    if not text.strip() or text.lstrip().startswith("#"):
        return Line(text=text)
    assignment = _ASSIGNMENT.fullmatch(text)
    if assignment is None:
        raise InvalidInput(
            f"{place}: {_shortened(text)} is no setting",
            hint='write KEY="value"; these files are read, never run',
        )
    before, key, rest = assignment.groups()
    match = _VALUE.match(rest)
    written = match[0] if match else ""
    after = rest[len(written) :]
    if not written and after[:1] in ('"', "'"):
        raise InvalidInput(
            f"{place}: the quote of {key} is not closed", hint="close it in the same line"
        )
    value = _value(key, match, place) if match else ""
    if _REST.fullmatch(after) is None:
        raise InvalidInput(
            f"{place}: {_shortened(after.strip())} follows the value of {key}",
            hint="put a value with blanks in quotes, and one setting in a line",
        )
    return Line(text=text, key=key, value=value, before=before, after=after)


def _value(key: str, match: re.Match[str], place: str) -> str:
    """Return what was written without its quotes."""
    if match["single"] is not None:
        return match["single"][1:-1]
    if match["double"] is not None:
        inner = match["double"][1:-1]
        refused = _SHELL_IN_QUOTES.search(_ESCAPED.sub("", inner))
        value = _UNESCAPED.sub(r"\1", inner)
    else:
        inner = match["bare"] or ""
        refused = _SHELL_IN_BARE.search(_ESCAPED.sub("", inner))
        value = re.sub(r"\\(.)", r"\1", inner)
    if refused is not None:
        raise InvalidInput(
            f"{place}: the value of {key} has shell code in it: {_shortened(inner)}",
            hint="write the value itself; these files are read, never run",
        )
    return value


def _with_backslash(match: re.Match[str]) -> str:
    return f"\\{match[1]}"


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."
