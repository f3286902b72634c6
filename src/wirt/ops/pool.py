"""``pool``: places for roots, besides those that every home has.

A pool is written down before the first of its parts is made and until the last is taken away, with how far that has come:
what a dead process left half made, or half taken away, the next command takes away.
"""

import os
import time
from contextlib import suppress

import msgspec

from wirt.errors import Busy, Conflict, Error, InvalidInput, NotFound, NotPermitted, WrongState
from wirt.host import files
from wirt.model.names import check_name
from wirt.model.pool import Phase, StoragePool
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps.step import Step

KINDS = ("btrfs", "directory", "image", "lvm")


class PoolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The definition of a pool."""

    name: str
    kind: str
    size: int | None = None
    """Bytes of the file that is to be made for a btrfs, or of the thin pool that is in a group of a person's."""
    device: str | None = None
    """The device that a btrfs, or a volume group, is to be made on."""
    group: str | None = None
    """The volume group that a thin pool is to be made in."""
    path: str | None = None
    """The directory of a pool that makes no file system of its own."""


class PoolReport(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as it is listed, with what had to be asked of the disk."""

    name: str
    kind: str
    path: str
    source: str | None
    """The device or file that its own file system is on, or its thin pool."""
    bytes_free: int | None
    """What may still be written to its file system or thin pool; None: it cannot be used."""
    guests: list[str]
    """Names of those whose roots are here."""


def create_pool(context: Context, request: PoolRequest, *, force: bool = False) -> StoragePool:
    """Make a pool and return it.

    Args:
        context: the home.
        request: the definition.
        force: True to use a device that holds something.

    Raises:
        InvalidInput, NotFound, NotPermitted, Conflict, OutOfSpace, Busy: it cannot be; nothing was changed.
        Failed: making it failed; nothing of it is left.
    """
    if os.geteuid() != 0:
        raise NotPermitted("making a pool needs root", hint="run it as root")
    with context.pools_lock():
        _recover_all(context)
        pool = _plan(context, request)
        ground = context.ground(pool)
        ground.check_new(force=force)
        journal.reached("pool-create:before-intent")
        context.store.put_pool(msgspec.structs.replace(pool, phase=Phase.MAKING))
        journal.reached("pool-create:after-intent")
        try:
            journal.perform("pool-create", f"pool {pool.name}", _steps(context, pool))
        except BaseException:
            _take_away(context, pool, "pool-create")
            raise
        journal.reached("pool-create:before-settle")
        context.store.put_pool(pool)
        journal.reached("pool-create:after-settle")
    return pool


def remove_pool(context: Context, name: str) -> None:
    """Delete a pool that no guest's root is on, with the file system that was made for it.

    Raises:
        NotFound, InvalidInput, WrongState, Busy: nothing was changed.
        Failed: something of it could not be taken away; the next command tries again.
    """
    with context.pools_lock():
        if name in context.pools:
            raise InvalidInput(
                f"pool {name} is part of every home", hint="only pools that were made are removed"
            )
        pool = next((pool for pool in context.store.pools() if pool.name == name), None)
        if pool is None:
            raise _unknown(name)
        # Who makes a guest looks for its pool under the same lock.
        with context.templates_lock():
            guests = _guests_on(context).get(name, [])
            if guests:
                raise WrongState(
                    f"pool {name} holds the roots of {', '.join(guests[:5])}"
                    f"{' and others' if len(guests) > 5 else ''}",
                    hint=f"destroy {'it' if len(guests) == 1 else 'them'} first",
                )
            journal.reached("pool-remove:before-intent")
            context.store.put_pool(msgspec.structs.replace(pool, phase=Phase.REMOVING))
            journal.reached("pool-remove:after-intent")
        _take_away(context, pool, "pool-remove")


def list_pools(context: Context) -> list[PoolReport]:
    """Return the pools that every home has, then those that were made, by name."""
    guests = _guests_on(context)
    own = [
        PoolReport(
            name=name,
            kind=name,
            path=context.home.pool(name),
            source=None,
            bytes_free=files.free_bytes(context.home.data)
            if context.pool(name).probe_capability().available
            else None,
            guests=guests.get(name, []),
        )
        for name in sorted(context.pools)
    ]
    return own + [_report_made(context, pool, guests) for pool in _ready(context)]


def show_pool(context: Context, name: str) -> PoolReport:
    """Return what is known of one pool.

    Raises:
        NotFound: there is none of that name.
    """
    for report in list_pools(context):
        if report.name == name:
            return report
    raise _unknown(name)


def find_pool(context: Context, name: str) -> StoragePool:
    """Return a pool that was made.

    Raises:
        NotFound: there is none of that name.
    """
    for pool in _ready(context):
        if pool.name == name:
            return pool
    raise _unknown(name)


def remove_unknown_forms(context: Context) -> None:
    """Delete, from the pools that have forms of templates of their own, those of templates that are gone.

    On a pool whose disk is not there they stay, to the next time.
    """
    for pool in _ready(context):
        with suppress(Error):
            forms = context.pool(pool.name).forms_in
            if forms is not None:
                context.templates.remove_unknown_forms(forms)


def clean_up(context: Context) -> None:
    """Take away what dead processes left half made or half taken away; what a living one is at is left alone."""
    with suppress(Busy), context.pools_lock(wait=0):
        _recover_all(context)


def _plan(context: Context, request: PoolRequest) -> StoragePool:
    """Return the pool that a definition makes, once it has been found to make sense."""
    name = check_name(request.name, "pool")
    if name in context.pools:
        raise Conflict(f"pool {name} is part of every home", hint="choose another name")
    if any(pool.name == name for pool in context.store.pools()):
        raise Conflict(
            f"there is a pool {name} already",
            hint=f"choose another name or remove it first: wirt pool remove {name}",
        )
    if request.kind == "btrfs":
        return _plan_btrfs(context, request)
    if request.kind == "lvm":
        return _plan_lvm(context, request)
    if request.path is None or request.size or request.device or request.group:
        raise InvalidInput(
            f"a pool of kind {request.kind} is a directory", hint="give it, and no more: --path DIR"
        )
    path = os.path.realpath(request.path)
    return StoragePool(name=name, kind=request.kind, path=path, created=time.time())


def _plan_btrfs(context: Context, request: PoolRequest) -> StoragePool:
    if request.path or request.group or (request.size is None) is (request.device is None):
        raise InvalidInput(
            "a pool of kind btrfs is a file system of its own",
            hint="say on what: either --size SIZE, for a file, or --device DEVICE",
        )
    path = context.home.pool(request.name)
    return StoragePool(
        name=request.name,
        kind="btrfs",
        path=path,
        # No pool can be called so: a name has no dot.
        source=os.path.abspath(request.device) if request.device else f"{path}.disk",
        size=request.size,
        uuid=_new_uuid(),
        created=time.time(),
    )


def _plan_lvm(context: Context, request: PoolRequest) -> StoragePool:
    is_in_group = request.group is not None and request.size is not None and not request.device
    is_on_device = request.device is not None and request.size is None and not request.group
    if request.path or not (is_in_group or is_on_device):
        raise InvalidInput(
            "a pool of kind lvm is a thin pool",
            hint="say where: either --group GROUP --size SIZE, or --device DEVICE, of which it gets all",
        )
    name = f"wirt-{context.home.tag}-{request.name}"
    return StoragePool(
        name=request.name,
        kind="lvm",
        path=context.home.pool(request.name),
        source=f"{request.group}/{name}" if is_in_group else f"{name}/thin",
        size=request.size,
        device=os.path.abspath(request.device) if request.device else None,
        uuid=_new_uuid(),
        created=time.time(),
    )


def _steps(context: Context, pool: StoragePool) -> list[Step]:
    return [
        Step(name=part.name, do=part.make, undo=part.take_away, probe=part.probe)
        for part in context.ground(pool).parts()
    ]


def _recover_all(context: Context) -> None:
    """Take away every pool that is neither made nor gone; whoever was at it is dead, as its lock is ours."""
    for pool in context.store.pools():
        if pool.phase is not Phase.READY:
            verb = "pool-create" if pool.phase is Phase.MAKING else "pool-remove"
            # One that cannot be taken away stops nobody who wants another; who removes it is told why.
            with suppress(Error):
                _take_away(context, pool, verb)


def _take_away(context: Context, pool: StoragePool, verb: str) -> None:
    journal.dismantle(verb, _steps(context, pool))
    journal.reached(f"{verb}:before-settle")
    context.store.drop_pool(pool.name)
    journal.reached(f"{verb}:after-settle")


def _ready(context: Context) -> list[StoragePool]:
    return [pool for pool in context.store.pools() if pool.phase is Phase.READY]


def _guests_on(context: Context) -> dict[str, list[str]]:
    """Return the names of the guests on each pool, those under way too."""
    known = {guest.id: guest for guest in context.store.guests()}
    known |= {intent.guest.id: intent.guest for intent in context.store.intents()}
    found: dict[str, list[str]] = {}
    for guest in sorted(known.values(), key=lambda guest: guest.name):
        found.setdefault(guest.pool, []).append(guest.name)
    return found


def _report_made(context: Context, pool: StoragePool, guests: dict[str, list[str]]) -> PoolReport:
    try:
        context.pool(pool.name)
        free: int | None = context.ground(pool).free_bytes()
    except Error:
        # One whose disk is not there is listed all the same.
        free = None
    return PoolReport(
        name=pool.name,
        kind=pool.kind,
        path=pool.path,
        source=pool.source,
        bytes_free=free,
        guests=guests.get(pool.name, []),
    )


def _new_uuid() -> str:
    with open("/proc/sys/kernel/random/uuid") as file:
        return file.read().strip()


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no pool {name}", hint="see wirt pool list")
