"""``console``: what a guest shows on its console, and what is typed there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wirt.approaches.base import HasConsole
from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.host import attach
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.execute import execute_in

_LAST_BYTES = 4096


def console(
    context: Context,
    name: str,
    *,
    joined: Callable[[], None],
    begin: int | None = None,
    keyboard: int = 0,
    screen: int = 1,
    escape: bytes = attach.ESCAPE,
) -> bool:
    """Join a terminal with a guest's console until ``escape``, and return whether the guest still runs.

    Any number may look at once, and what each types reaches the guest. A guest whose system takes logins on a terminal
    made for them has one made: it ends with the login, or the login with it. As ``execute``, it holds no lock.

    Args:
        context: the home.
        name: the guest.
        joined: called before the guest is shown.
        begin: the first byte of its log that is shown; None: the last lines of what it has said.
        keyboard: descriptor that is read.
        screen: descriptor that is written.
        escape: by what a login is left.

    Raises:
        NotFound, WrongState: there is no such guest, or it does not run.
        InvalidInput: the keyboard is no terminal.
        Unsupported: guests of its approach have no console.
        Failed: it has ended, or has no console that can be typed at.
    """
    guest = guests.observed(context, context.store.find(name))
    approach = context.approach(guest.approach)
    _check_keyboard(name, keyboard)
    if approach.needs.logins:
        next_state(guest.state, "exec", guest.name)
        joined()
        attach.run_on_terminal(
            lambda: execute_in(context, guest, ["/bin/login"]),
            keyboard=keyboard,
            screen=screen,
            escape=escape,
        )
        return guests.is_running(context, guest)
    next_state(guest.state, "console", guest.name)
    place = context.home.place(guest.id)
    typed = _with_console(context, guest).open_console(place)
    try:
        with _log(context, guest) as log, _death(guest) as died:
            first = attach.find_last_lines(log, _LAST_BYTES) if begin is None else begin
            joined()
            return attach.join(log, first, died, console=typed, keyboard=keyboard, screen=screen)
    finally:
        os.close(typed)


def show_log(context: Context, name: str, *, follow: bool = False, screen: int = 1) -> None:
    """Write all that a guest's console has said, since the guest was made, and with ``follow`` what it goes on saying.

    Raises:
        NotFound, WrongState: there is no such guest; or it is to be followed and does not run.
        Failed: it has never run.
    """
    guest = guests.observed(context, context.store.find(name))
    if follow:
        next_state(guest.state, "console", guest.name)
    with _log(context, guest) as log:
        if not follow:
            while part := os.read(log, _LAST_BYTES):
                os.write(screen, part)
            return
        with _death(guest) as died:
            attach.join(log, 0, died, console=None, keyboard=0, screen=screen)


def check_console(context: Context, name: str, *, keyboard: int) -> None:
    """Check that a guest will have a console from its start on, and that it can be joined with this terminal.

    Raises:
        NotFound: there is no such guest.
        InvalidInput: the keyboard is no terminal.
        Unsupported: guests of its approach have none.
    """
    _check_keyboard(name, keyboard)
    _with_console(context, context.store.find(name))


def log_size(context: Context, name: str) -> int:
    """Return how many bytes a guest's console has said so far."""
    path = context.home.place(context.store.find(name).id).log
    return os.stat(path).st_size if os.path.exists(path) else 0


@contextmanager
def _log(context: Context, guest: Guest) -> Iterator[int]:
    try:
        log = os.open(context.home.place(guest.id).log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Failed(
            f"guest {guest.name} has said nothing yet",
            hint=f"it may when it runs: wirt start {guest.name}",
        ) from None
    try:
        yield log
    finally:
        os.close(log)


@contextmanager
def _death(guest: Guest) -> Iterator[int]:
    """Give a descriptor that becomes readable when the guest's first process ends."""
    assert guest.handle is not None
    assert guest.handle.pid is not None
    try:
        died = os.pidfd_open(guest.handle.pid)
    except ProcessLookupError:
        raise Failed(
            f"guest {guest.name} has just ended", hint=f"see wirt console {guest.name} --log"
        ) from None
    try:
        yield died
    finally:
        os.close(died)


def _check_keyboard(name: str, keyboard: int) -> None:
    if not os.isatty(keyboard):
        raise InvalidInput(
            "console wants a terminal",
            hint=f"for what the guest has said: wirt console {name} --log",
        )


def _with_console(context: Context, guest: Guest) -> HasConsole:
    approach = context.approach(guest.approach)
    if isinstance(approach, HasConsole):
        return approach
    raise Unsupported(
        f"guest {guest.name} has no console: approach {guest.approach} gives none",
        hint=f"for a shell: wirt enter {guest.name}",
    )
