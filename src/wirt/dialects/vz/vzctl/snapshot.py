"""``vzctl snapshot``, ``snapshot-list``, ``-switch``, ``-delete``, ``-mount`` and ``-umount``: a container's root kept, and gone back to.

OpenVZ's ids are UUIDs. A snapshot that is made here is called by its UUID, so ``wirt snapshot`` knows it too; one that was made
there is found by the name that it has. That of a running container is a checkpoint, of its memory too, unless ``--skip-suspend`` is
given; gone back to, the container goes on from it.
"""

import os
import re
import time
import uuid

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.vzctl.call import Call
from wirt.host import mount as node_mount
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.guests import observed
from wirt.ops.resume import resume
from wirt.ops.snapshot import (
    create_snapshot,
    delete_snapshot,
    list_snapshots,
    mount_snapshot,
    restore_snapshot,
    unmount_snapshot,
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WIDTHS = {"parent_uuid": 38, "current": 1, "uuid": 38, "date": 19, "name": 32}
_HEADS = {"current": "C"}


def create(call: Call) -> int:
    """Keep what the root of a container is now."""
    options = call.options(["skip-suspend", "skip-config"], ["id", "uuid", "name", "description"])
    given = dict(options)
    said = {option: given.get(option, "") for option in ("name", "description")}
    for option, text in said.items():
        if not text.isprintable():
            raise Refused(
                Code.VALUE, f"Bad parameter for --{option}: {text!r}", hint="give one line of text"
            )
    wanted = _id_of(given) or str(uuid.uuid4())
    if not _UUID.fullmatch(wanted):
        raise Refused(Code.VALUE, f"Bad parameter for --id: {wanted}", hint="give a UUID")
    with app.open_context() as context:
        guest = observed(context, ctid.find(context, call.ctid))
        call.tell(f"Creating snapshot {{{wanted}}}")
        with ends_with(Code.SNAPSHOT):
            title, description = said["name"], said["description"]
            if guest.state.is_up and "skip-suspend" not in given:
                checkpoint(
                    context,
                    guest.name,
                    wanted,
                    keep_running=True,
                    title=title,
                    description=description,
                )
            else:
                create_snapshot(context, guest.name, wanted, title=title, description=description)
    call.tell(f"Snapshot {{{wanted}}} has been successfully created")
    return Code.OK


def switch(call: Call) -> int:
    """Go back to what a container was; it is ended first if it runs, and goes on if its memory was kept."""
    flags = ["skip-resume", "must-resume", "skip-config"]
    given = dict(call.options(flags, ["id", "uuid"]))
    wanted = _must_have_id(given)
    with app.open_context() as context, ends_with(Code.SNAPSHOT_SWITCH):
        guest = ctid.find(context, call.ctid)
        has_memory = any(one.name == wanted and one.memory is not None for one in guest.snapshots)
        if "must-resume" in given and not has_memory:
            raise Refused(
                Code.SNAPSHOT_SWITCH,
                f"Snapshot {{{wanted}}} has no memory to go on from",
                hint="leave --must-resume out, and start the container then",
            )
        if has_memory and "skip-resume" not in given:
            resume(context, guest.name, wanted, force=True)
        else:
            restore_snapshot(context, guest.name, wanted, force=True)
    call.tell(f"Container has been successfully switched to snapshot {{{wanted}}}")
    return Code.OK


def delete(call: Call) -> int:
    """Delete a snapshot."""
    wanted = _must_have_id(dict(call.options([], ["id", "uuid"])))
    with app.open_context() as context, ends_with(Code.SNAPSHOT_DELETE):
        guest = ctid.find(context, call.ctid)
        delete_snapshot(context, guest.name, wanted)
    call.tell(f"Snapshot {{{wanted}}} has been successfully deleted")
    return Code.OK


def mount(call: Call) -> int:
    """Show a snapshot on the node, to be read only: where it is asked for, or where Wirt keeps it."""
    given = dict(call.options([], ["id", "uuid", "target"]))
    wanted = _must_have_id(given)
    target = given.get("target")
    if target is not None and not os.path.isdir(target):
        raise Refused(Code.SNAPSHOT_MOUNT, f"{target} is no directory", hint="make it first")
    with app.open_context() as context, ends_with(Code.SNAPSHOT_MOUNT):
        guest = ctid.find(context, call.ctid)
        place = mount_snapshot(context, guest.name, wanted)
        if target is not None:
            if node_mount.find_copies(place):
                raise Refused(Code.SNAPSHOT_MOUNT, f"Snapshot {{{wanted}}} is already mounted")
            place = os.path.abspath(target)
            node_mount.bind(mount_snapshot(context, guest.name, wanted), place, read_only=True)
    call.tell(f"Snapshot {{{wanted}}} has been mounted to {place}")
    return Code.OK


def unmount(call: Call) -> int:
    """Undo ``mount``."""
    wanted = _must_have_id(dict(call.options([], ["id", "uuid"])))
    with app.open_context() as context, ends_with(Code.SNAPSHOT_UNMOUNT):
        guest = ctid.find(context, call.ctid)
        unmount_targets(context, guest.name, wanted)
        unmount_snapshot(context, guest.name, wanted)
    call.tell(f"Snapshot {{{wanted}}} has been successfully unmounted")
    return Code.OK


def unmount_targets(context: Context, name: str, snapshot: str | None = None) -> None:
    """Unmount a guest's snapshots, or one, from where people have wanted to see them.

    Raises:
        Busy: a process uses one.
    """
    for one in list_snapshots(context, name):
        if one.mounted is not None and snapshot in (None, one.name):
            for copy in node_mount.find_copies(one.mounted):
                node_mount.unmount_unused(copy)


def show(call: Call) -> int:
    """List the snapshots of a container. There is no tree of them, so none has a parent and none is the current one."""
    short = {"-H": "no-header", "-o": "output", "-L": "list"}
    given = dict(call.options(["no-header", "list"], ["output", "id", "uuid"], short=short))
    if "list" in given:
        output.say("\n".join(_WIDTHS))
        return Code.OK
    fields = given.get("output", ",".join(_WIDTHS)).split(",")
    for field in fields:
        if field not in _WIDTHS:
            raise Refused(Code.VALUE, f"Unknown field: {field}")
    with app.open_context() as context, ends_with(Code.SNAPSHOT_LIST):
        guest = ctid.find(context, call.ctid)
        found = list_snapshots(context, guest.name)
    rows = [{field: _HEADS.get(field, field.upper()) for field in fields}]
    if "no-header" in given:
        rows = []
    wanted = _id_of(given)
    for one in found:
        if wanted in (None, one.name):
            is_ours = _UUID.fullmatch(one.name) is not None
            date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.created))
            rows.append(
                {
                    "uuid": f"{{{one.name}}}" if is_ours else one.name,
                    "date": date,
                    "name": one.title if is_ours else one.name,
                }
            )
    for row in rows:
        output.say(" ".join(row.get(f, "").ljust(_WIDTHS[f]) for f in fields).rstrip())
    return Code.OK


def _id_of(given: dict[str, str]) -> str | None:
    value = given.get("id", given.get("uuid"))
    return None if value is None else value.removeprefix("{").removesuffix("}").lower()


def _must_have_id(given: dict[str, str]) -> str:
    wanted = _id_of(given)
    if not wanted:
        raise Refused(Code.SYNTAX, "Invalid syntax: snapshot id is missing")
    return wanted
