"""``run_script``: a script of the node in a guest."""

import os

from wirt.errors import NotFound
from wirt.host import files
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import briefly, guests
from wirt.ops.context import Context
from wirt.ops.execute import execute_in


def run_script(context: Context, name: str, path: str, *, shell: list[str]) -> int:
    """Run a script of the node in a guest and return its exit status. A stopped guest runs only meanwhile.

    The guest's shell reads it from its standard input, so it lies nowhere in the guest and cannot read input itself.

    Args:
        context: the home.
        name: the guest.
        path: the script, on the node.
        shell: the command in the guest that reads it.

    Raises:
        NotFound, WrongState, Busy: there is no such guest or file, or the guest is frozen.
        Failed: it could not be run, or the guest not be started for it.
    """
    if not os.path.isfile(path):
        raise NotFound(f"there is no script {path}", hint="give the path of a file of the node")
    with files.translated(f"read the script {path}"):
        script = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        guest = guests.observed(context, context.store.find(name))
        if guest.state is State.STOPPED:
            with guests.held(context, name) as held:
                if held.state is State.STOPPED:
                    with briefly.running(context, held, "script") as begun:
                        return _run(context, begun, script, shell)
                guest = held
        next_state(guest.state, "exec", guest.name)
        return _run(context, guest, script, shell)
    finally:
        os.close(script)


def _run(context: Context, guest: Guest, script: int, shell: list[str]) -> int:
    return execute_in(context, guest, shell, streams=Streams(stdin=script, stdout=1, stderr=2))
