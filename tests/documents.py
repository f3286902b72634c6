"""The command lines that the documents show, for the tests that parse them and those that run them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")], key=str)

_PROMPT = re.compile(r"[$#] (?P<command>.+)")
_INDENTED = re.compile(r" {4}(?P<command>(sudo )?(wirt|make|\.venv/bin/\S+|scripts/\S+)( .*)?)")
_INLINE = re.compile(r"`(?P<command>(sudo )?(wirt|make) [^`|]+)`")
_SEPARATORS = frozenset({"|", "||", "&&", ";", "&"})
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A command line in a document, and what the document says it prints."""

    document: Path
    number: int
    command: str
    output: tuple[str, ...] = ()
    is_transcript: bool = False
    """It stands behind a prompt, so a reader may type it; else it is named in a sentence."""

    def __str__(self) -> str:
        return f"{self.document.relative_to(REPOSITORY)}:{self.number}: {self.command}"

    def programs(self) -> list[list[str]]:
        """Return the simple commands of the line, without sudo and variables before them."""
        lexer = shlex.shlex(self.command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        found: list[list[str]] = [[]]
        for token in lexer:
            if token in _SEPARATORS:
                found.append([])
            elif token != "sudo" and (found[-1] or not _ASSIGNMENT.fullmatch(token)):
                found[-1].append(token)
        return [argv for argv in found if argv]


def read_commands(document: Path) -> list[Shown]:
    """Return the command lines of a document: behind a prompt, in an indented block, or named in a sentence."""
    return list(_read(document, document.read_text().splitlines()))


def _read(document: Path, lines: list[str]) -> Iterator[Shown]:
    fence: str | None = None
    shown: Shown | None = None
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            if shown:
                yield shown
            fence, shown = (line[3:] if fence is None else None), None
        elif fence == "console":
            if prompt := _PROMPT.fullmatch(line):
                if shown:
                    yield shown
                shown = Shown(
                    document=document, number=number, command=prompt["command"], is_transcript=True
                )
            elif shown:
                shown = Shown(
                    document=document,
                    number=shown.number,
                    command=shown.command,
                    output=(*shown.output, line),
                    is_transcript=True,
                )
        elif fence is None:
            if indented := _INDENTED.fullmatch(line):
                yield Shown(document=document, number=number, command=indented["command"])
            for inline in _INLINE.finditer(line):
                yield Shown(document=document, number=number, command=inline["command"])
