"""``xm save``, ``restore`` and ``migrate``: what a domain's memory holds, kept or taken elsewhere."""

import os
from tempfile import TemporaryDirectory

from wirt import app
from wirt.dialects.xm import sxp
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.definition import Definition
from wirt.dialects.xm.domains import (
    DEFINITION,
    check_unprivileged,
    find,
    find_any,
    list_domains,
    nearest_name,
    render_definition,
)
from wirt.errors import Conflict, InvalidInput, NotFound, Unsupported, WrongState
from wirt.host import files
from wirt.model.guest import Guest
from wirt.model.migration import Mode
from wirt.model.node import Node
from wirt.ops import migrate as migration
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.freeze import freeze
from wirt.ops.nodes import add_node, ask_facts, find_node
from wirt.ops.resume import resume
from wirt.ops.snapshot import delete_snapshot

_HEAD = "wirt-checkpoint"
_LONGEST_FILE = 64 * 1024
_SUSPENDED = "suspended"
"""What a suspended domain's checkpoint is called."""


def save(call: Call) -> int:
    """Keep what a domain is now, and end it; with ``-c`` let it go on.

    The memory is kept with the guest; the file says where, and is what ``restore`` wants.
    """
    given, (name, path) = call.read({"checkpoint": "c"}, least=2)
    check_unprivileged("save", name)
    with app.open_context() as context:
        domain = find(context, name)
        if os.path.lexists(path) and not os.path.isfile(path):
            raise Conflict(f"{path} is there, and no file", hint="choose another")
        made = checkpoint(context, domain.guest.name, keep_running="checkpoint" in given)
        words: list[sxp.Written] = [
            _HEAD,
            ["home", context.home.data],
            ["guest", domain.guest.id],
            ["name", domain.name],
            ["snapshot", made.name],
        ]
        with files.translated(f"write {path}"):
            files.write_atomically(os.path.abspath(path), f"{sxp.render(words)}\n".encode())
    return 0


def restore(call: Call) -> int:
    """Let a domain go on from what was saved, which is used up by that, as with xm the saved memory is by its domain."""
    given, (path,) = call.read({"paused": "p"}, least=1)
    words = _read(path)
    with app.open_context() as context:
        guest = next((one for one in context.store.guests() if one.id == words["guest"]), None)
        if guest is None or words["home"] != context.home.data:
            raise NotFound(f"{path} is of a domain that is not here: {words['name']}")
        resume(context, guest.name, words["snapshot"])
        delete_snapshot(context, guest.name, words["snapshot"])
        list_domains(context)  # which numbers it
        if "paused" in given:
            freeze(context, guest.name)
    return 0


def suspend(call: Call) -> int:
    """Keep what a domain is now, with the domain, and end it."""
    _, (name,) = call.read(least=1)
    check_unprivileged("suspend", name)
    with app.open_context() as context:
        guest = find(context, name).guest
        if _is_suspended(guest):
            # It was started since, and not resumed.
            delete_snapshot(context, guest.name, _SUSPENDED)
        checkpoint(context, guest.name, _SUSPENDED)
    return 0


def resume_domain(call: Call) -> int:
    """Let a suspended domain go on; what was kept is used up by that."""
    given, (name,) = call.read({"paused": "p"}, least=1)
    check_unprivileged("resume", name)
    with app.open_context() as context:
        domain = find_any(context, name)
        if domain.number is not None or not _is_suspended(domain.guest):
            raise WrongState(f"Domain is not suspended: {domain.name}")
        resume(context, domain.guest.name, _SUSPENDED)
        delete_snapshot(context, domain.guest.name, _SUSPENDED)
        list_domains(context)  # which numbers it
        if "paused" in given:
            freeze(context, domain.guest.name)
    return 0


def _is_suspended(guest: Guest) -> bool:
    return any(one.name == _SUSPENDED for one in guest.snapshots)


def migrate(call: Call) -> int:
    """Have a domain go to another node with what its memory holds, as a domain always does, ``--live`` or not."""
    options = {"live": "l", "port=": "p", "resource=": "r"}
    given, (name, host) = call.read(options, least=2)
    for option in ("port", "resource"):
        if option in given:
            raise Unsupported(
                f"--{option} cannot be given: nodes are reached by ssh", hint="leave it out"
            )
    check_unprivileged("migrate", name)
    with app.open_context() as context:
        domain = find(context, name)
        node = _find_or_add(context, host)
        request = migration.MigrateRequest(guest=domain.guest.name, node=node.name, mode=Mode.LIVE)
        migration.migrate(context, request, progress=lambda line: None)
        if domain.definition is not None:
            _send_definition(context, node, domain.guest, domain.definition)
    return 0


def _send_definition(context: Context, node: Node, guest: Guest, definition: Definition) -> None:
    """Send a domain's definition after it: what its file said is gone here with its guest."""
    home = context.home
    there = home.guest(guest.id).replace(home.data, ask_facts(context, node).data, 1)
    with files.translated("send the definition"), TemporaryDirectory(dir=home.run) as directory:
        path = os.path.join(directory, DEFINITION)
        files.write(path, render_definition(definition))
        context.link(node).send(path, os.path.join(there, DEFINITION))


def _read(path: str) -> dict[str, str]:
    """Return what ``save`` wrote.

    Raises:
        NotFound, InvalidInput: it is not there, or nothing that ``save`` wrote.
    """
    with files.translated(f"read {path}"):
        try:
            with open(path, "rb") as file:
                text = file.read(_LONGEST_FILE).decode()
        except FileNotFoundError:
            raise NotFound(f"Unable to open checkpoint file: {path}") from None
        except UnicodeDecodeError:
            text = ""
    nodes = sxp.parse(text, name=path)
    expression = nodes[0] if len(nodes) == 1 else None
    if isinstance(expression, list) and expression[:1] == [_HEAD]:
        keys = ("home", "guest", "name", "snapshot")
        found = {key: sxp.value(expression, key) for key in keys}
        words = {key: word for key, word in found.items() if word is not None}
        if len(words) == len(keys):
            return words
    raise InvalidInput(f"{path} is no checkpoint of ours", hint="xm save writes them")


def _find_or_add(context: Context, host: str) -> Node:
    """Return the node of a host; one that is not known is added, as one that is reached by ssh."""
    name = nearest_name(host)
    for known in (host, name):
        try:
            return find_node(context, known)
        except (NotFound, InvalidInput):
            continue
    if not name or host.startswith("-"):
        raise InvalidInput(f"{host!r} is no host", hint="such as b.example.org")
    node = Node(name=name, ssh=f"root@{host}")
    add_node(context, node)
    return node
