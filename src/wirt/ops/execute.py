"""``exec``: a command in a running guest."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import WrongState
from wirt.host import pumps
from wirt.host.run import STANDARD, Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import guests, stalls
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
    if guest.ended is not None and guest.state is State.STOPPED:
        raise WrongState(
            f"guest {guest.name} has ended: {guest.ended}",
            hint=f"see {context.home.place(guest.id).log}, and start it again",
        )
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
    with stalls.explained(context, guest):
        return context.approach(guest.approach).exec(
            context.home.place(guest.id),
            guest.handle,
            argv,
            streams=streams,
            environment=default_environment() if environment is None else environment,
            cpus=cpus,
        )


class Heard:
    """What a guest has said, up to ``most`` bytes and one more: it may say anything, and as much as it likes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.content = b""

    @property
    def is_whole(self) -> bool:
        """Return whether that was all."""
        return len(self.content) <= self.most


@contextmanager
def listening(most: int, *, last: bool = False) -> Iterator[tuple[int, Heard]]:
    """Give a descriptor for a guest to write to, and what it has written, complete at the end of the block.

    Once it has said too much, the pipe breaks for whoever goes on writing, and at the end of the block for whoever is left.

    Args:
        most: bytes that are kept.
        last: True to let it say as much as it likes, and keep the last of it.
    """
    heard = Heard(most)
    found = bytearray()

    def take(part: bytes) -> bool:
        found.extend(part if last else part[: most + 1 - len(found)])
        if last:
            del found[:-most]
        return len(found) <= most

    try:
        with pumps.draining(take) as writer:
            yield writer, heard
    finally:
        heard.content = bytes(found)


def default_environment() -> dict[str, str]:
    """Return what a command in a guest gets: the guest's own paths, our terminal, nothing else of ours."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
    }
