"""``enter``: a login shell of a running guest on our terminal."""

from wirt.errors import Unsupported
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.execute import default_environment, execute_in

_LOGIN = """
SHELL=$(sed -n '/^root:/{s/.*://p;q}' /etc/passwd)
SHELL=${SHELL:-/bin/sh}
export SHELL
cd
exec "$SHELL" -l
"""
"""The guest's own shell looks for root's: the node reads no file of a guest to find out."""


def enter(context: Context, name: str) -> int:
    """Run the login shell of a guest's root and return its exit status. As ``execute``, it holds no lock.

    Raises:
        NotFound, WrongState: there is no such guest, or it does not run.
        Unsupported: a guest of its approach gets no terminal.
        Failed: the shell could not be run.
    """
    guest = guests.observed(context, context.store.find(name))
    if not context.approach(guest.approach).needs.terminal:
        raise Unsupported(
            f"guest {guest.name} cannot be entered: approach {guest.approach} hands on no terminal",
            hint=f"run one command at a time: wirt exec {guest.name} -- COMMAND",
        )
    next_state(guest.state, "exec", guest.name)
    environment = {**default_environment(), "USER": "root", "LOGNAME": "root"}
    return execute_in(context, guest, ["/bin/sh", "-c", _LOGIN], environment=environment)
