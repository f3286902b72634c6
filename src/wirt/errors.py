"""The one tree of errors that Wirt raises on purpose.

Every seam (a program run, a kernel call, a library) translates what fails below it into one of these, so a front end
needs a single ``except Error``. A message names the thing and the reason; ``hint`` is the next step.
"""


class Error(Exception):
    """Base of everything Wirt raises on purpose.

    Args:
        message: one line: the thing and the reason.
        detail: what the layer below said, possibly many lines.
        hint: the next step for the person who reads it.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        """Render the message with its next step, as a terminal shows it."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InvalidInput(Error):
    """What was asked for cannot be read or makes no sense; nothing was changed."""

    exit_code = 2


class NotFound(Error):
    """There is no guest, template, run or file of that name."""

    exit_code = 3


class Conflict(Error):
    """The name, address or device is taken."""

    exit_code = 4


class WrongState(Error):
    """The thing exists, but its state does not allow the verb."""

    exit_code = 5


class Unsupported(Error):
    """The node, approach or pool cannot do this; the reason is in the message."""

    exit_code = 6


class NotPermitted(Error):
    """The caller may not do this."""

    exit_code = 7


class Busy(Error):
    """Another command holds the lock; the same call may succeed later."""

    exit_code = 8
    retryable = True


class Corrupt(Error):
    """Stored data (a results file, a packed template, a state row) is damaged or of a newer version."""

    exit_code = 9


class Failed(Error):
    """Wirt tried and failed; what was done is undone or finished by the next command."""

    exit_code = 10


class TimedOut(Failed):
    """Something did not happen before its deadline."""

    exit_code = 11
    retryable = True


class OutOfSpace(Failed):
    """The disk is full, or a size limit was hit."""

    exit_code = 12
