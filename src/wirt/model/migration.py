"""What became of a guest that went to another node, as data."""

from enum import StrEnum

import msgspec


class Mode(StrEnum):
    """How a guest goes to another node."""

    COLD = "cold"
    """Stopped, and it stays so."""
    LIVE = "live"
    """With its memory and connections: copied while it runs, held still, and let go on there."""
    REFRESH = "refresh"
    """Copied while it runs, stopped, what has changed copied again, started there."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One part of it."""

    name: str
    seconds: float
    bytes: int = 0
    """That went over."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that has gone to another node."""

    guest: str
    id: str
    node: str
    mode: Mode
    why: str
    """Why it went in this mode."""
    began: float
    """Unix time, seconds."""
    stages: tuple[Stage, ...]
    downtime_seconds: float | None = None
    """From the word to stop until a command could be run in it again, or, if its engine sent it, while it stood still.

    None: it did not run.
    """
    unseen_seconds: float | None = None
    """How long its kernel did not answer on the network, asked every 2 ms from the bridges; None: that was not seen."""
    engine_seconds: float | None = None
    """How long its engine says that it stood still; None: it went without another's engine."""
    memory_ahead: tuple[int, ...] = ()
    """How many bytes of memory were written each time it was sent ahead, while the guest ran."""
    memory_at_last: int | None = None
    """How many were written while it stood still; None: its memory did not go in files."""
    in_one_piece: str | None = None
    """Why none was sent ahead; None: it was, or it did not go in files."""
    trouble: str | None = None
    """What is wrong with it over there, though it runs."""
    kept: str = ""
    """Path of the file that holds this."""
