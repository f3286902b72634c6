"""``counters``: what a running guest holds, and the most that it has held since it was started.

Where the kernel keeps no maximum, the most is what readings have seen. It is kept beside the guest's other files of the
run directory, which are gone when the guest has stopped: as with the kernel's own, a start begins anew.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

import msgspec

from wirt.approaches.base import Countable
from wirt.errors import Busy, Error, Failed, NotFound, Unsupported, WrongState
from wirt.host import files
from wirt.model.counter import Counter, Most, highest, raised
from wirt.model.guest import Guest, Handle
from wirt.model.lifecycle import next_state
from wirt.ops import guests, softlimit
from wirt.ops.context import Context
from wirt.ops.load import read_load
from wirt.ops.systemd import build_command

_PATIENCE = 0.5
"""Seconds to wait for the guest's lock."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What readings have seen of one guest, from one start of it on."""

    boot: str | None
    handle: Handle | None
    seen: dict[str, Most]


def read_counters(context: Context, name: str) -> list[Counter]:
    """Return the counters of a running guest, in the order of OpenVZ's kernel, and keep the most of each.

    The guest's lock is held only to keep them: what a guest holds may be a lot, and takes its time to count. While another
    command has the lock for long, as ``stop`` may, nothing is kept.

    Raises:
        NotFound, WrongState, Unsupported: it has none, or ended meanwhile.
        Failed: the kernel, or what was kept, could not be read.
    """
    guest = guests.observed(context, context.store.find(name))
    try:
        counters = _counted(context, guest)
    except Failed:
        # If it has ended meanwhile, that is what is to be said.
        next_state(guests.observed(context, context.store.find(name)).state, "count", name)
        raise
    with suppress(Busy, NotFound), guests.held(context, name, wait=_PATIENCE) as found:
        if _start_of(found) == _start_of(guest):
            counters = raised(counters, _seen(context, found))
            _keep(context, found, counters)
    return counters


def sample(context: Context) -> Iterator[Error]:
    """Read the counters of every running guest that has some, for the most of each, and its load, and yield what went wrong.

    Disks with a soft limit are looked at as well.

    A guest that fails keeps none of the others from being read.
    """
    for guest in context.store.guests():
        try:
            read_counters(context, guest.name)
        except (NotFound, WrongState, Unsupported):
            continue  # it does not run, or nobody can count what it holds
        except Error as error:
            yield error
        try:
            read_load(context, guests.observed(context, guest))
        except Error as error:
            yield error
    yield from softlimit.review_all(context)


def build_units(
    program: str, environment: Mapping[str, str], *, service: str, every: float
) -> tuple[str, str]:
    """Return a service of systemd that reads the counters once, and a timer that starts it.

    Args:
        program: path of ``wirt``.
        environment: what names the home, if it is another than the default.
        service: the service's name, for the timer.
        every: seconds from one reading to the next.
    """
    once = f"""\
[Unit]
Description=Counters of the guests of Wirt

[Service]
Type=oneshot
{build_command(program, "counters --sample", environment)}
"""
    again = f"""\
[Unit]
Description=Counters of the guests of Wirt

[Timer]
OnBootSec={every:g}s
OnUnitActiveSec={every:g}s
AccuracySec=1s
Unit={service}

[Install]
WantedBy=timers.target
"""
    return once, again


def _counted(context: Context, guest: Guest) -> list[Counter]:
    next_state(guest.state, "count", guest.name)
    approach = context.approach(guest.approach)
    if not isinstance(approach, Countable):
        raise Unsupported(
            f"guest {guest.name} cannot be counted: approach {approach.name} cannot tell what of the node it holds",
            hint="counters are those of lxc",
        )
    return raised(approach.count(context.home.place(guest.id)), _seen(context, guest))


def _seen(context: Context, guest: Guest) -> Mapping[str, Most]:
    """Return what earlier readings have seen since the guest was started."""
    try:
        with open(_path(context, guest), "rb") as file:
            record = msgspec.json.decode(file.read(), type=Record)
    except (FileNotFoundError, msgspec.MsgspecError):
        # Nobody has read yet; or it is of an older version, or was half written when the node lost its power.
        return {}
    except OSError as error:
        what = f"read what was kept of the counters of guest {guest.name}"
        raise files.translate(error, what) from error
    return record.seen if (record.boot, record.handle) == _start_of(guest) else {}


def _start_of(guest: Guest) -> tuple[str | None, Handle | None]:
    """Return what no other start of a guest has."""
    return guest.boot, guest.handle


def _keep(context: Context, guest: Guest, counters: list[Counter]) -> None:
    seen = {counter.name: highest(counter, Most()) for counter in counters}
    record = Record(boot=guest.boot, handle=guest.handle, seen=seen)
    with files.translated(f"keep the counters of guest {guest.name}"):
        files.replace(_path(context, guest), msgspec.json.encode(record).decode())


def _path(context: Context, guest: Guest) -> str:
    return os.path.join(context.home.guest_run(guest.id), "counters.json")
