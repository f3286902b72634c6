"""``exec``: a command in a running guest."""

import os

from wirt.host.run import STANDARD, Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.ops import guests
from wirt.ops.context import Context


def execute(
    context: Context,
    name: str,
    argv: list[str],
    *,
    streams: Streams = STANDARD,
    environment: dict[str, str] | None = None,
    cpus: frozenset[int] | None = None,
) -> int:
    """Run a command in a guest and return its exit status, 128 + signal if it was killed.

    The guest's lock is not held: commands run side by side.

    Raises:
        NotFound, WrongState: there is no such guest, or it does not run.
        Failed: the command could not be run.
    """
    guest = guests.observed(context, context.store.find(name))
    next_state(guest.state, "exec", guest.name)
    return execute_in(context, guest, argv, streams=streams, environment=environment, cpus=cpus)


def execute_in(
    context: Context,
    guest: Guest,
    argv: list[str],
    *,
    streams: Streams = STANDARD,
    environment: dict[str, str] | None = None,
    cpus: frozenset[int] | None = None,
) -> int:
    """Run a command in a guest that is known to run; as ``execute``."""
    assert guest.handle is not None
    return context.approach(guest.approach).exec(
        context.home.place(guest.id),
        guest.handle,
        argv,
        streams=streams,
        environment=default_environment() if environment is None else environment,
        cpus=cpus,
    )


def default_environment() -> dict[str, str]:
    """Return what a command in a guest gets: the guest's own paths, our terminal, nothing else of ours."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }
