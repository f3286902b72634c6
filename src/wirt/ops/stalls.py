"""Guests that stand still because what they wrote to a disk found no room."""

from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import Failed, TimedOut
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops.context import Context


@contextmanager
def explained(context: Context, guest: Guest) -> Iterator[None]:
    """Say of a guest that does not answer that it stands still, if it does.

    Raises:
        Failed: it does.
    """
    try:
        yield
    except TimedOut as error:
        if is_stalled(context, guest):
            raise Failed(
                f"guest {guest.name} stands still: there was no room for what it wrote to its disk",
                hint=f"make some in pool {guest.pool}, and let it go on: wirt thaw {guest.name}",
            ) from error
        raise


def is_stalled(context: Context, guest: Guest) -> bool:
    """Return whether a guest stands still for that."""
    # Loaded here: only who does not answer is asked.
    from wirt.approaches.faults import Stalls

    approach = context.approach(guest.approach)
    return (
        guest.state is State.RUNNING
        and isinstance(approach, Stalls)
        and approach.is_stalled(context.home.place(guest.id))
    )


def try_again(context: Context, guest: Guest) -> None:
    """Let a guest go on that stands still for that.

    Raises:
        Failed: its engine did not take the command.
    """
    from wirt.approaches.faults import Stalls

    approach = context.approach(guest.approach)
    assert isinstance(approach, Stalls)
    approach.try_again(context.home.place(guest.id))
