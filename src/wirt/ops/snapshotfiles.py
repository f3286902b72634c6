"""``snapshot export`` and ``snapshot import``: a snapshot as one file, and a guest of it, here or on another node.

Nothing is changed before the file has been verified to its end and the guest is known to fit here. From there it is as every guest
that is made: until all of it is there, a crash leaves nothing.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from contextlib import suppress

import msgspec

from wirt.errors import (
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutOfSpace,
    Unsupported,
)
from wirt.host import files, interrupts, sealedfile
from wirt.model.card import PrivateNetwork
from wirt.model.guest import Guest
from wirt.model.ids import free_range
from wirt.model.names import check_name, check_template_name
from wirt.model.presence import Presence
from wirt.model.snapshot import Snapshot
from wirt.ops import checkpoints, guests, journal
from wirt.ops.bridges import networks_of
from wirt.ops.context import Context
from wirt.ops.moving import arrivals, baggage, images, live
from wirt.ops.moving.protocol import Arrival
from wirt.ops.steps.checkpointing import checkpointable
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.storage import snapshotfile
from wirt.storage.powers import Travelling
from wirt.storage.snapshotfile import Parts
from wirt.storage.templates.arriving import parts_in
from wirt.units import render_bytes

_VERSION = 1
_HERE = "this node"
_ID = re.compile(r"[0-9a-f]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class What(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is of."""

    version: int
    guest: Guest
    """As it was then, with this snapshot alone."""
    pool_kind: str
    disk_bytes: int
    memory_bytes: int
    subnet: str
    networks: tuple[PrivateNetwork, ...]
    image: str | None
    """Checksum of the template's image that the disk rests on; None: it rests on files."""
    machine: str | None
    """Processor architecture that its memory is of; None: it has none."""
    brings_template: bool

    @property
    def snapshot(self) -> Snapshot:
        """Return the snapshot."""
        return self.guest.snapshots[0]


