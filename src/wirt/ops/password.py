"""``password``: a password of a user of a running guest."""

import os
import re
import tempfile

from wirt.errors import Failed, InvalidInput
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.execute import execute_in

LONGEST = 256
"""Characters of a password; crypt(3) takes at most 511 bytes."""

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_SAID = 4096
"""Bytes of what the guest said that are looked at: a hostile one may say anything, at any length."""


def set_password(context: Context, name: str, user: str, password: str) -> Guest:
    """Give a user of a running guest a password and return the guest.

    The guest's own ``chpasswd`` does it, so a link that was planted in the guest leads nowhere outside of it, and the
    node needs to know nothing of how the guest keeps its users. The password is handed over on its standard input: it
    is on no command line, and on no disk of the node.

    Raises:
        InvalidInput, NotFound, WrongState: nothing was changed.
        Failed: the guest did not take it; says why.
    """
    _check(user, password)
    guest = guests.observed(context, context.store.find(name))
    next_state(guest.state, "exec", guest.name)
    with (
        os.fdopen(os.memfd_create("password"), "w+") as told,
        tempfile.TemporaryFile() as said,
    ):
        told.write(f"{user}:{password}\n")
        told.flush()
        told.seek(0)
        status = execute_in(
            context,
            guest,
            ["chpasswd"],
            streams=Streams(stdin=told.fileno(), stdout=said.fileno(), stderr=said.fileno()),
        )
        if status != 0:
            said.seek(0)
            raise Failed(
                f"cannot set the password of {user} in guest {guest.name}: "
                f"{_reason(said.read(_SAID), status)}"
            )
    return guest


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
