"""Exit statuses of vzmigrate, and which of them an error of Wirt becomes."""

from enum import IntEnum

from wirt.dialects.vz.codes import Code, Refused
from wirt.errors import Busy, Conflict, Error, InvalidInput, NotFound, OutOfSpace, Unsupported
from wirt.transport.base import LinkLost


class MigrateCode(IntEnum):
    """What vzmigrate 4.11 ends with; that of 2006 has those below 14."""

    OK = 0
    USAGE = 1
    STOPPED = 2
    CONNECT = 4
    COPY = 6
    START_THERE = 7
    STOP_HERE = 8
    EXISTS = 9
    NOT_EXISTS = 10
    ADDRESS = 12
    QUOTA = 13
    NOT_RUNNING = 14
    CONFIG = 15
    LOCKED = 20


_OF_STAGES = {
    "send template": MigrateCode.COPY,
    "prepare there": MigrateCode.COPY,
    "first copy": MigrateCode.COPY,
    "copy again": MigrateCode.COPY,
    "send memory ahead": MigrateCode.COPY,
    "stop": MigrateCode.STOP_HERE,
    "last copy": MigrateCode.COPY,
    "set up there": MigrateCode.START_THERE,
    "dump": MigrateCode.STOP_HERE,
    "send memory": MigrateCode.COPY,
    "start there": MigrateCode.START_THERE,
    "take there": MigrateCode.START_THERE,
}

_OF_KINDS: tuple[tuple[type[Error], MigrateCode], ...] = (
    (LinkLost, MigrateCode.CONNECT),
    (Busy, MigrateCode.LOCKED),
    (OutOfSpace, MigrateCode.COPY),
    (Conflict, MigrateCode.EXISTS),
    (Unsupported, MigrateCode.NOT_RUNNING),
    (NotFound, MigrateCode.CONFIG),
    (InvalidInput, MigrateCode.CONFIG),
)


def code_of(error: Error, *, stage: str = "") -> int:
    """Return the status that an error becomes.

    Args:
        error: what came.
        stage: the stage of a migration that it came in; empty: before any.
    """
    if isinstance(error, Refused):
        return MigrateCode.NOT_EXISTS if error.exit_code == Code.NO_CONFIG else error.exit_code
    if isinstance(error, Conflict) and "address" in error.message:
        return MigrateCode.ADDRESS
    found = next((code for kind, code in _OF_KINDS if isinstance(error, kind)), None)
    if found in (MigrateCode.CONNECT, MigrateCode.LOCKED, MigrateCode.EXISTS):
        return found
    return _OF_STAGES.get(stage) or found or MigrateCode.STOPPED
