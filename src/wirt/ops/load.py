"""The load of a running guest, from readings: no kernel averages it for a group of processes.

It is kept beside the counters, as they are: from start to stop, and the better the more often somebody reads.
"""

import os
import time
from contextlib import suppress

import msgspec

from wirt.approaches.loads import HasLoad
from wirt.errors import Busy, NotFound
from wirt.host import files
from wirt.model.guest import Guest, Handle
from wirt.model.lifecycle import State
from wirt.model.load import Averages, Load, advanced
from wirt.ops import guests
from wirt.ops.context import Context

_PATIENCE = 0.1
"""Seconds to wait for the guest's lock."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What readings have made of the load of one start of a guest."""

    boot: str | None
    handle: Handle | None
    load: Load


def read_load(context: Context, guest: Guest) -> Averages | None:
    """Return a guest's load over one, five and fifteen minutes; None if it does not run, or nobody can tell.

    Raises:
        Failed: what was kept could not be read or written.
    """
    approach = context.approach(guest.approach)
    if not guest.state.is_up or not isinstance(approach, HasLoad):
        return None
    # Those of a frozen one stand still, which is neither.
    is_frozen = guest.state is State.FROZEN
    active = 0 if is_frozen else approach.count_active(context.home.place(guest.id))
    if active is None:
        return None
    load = advanced(_load_until_now(context, guest), active, _now())
    # While another command has the lock for long, this reading is not kept.
    with suppress(Busy, NotFound), guests.held(context, guest.name, wait=_PATIENCE) as found:
        if (found.boot, found.handle) == (guest.boot, guest.handle):
            record = Record(boot=guest.boot, handle=guest.handle, load=load)
            with files.translated(f"keep the load of guest {guest.name}"):
                files.replace(_path(context, guest), msgspec.json.encode(record).decode())
    return load.averages


def _load_until_now(context: Context, guest: Guest) -> Load:
    """Return what earlier readings have made of it since the guest was started."""
    with (
        suppress(FileNotFoundError, msgspec.MsgspecError),
        open(_path(context, guest), "rb") as file,
    ):
        record = msgspec.json.decode(file.read(), type=Record)
        if (record.boot, record.handle) == (guest.boot, guest.handle):
            return record.load
    return Load(at=_started(guest))


def _started(guest: Guest) -> float:
    ticks = guest.handle.started if guest.handle else None
    return _now() if ticks is None else ticks / os.sysconf("SC_CLK_TCK")


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _path(context: Context, guest: Guest) -> str:
    return os.path.join(context.home.guest_run(guest.id), "load.json")