def export_snapshot(
    context: Context,
    name: str,
    snapshot: str,
    path: str,
    *,
    with_template: bool = True,
    force: bool = False,
) -> int:
    """Write a snapshot to a file, with memory if it has some, and return the file's bytes; the guest goes on.

    Args:
        context: the home.
        name: the guest.
        snapshot: which.
        path: the file; it appears complete or not at all, and a crash leaves ``.NAME.wirt-new`` beside it.
        with_template: False to leave out the template, which is to be where it is imported.
        force: True to replace what is there.

    Raises:
        NotFound, Conflict, Unsupported, Corrupt, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be written; nothing is left of it.
    """
    with guests.held(context, name) as guest:
        what, parts = _describe(context, guest, snapshot, with_template=with_template)
        if os.path.exists(path) and not (force and os.path.isfile(path)):
            raise Conflict(f"there is a {path} already", hint="name another file, or pass --force")
        directory, file = os.path.split(os.path.abspath(path))
        fresh = os.path.join(directory, f".{file}.wirt-new")
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        try:
            with files.translated(f"write {path}"), interrupts.allowed():
                size = snapshotfile.write(fresh, msgspec.json.encode(what), parts)
                os.rename(fresh, path)
                files.sync_directory(directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(fresh)
            raise
    return size


def _describe(
    context: Context, guest: Guest, snapshot: str, *, with_template: bool
) -> tuple[What, Parts]:
    """Return what a file of a snapshot is to hold.

    Raises:
        NotFound, Unsupported, Corrupt: there is no such snapshot, or it cannot be in a file.
    """
    ladder = Ladder(context, guest)
    keeper = ladder.root.snapshots()
    kept = next((one for one in guest.snapshots if one.name == snapshot), None)
    if kept is None:
        raise NotFound(
            f"guest {guest.name} has no snapshot {snapshot}",
            hint=f"see wirt snapshot list {guest.name}",
        )
    if not isinstance(keeper, Travelling):
        raise Unsupported(
            f"snapshot {snapshot} of guest {guest.name} cannot be exported: pool {guest.pool} does "
            "not give it away",
            hint="pools of kind btrfs, directory and image do",
        )
    if guest.disks:
        raise Unsupported(
            f"snapshot {snapshot} of guest {guest.name} cannot be exported: disk "
            f"{guest.disks[0].name} would not be in it",
            hint=f"remove it first: wirt disk remove {guest.name} {guest.disks[0].name}",
        )
    definition, memory, machine = guest, None, None
    if kept.memory is not None:
        memory = context.home.checkpoint(guest.id, snapshot)
        manifest = checkpoints.verify(memory, f"checkpoint {snapshot} of guest {guest.name}")
        definition, machine = manifest.guest, manifest.machine
    place = context.pool(guest.pool).place(guest.id)
    image, template = None, None
    if guest.has_template:
        template = context.templates.find(guest.template, guest.template_sha256)
        if template is None:
            raise Corrupt(
                f"template {guest.template} is not here in the version that guest {guest.name} rests on",
                hint="see wirt template list",
            )
        if ladder.root.is_image:
            image = images.checksum(context, ladder.root.form())
    brings = with_template and template is not None
    what = What(
        version=_VERSION,
        guest=msgspec.structs.replace(_defined(definition), snapshots=(kept,)),
        pool_kind=context.pool(guest.pool).name,
        disk_bytes=keeper.measure(guest.id, snapshot),
        memory_bytes=files.disk_usage(memory) if memory else 0,
        subnet=context.gateway().look().subnet,
        networks=networks_of(context, definition),
        image=image,
        machine=machine,
        brings_template=brings,
    )
    parts = Parts(
        template=template if brings else None,
        template_files=tuple(parts_in(template, with_image=ladder.root.is_image))
        if brings and template
        else (),
        memory=memory,
        disk=f"{place}/{keeper.part(guest.id, snapshot)}",
    )
    return what, parts


def _defined(guest: Guest) -> Guest:
    """Return a guest as a file has it: without what is so on its node alone."""
    return msgspec.structs.replace(
        journal.stopped(guest),
        ended=None,
        lives_with=None,
        boot_order=None,
        over_soft_since=None,
        over_inodes_since=None,
    )


def import_snapshot(
    context: Context, path: str, name: str | None = None, *, progress: Callable[[str], None]
) -> Guest:
    """Make a guest of a file, stopped, with its disk as it was at the snapshot, which it has, and return it.

    Args:
        context: the home.
        path: the file; it stays as it is.
        name: what the guest is to be called; None: as it was.
        progress: is told what goes on.

    Raises:
        InvalidInput, Corrupt, NotFound, Conflict, Unsupported, OutOfSpace, Busy: nothing was changed.
        Failed: it could not be made; nothing of it is left.
    """
    if os.geteuid() != 0:
        raise NotPermitted("making a guest needs root", hint="run it as root")
    progress("verify")
    what = read(path)
    if name is not None:
        what = msgspec.structs.replace(
            what, guest=msgspec.structs.replace(what.guest, name=check_name(name))
        )
    with context.guest_lock(what.guest):
        _check(context, what)
        _take_subnet(context, what)
        if what.guest.has_template:
            progress("template")
            _take_template(context, what, path)
        with context.templates_lock(), context.ids_lock():
            # What has been asked may have changed since, until the guest is written down.
            guest = _check(context, msgspec.structs.replace(what, brings_template=False))
            journal.begin(context, guest, "import")
        progress("unpack")
        journal.build(context, "import", guest, _steps(context, guest, what, path), otherwise=None)
        journal.settle(context, "import", guest, guest)
    return guest


def read(path: str) -> What:
    """Return what a file is of, when all of it has been verified.

    Raises:
        NotFound, InvalidInput, Corrupt, Unsupported: it is no file of a snapshot, is damaged, or is refused.
    """
    file = os.path.basename(path)
    if not os.path.isfile(path):
        raise NotFound(f"there is no file {path}", hint="check the path")
    with files.translated(f"read {path}"):
        sealedfile.verify(path, snapshotfile.WHAT_IT_IS)
        content = snapshotfile.read_what(path)
        snapshotfile.check(path)
    try:
        version = msgspec.json.decode(content, type=_Version).version
        if version > _VERSION:
            raise Unsupported(
                f"{file} was written by a newer Wirt", hint="install the same version here"
            )
        what = msgspec.json.decode(content, type=What)
        _check_definition(what)
    except (msgspec.MsgspecError, ValueError, InvalidInput) as error:
        raise Corrupt(
            f"{file} was not imported: what it says of its guest cannot be: {error}",
            hint="import it from whom it was exported by",
        ) from error
    return what


class _Version(msgspec.Struct, frozen=True):
    version: int


def _check_definition(what: What) -> None:
    """Check what becomes part of paths and of what programs are told; the rest is checked as every guest's.

    Raises:
        InvalidInput, ValueError: it cannot be a guest's.
    """
    guest = what.guest
    check_name(guest.name)
    if _ID.fullmatch(guest.id) is None:
        raise ValueError(f"{guest.id!r} is no id")
    if len(guest.snapshots) != 1:
        raise ValueError("it has another number of snapshots than one")
    check_name(what.snapshot.name, "snapshot")
    if guest.disks:
        raise ValueError("it has further disks")
    if guest.has_template:
        check_template_name(guest.template)
        if _SHA256.fullmatch(guest.template_sha256) is None:
            raise ValueError("its template has no checksum")
    for address in guest.held_addresses:
        ipaddress.ip_address(address)


def _check(context: Context, what: What) -> Guest:
    """Check everything that can be known before, and return the guest as it is to be here; changes nothing.

    Raises:
        NotFound, Conflict, Unsupported, OutOfSpace: it cannot be; says why.
    """
    guest, snapshot = what.guest, what.snapshot
    has_it = guest.has_template and bool(
        context.templates.find(guest.template, guest.template_sha256)
    )
    if guest.has_template and not has_it and not what.brings_template:
        raise NotFound(
            f"{_HERE} has no template {guest.template} of the version that guest {guest.name} rests on",
            hint="export the snapshot with its template",
        )
    if what.machine not in (None, os.uname().machine):
        raise Unsupported(
            f"checkpoint {snapshot.name} of guest {guest.name} is of a node with another processor: "
            f"{what.machine}",
            hint="import it on such a node",
        )
    arrivals.check(
        context,
        Arrival(
            guest=guest,
            node=_HERE,
            # The guest's own root becomes a copy of the snapshot's.
            bytes=2 * what.disk_bytes,
            subnet=what.subnet,
            networks=what.networks,
            brings_template=not has_it,
            image=what.image,
        ),
        _HERE,
    )
    kind = context.pool(guest.pool).name
    if kind != what.pool_kind:
        raise Unsupported(
            f"pool {guest.pool} of {_HERE} is of kind {kind}, and the disk of guest {guest.name} of "
            f"kind {what.pool_kind}",
            hint="import it on a node whose pool of that name is",
        )
    if snapshot.memory is not None:
        _check_memory(context, what)
        baggage.check_ids(context, guest, _HERE, hint="destroy that first")
    _check_subnet(context, what)
    taken = context.store.ids()
    if snapshot.memory is None and (guest.ids is None or guest.ids in taken):
        guest = msgspec.structs.replace(guest, ids=free_range(guest.id, taken))
    return guest


def _check_memory(context: Context, what: What) -> None:
    try:
        live.check_node(context, what.guest)
    except Unsupported as error:
        raise Unsupported(
            f"{_HERE} cannot let a guest go on from its memory: {error.message}", hint=error.hint
        ) from error
    free = files.free_bytes(context.home.data)
    if free < what.memory_bytes:
        raise OutOfSpace(
            f"{_HERE} has {render_bytes(free)} free below {context.home.data}, and the memory of guest "
            f"{what.guest.name} takes {render_bytes(what.memory_bytes)}",
            hint="free some space and try again",
        )


def _check_subnet(context: Context, what: What) -> None:
    """Check that the guest's address is one of this node's, or can be: while it has no guests, its subnet can be any."""
    ours = context.gateway().look().subnet
    if ours == what.subnet:
        return
    refusal = Conflict(
        f"{_HERE} has the subnet {ours}, and guest {what.guest.name} an address of {what.subnet}",
        hint="import it into a home that has no guests, which takes that subnet",
    )
    if not context.store.is_empty():
        raise refusal
    try:
        context.network.choose_private(what.subnet, [])
    except InvalidInput as error:
        raise Conflict(
            f"guest {what.guest.name} has an address of {what.subnet}: {error.message}",
            hint="import it on another node",
        ) from error


def _take_subnet(context: Context, what: What) -> None:
    """Have this home, which has no guests, take the guest's subnet; a crash leaves it one as good as the other."""
    if context.gateway().look().subnet != what.subnet:
        context.store.change("subnet", what.subnet)


def _take_template(context: Context, what: What, path: str) -> None:
    """Have the template here that the guest rests on; it stays, as every template does."""
    name, sha256 = what.guest.template, what.guest.template_sha256
    if context.templates.find(name, sha256) is not None:
        return
    with context.templates.arriving(name) as place:
        snapshotfile.unpack(path, Parts(template=place))
        context.templates.adopt(place, name, sha256)


def _steps(context: Context, guest: Guest, what: What, path: str) -> list[Step]:
    """Return the steps that make the guest; undone, nothing of it is left."""
    ladder, name = Ladder(context, guest), what.snapshot.name
    keeper = ladder.root.snapshots()
    assert isinstance(keeper, Travelling)

    def take() -> None:
        room = baggage.make_room(context, guest, name)
        disk = room.root.rstrip("/")
        # What was cloned has been copied there, for who sends only what differs.
        if os.path.isdir(disk):
            files.empty_tree(disk)
        snapshotfile.unpack(path, Parts(memory=room.memory, disk=disk))
        if room.memory is not None:
            checkpointable(context, guest).check_memory(room.memory)
        baggage.take(context, guest, name)

    def go_back() -> None:
        keeper.prepare_restore(guest.id, name, guest.limits.disk)
        keeper.finish_restore(guest.id)

    def step(what: str, do: Callable[[], None]) -> Step:
        # Both go with the guest's directory and its root.
        return Step(name=what, do=do, undo=lambda: None, probe=lambda: Presence.ABSENT)

    return [*ladder.to_exist(), step("snapshot", take), step("disk", go_back)]
