"""``password``: a password of a user of a guest."""

import os
import re

from wirt.errors import Failed, InvalidInput
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import briefly, guests
from wirt.ops.context import Context
from wirt.ops.execute import execute_in, listening

LONGEST = 256
"""Characters of a password; crypt(3) takes at most 511 bytes."""

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_SAID = 4096
"""Bytes of what the guest said that are looked at: a hostile one may say anything, at any length."""

_CREATE = """
is_there() { id -u "$1" </dev/null >/dev/null 2>&1; }
make() { useradd -m "$1" || adduser -D "$1"; } </dev/null >/dev/null 2>&1
is_there "$1" || make "$1" || { echo "there is no such user, and none can be made"; exit 1; }
exec chpasswd
"""
"""Makes a user as Debian does, or as busybox does."""


def set_password(
    context: Context, name: str, user: str, password: str, *, creates: bool = False
) -> Guest:
    """Give a user of a guest a password and return the guest. One that is stopped is started for it and stopped again.

    The guest's own ``chpasswd`` does it, so a link that was planted in the guest leads nowhere outside of it, and the
    node needs to know nothing of how the guest keeps its users. The password is handed over on its standard input: it
    is on no command line, and on no disk of the node.

    Args:
        context: the home.
        name: the guest.
        user: whose password.
        password: what it is to be.
        creates: True to make the user first if the guest has none of that name.

    Raises:
        InvalidInput, NotFound, WrongState, Busy: nothing was changed.
        Failed: the guest did not take it; says why.
    """
    _check(user, password)
    guest = guests.observed(context, context.store.find(name))
    if guest.state is State.STOPPED:
        with guests.held(context, name) as held:
            if held.state is State.STOPPED:
                with briefly.running(context, held, "password") as begun:
                    _hand_over(context, begun, user, password, creates=creates)
                return held
            guest = held
    next_state(guest.state, "exec", guest.name)
    _hand_over(context, guest, user, password, creates=creates)
    return guest


def _hand_over(context: Context, guest: Guest, user: str, password: str, *, creates: bool) -> None:
    with (
        os.fdopen(os.memfd_create("password"), "w+") as told,
        listening(_SAID) as (said, heard),
    ):
        told.write(f"{user}:{password}\n")
        told.flush()
        told.seek(0)
        status = execute_in(
            context,
            guest,
            ["/bin/sh", "-c", _CREATE, "sh", user] if creates else ["chpasswd"],
            streams=Streams(stdin=told.fileno(), stdout=said, stderr=said),
        )
    if status != 0:
        raise Failed(
            f"cannot set the password of {user} in guest {guest.name}: "
            f"{_reason(heard.content[:_SAID], status)}"
        )


def _check(user: str, password: str) -> None:
    if not _USER.fullmatch(user):
        raise InvalidInput(
            f"{user!r} is no name of a user",
            hint="a name has a-z, 0-9, '_', '.' and '-', and begins with a letter or '_'",
        )
    if not password:
        raise InvalidInput("the password is empty", hint="give one on standard input")
    if len(password) > LONGEST or not password.isprintable():
        raise InvalidInput(
            "the password cannot be used", hint=f"give at most {LONGEST} printable characters"
        )


def _reason(said: bytes, status: int) -> str:
    """Return the first line of what the guest said, without what could drive a terminal."""
    if status == 127:
        return "it has no program chpasswd"
    lines = said.decode(errors="replace").strip().splitlines()
    line = "".join(c for c in lines[0] if c.isprintable()) if lines else ""
    return line or f"chpasswd ended with status {status}"
