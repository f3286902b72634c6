"""The text of ``/proc/user_beancounters`` and ``/proc/bc/resources``, format 2.5: written as OpenVZ's kernel does, and read.

Sources: the kernel's ``kernel/bc/proc.c`` and the OpenVZ documentation of user beancounters.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from wirt.errors import InvalidInput

VERSION = "2.5"
ROWS = [
    "kmemsize",
    "lockedpages",
    "privvmpages",
    "shmpages",
    "dummy",
    "numproc",
    "physpages",
    "vmguarpages",
    "oomguarpages",
    "numtcpsock",
    "numflock",
    "numpty",
    "numsiginfo",
    "tcpsndbuf",
    "tcprcvbuf",
    "othersockbuf",
    "dgramrcvbuf",
    "numothersock",
    "dcachesize",
    "numfile",
    "dummy",
    "dummy",
    "dummy",
    "numiptent",
]
"""The rows of ``/proc/user_beancounters``: what is gone since has a dummy in its place, and what came later is not there."""

_DUMMY = "dummy"
_HEADS = ("held", "maxheld", "barrier", "limit", "failcnt")
_ROW = re.compile(r"\s*(?:(\d{1,10}):)?\s*([a-z]{1,20})((?:\s+\d{1,20}){5})\s*")


class Bean(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    name: str
    held: int = 0
    maxheld: int = 0
    barrier: int = 0
    limit: int = 0
    failcnt: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one container."""

    ctid: int | None
    """None: the text does not say."""
    beans: Sequence[Bean]


def render_beancounters(groups: Sequence[Group], *, digits: int = 64) -> str:
    """Return ``/proc/user_beancounters``.

    Args:
        groups: the containers, in their order.
        digits: 64 or 32, the bits of the kernel's numbers, by which it sets its columns.
    """
    width = 20 if digits == 64 else 10
    lines = [f"Version: {VERSION}", _line("uid", "resource", _HEADS, width)]
    for group in groups:
        beans = {bean.name: bean for bean in group.beans}
        for place, name in enumerate(ROWS):
            bean = beans.get(name, Bean(name=name))
            values = (bean.held, bean.maxheld, bean.barrier, bean.limit, bean.failcnt)
            lines.append(_line("" if place else f"{group.ctid}:", name, values, width))
    return "\n".join(lines) + "\n"


def parse_beancounters(text: str, *, name: str) -> list[Group]:
    """Take such a text apart, of all containers or of one; ``name`` is what errors call it.

    Raises:
        InvalidInput: it is of another version, or no such text.
    """
    found: list[tuple[int | None, list[Bean]]] = []
    for number, bean in _parse_rows(text, name):
        if number is not None or not found:
            found.append((number, []))
        found[-1][1].append(bean)
    return [
        Group(ctid=number, beans=[bean for bean in beans if bean.name != _DUMMY])
        for number, beans in found
    ]


def _parse_rows(text: str, name: str) -> Iterator[tuple[int | None, Bean]]:
    for place, line in enumerate(text.splitlines(), 1):
        if line.startswith("Version:"):
            version = line.partition(":")[2].strip()
            if version != VERSION:
                raise InvalidInput(f"Error: unknown version: {version}")
        elif line.strip() and line.split()[0] != "uid":
            row = _ROW.fullmatch(line)
            if row is None:
                raise InvalidInput(
                    f"{name}:{place}: this is no row of beancounters",
                    hint="it has a name and five numbers",
                )
            held, maxheld, barrier, limit, failcnt = map(int, row[3].split())
            yield (
                None if row[1] is None else int(row[1]),
                Bean(
                    name=row[2],
                    held=held,
                    maxheld=maxheld,
                    barrier=barrier,
                    limit=limit,
                    failcnt=failcnt,
                ),
            )


def _line(first: str, name: str, values: Sequence[object], width: int) -> str:
    return f"{first:>10}  {name:<12} " + " ".join(f"{value:>{width}}" for value in values)
