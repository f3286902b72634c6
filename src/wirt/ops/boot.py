"""``boot``: the guests that are to be started with the node are started, in their order."""

from collections.abc import Callable, Iterator

import msgspec

from wirt.errors import Error
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops import guests
from wirt.ops.context import Context
from wirt.ops.resume import resume
from wirt.ops.start import start
from wirt.ops.systemd import build_command


class Booted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one guest."""

    guest: Guest
    resumed: bool = False
    """It was suspended, and goes on."""
    error: Error | None = None
    """Why it was not started, or did not become ready; None if it is."""


def boot(
    context: Context,
    *,
    ready_seconds: float,
    prepare: Callable[[Guest], bool] = lambda _guest: True,
    started: Callable[[Guest], None] = lambda _guest: None,
) -> Iterator[Booted]:
    """Start them one after the other, each when the one before is ready, and say of each how it went.

    Those that run or are frozen are passed over, and those that are suspended go on. A guest that fails stops none of the others. Killed on the way, it can
    be run again: what is started is left alone then.

    Args:
        context: the home.
        ready_seconds: how long to wait for each.
        prepare: is called for each before it is started; if it returns False, that guest is passed over.
        started: is called for each that was started, and was not suspended; if it raises an error, that is the guest's.
    """
    listed = sorted(
        (guest.boot_order, guest.name)
        for guest in context.store.guests()
        if guest.boot_order is not None and guests.observed(context, guest).state is State.STOPPED
    )
    by_name = {guest.name: guest for guest in context.store.guests()}
    for _, name in listed:
        try:
            if not prepare(by_name[name]):
                continue
            if by_name[name].suspended is not None:
                yield Booted(guest=resume(context, name, by_name[name].suspended), resumed=True)
            else:
                guest = start(context, name, ready_seconds=ready_seconds)
                started(guest)
                yield Booted(guest=guest)
        except Error as error:
            yield Booted(guest=by_name[name], error=error)


def build_unit(program: str, environment: dict[str, str]) -> str:
    """Return a unit of systemd that starts the guests at boot.

    Args:
        program: path of ``wirt``.
        environment: what names the home, if it is another than the default.
    """
    return f"""\
[Unit]
Description=Guests of Wirt
After=network.target local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
# To stop or restart the unit must not end the guests.
KillMode=process
TimeoutStartSec=infinity
{build_command(program, "boot", environment)}

[Install]
WantedBy=multi-user.target
"""
