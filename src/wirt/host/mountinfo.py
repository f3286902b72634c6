"""Reads /proc/PID/mountinfo, the kernel's own list of mounts (proc(5))."""

from collections.abc import Iterable

import msgspec


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One mounted file system."""

    mount_point: str
    device_number: str
    """"254:0"; major number 0 has no device behind it."""
    root: str
    """The part of the file system that is shown: "/" unless it is a bind mount."""
    type: str
    source: str
    options: str
    """Of this mount."""
    super_options: str
    """Of the file system, wherever it is mounted."""


def parse_mounts(lines: Iterable[str]) -> list[Mount]:
    """Read the lines of mountinfo, in the order the file systems were mounted."""
    return [_parse(line) for line in lines]


def _parse(line: str) -> Mount:
    # Between the options and the hyphen stands a varying number of fields on propagation.
    before, _, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    return Mount(
        mount_point=_unescape(fields[4]),
        device_number=fields[2],
        root=_unescape(fields[3]),
        type=rest[0],
        source=_unescape(rest[1]),
        options=fields[5],
        super_options=rest[2] if len(rest) > 2 else "",
    )


def _unescape(path: str) -> str:
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        path = path.replace(f"\\{code}", character)
    return path
