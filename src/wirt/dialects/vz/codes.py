"""Exit statuses of vzctl, and which of them an error of Wirt becomes.

The numbers are those of vzctl 4.11; the vzctl of 2006 has those below 140.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from wirt.errors import (
    Busy,
    Conflict,
    Error,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutOfSpace,
    TimedOut,
)


class Code(IntEnum):
    """What a vz command ends with."""

    OK = 0
    BEANCOUNTERS = 1
    CPU = 2
    SYSTEM = 3
    ENVIRONMENT = 7
    COMMAND_FAILED = 8
    LOCKED = 9
    NO_GLOBAL_CONFIG = 10
    NO_SCRIPT = 11
    PERMISSION = 12
    CAPABILITY = 13
    NO_CONFIG = 14
    SUSPEND = 16
    RESUME = 17
    SYNTAX = 20
    VALUE = 21
    NO_TEMPLATE_GIVEN = 29
    NOT_RUNNING = 31
    RUNNING = 32
    STOP = 33
    ADD_ADDRESS = 34
    NOT_MOUNTED = 40
    MOUNTED = 41
    PRIVATE_EXISTS = 44
    NO_SPACE = 46
    PRIVATE = 48
    ROOT = 49
    MOUNT = 50
    UNMOUNT = 51
    QUOTA_ON = 60
    QUOTA_INIT = 61
    QUOTA_LIMIT = 62
    USER_QUOTA = 65
    QUOTA_OFF = 66
    UGID_QUOTA = 67
    QUOTA_USAGE = 68
    HOSTNAME = 70
    ADDRESS = 71
    DNS = 72
    SEARCH_DOMAIN = 73
    PASSWORD = 74
    ADDRESS_IN_USE = 78
    ACTION_SCRIPT = 79
    SAMPLE = 82
    INVALID_CONFIG = 85
    DEVICES = 86
    PACKAGES = 87
    NO_TEMPLATE = 91
    PLOOP = 99
    NET_DEVICE = 104
    DISABLED = 105
    FILTER = 106
    APPLY_SAMPLE = 109
    MEMINFO = 129
    VETH = 130
    NAME = 131
    WAIT = 133
    SAVE = 139
    IO = 148
    SNAPSHOT = 156
    SNAPSHOT_DELETE = 158
    SNAPSHOT_SWITCH = 159
    SNAPSHOT_MOUNT = 160
    SNAPSHOT_UNMOUNT = 161
    SNAPSHOT_LIST = 167
    INTERRUPTED = 130


class Refused(Error):
    """A vz command that ends with a status of its own."""

    def __init__(self, code: IntEnum, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = int(code)


_CODES: tuple[tuple[type[Error], Code], ...] = (
    (InvalidInput, Code.VALUE),
    (NotFound, Code.NO_CONFIG),
    (Conflict, Code.PRIVATE_EXISTS),
    (NotPermitted, Code.PERMISSION),
    (Busy, Code.LOCKED),
    (OutOfSpace, Code.NO_SPACE),
    (TimedOut, Code.WAIT),
)


def code_of(error: Error) -> int:
    """Return the status that a command ends with when nobody has said which."""
    if isinstance(error, Refused):
        return error.exit_code
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.SYSTEM)


@contextmanager
def ends_with(code: Code, *kinds: type[Error]) -> Iterator[None]:
    """End with ``code`` if what is done in the block fails, for any reason or for one of ``kinds``.

    Who finds a container locked is told so, whatever is being done: scripts try that again.
    """
    try:
        yield
    except (Refused, Busy):
        raise
    except Error as error:
        if kinds and not isinstance(error, kinds):
            raise
        refused = Refused(code, error.message, hint=error.hint)
        refused.detail = error.detail
        raise refused from error
