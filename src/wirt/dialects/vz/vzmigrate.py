"""``vzmigrate``: containers go to another node.

The other node is one that ``wirt node`` knows, or a host: that is made known, as root's by ssh, before anything else is done, for
good or, if it is only asked whether a container could go, until that has been said.
A container always has one owner, so what the original leaves behind on request (``-r no``) is refused.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program
from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.migratecodes import MigrateCode, code_of
from wirt.dialects.vz.options import read_options
from wirt.errors import Error, InvalidInput, NotFound
from wirt.model.migration import Migration, Mode
from wirt.model.names import MAX_NAME
from wirt.model.node import Node
from wirt.ops import migrate as verbs
from wirt.ops.context import Context
from wirt.ops.guests import observed
from wirt.ops.nodes import add_node, ask_facts, find_node, known_briefly

USAGE = "Usage: vzmigrate [-r yes] [--ssh=OPTIONS] [--online] [--check-only] [-t] [-v] [user@]destination CTID ..."

_FLAGS = (
    *("keep-dst", "online", "live", "v", "compact", "snapshot", "ssh-mux", "help"),
    *("check-only", "dry-run", "nodeps", "times", "whole-file"),
)
_HOW = {
    Mode.LIVE: "it goes on there with its memory and connections",
    Mode.REFRESH: "it is stopped here and started there",
    Mode.COLD: "it is stopped, and stays so",
}
"""How a container would go."""
_VALUED = ("remove-area", "ssh", "rsync", "compat")
_SHORT = {
    "-r": "remove-area",
    "-v": "v",
    "-c": "compact",
    "-s": "snapshot",
    "-f": "nodeps",
    "-t": "times",
    "-h": "help",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=code_of)


def parse_arguments(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options, and the destination with the containers; none if help is asked for.

    Raises:
        Refused: they cannot be read.
    """
    # --nodeps may say which: what is left out of these checks is never looked at here.
    cut = [re.sub(r"^--nodeps=.*", "--nodeps", word) for word in arguments]
    try:
        options, rest = read_options(cut, _FLAGS, _VALUED, short=_SHORT)
    except Refused as error:
        raise Refused(MigrateCode.USAGE, error.message, hint=USAGE) from error
    given = dict(options)
    if "help" in given:
        return given, []
    if len(rest) < 2:
        raise Refused(MigrateCode.USAGE, "say where to, and which containers", hint=USAGE)
    if given.get("remove-area", "yes") != "yes":
        raise Refused(
            MigrateCode.USAGE,
            "the private area cannot stay here: a container has one owner",
            hint="leave -r out, or clone it first: wirt clone",
        )
    return given, rest


def _run(arguments: list[str]) -> int:
    given, rest = parse_arguments(arguments)
    if not rest:
        output.say(USAGE)
        return MigrateCode.OK
    words = program.is_2006(given.get("compat"))
    destination, *containers = rest
    only_checks = bool({"check-only", "dry-run"} & set(given))
    with app.open_context() as context, ExitStack() as known:
        guests = [ctid.find(context, container) for container in containers]
        node = _find(context, destination)
        if node is None:
            node = _node_of(destination, given.get("ssh", "").split())
            _make_known(context, node, known if only_checks else None)
        facts = ask_facts(context, node)
        for guest in guests:
            called = f"{'VPS' if words else 'container'} {ctid.ctid_of(guest)}"
            is_online = bool({"online", "live"} & set(given))
            # Without a word for it a container that runs is stopped for its way.
            stops = observed(context, guest).state.is_up and not is_online
            request = verbs.MigrateRequest(
                guest=guest.name, node=node.name, mode=Mode.REFRESH if stops else None
            )
            if only_checks:
                mode, why = verbs.check(context, request)
                reason = f" ({why})" if is_online and mode is Mode.REFRESH else ""
                output.say(
                    f"Migration of {called} to {destination} is possible: {_HOW[mode]}{reason}"
                )
                continue
            online = "online " if is_online else ""
            output.say(f"Starting {online}migration of {called} to {destination}")
            done = _migrate(context, request, is_told="v" in given)
            if is_online and done.mode is Mode.REFRESH:
                output.note(done.why)
            _send_config(context, node, facts.data, ctid.ctid_of(guest))
            if "times" in given:
                _say_times(done)
            output.say("Migration completed")
    return MigrateCode.OK


def _migrate(context: Context, request: verbs.MigrateRequest, *, is_told: bool) -> Migration:
    """Migrate, and let an error end with the status of the stage that it came in."""
    stage = ""

    def reached(line: str) -> None:
        nonlocal stage
        stage = line
        if is_told:
            output.note(line)

    try:
        return verbs.migrate(context, request, progress=reached)
    except Error as error:
        raise Refused(
            MigrateCode(code_of(error, stage=stage)), error.message, hint=error.hint
        ) from error


def _find(context: Context, destination: str) -> Node | None:
    """Return the node of a destination, if it is known by that name or its host's."""
    for known in (destination, _name_of(destination)):
        with suppress(NotFound):
            return find_node(context, known)
    return None


def _name_of(destination: str) -> str:
    host = destination.rpartition("@")[2]
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:MAX_NAME]


def _node_of(destination: str, options: list[str]) -> Node:
    """Return the node that a host is.

    Raises:
        Refused: it is none.
    """
    user, _, host = destination.rpartition("@")
    if not host or host.startswith("-"):
        raise Refused(MigrateCode.USAGE, f"{destination!r} is no host", hint=USAGE)
    return Node(
        name=_name_of(destination), ssh=f"{user or 'root'}@{host}", ssh_options=tuple(options)
    )


def _make_known(context: Context, node: Node, until: ExitStack | None) -> None:
    """Add a node for good, or until a stack is closed.

    Raises:
        Refused, Error: it cannot be.
    """
    try:
        if until is None:
            add_node(context, node)
        else:
            until.enter_context(known_briefly(context, node))
    except InvalidInput as error:
        raise Refused(MigrateCode.USAGE, error.message, hint=error.hint) from error


def _send_config(context: Context, node: Node, data: str, number: int) -> None:
    """Send a container's file after it, if it has one, and keep what was here as ``CTID.conf.migrated``."""
    path = conf.path_of(context.home, number)
    if conf.is_there(context.home, number):
        there = path.replace(context.home.data, data, 1)
        context.link(node).send(path, there)
        conf.put_aside(context.home, number, "migrated")


def _say_times(done: Migration) -> None:
    """Say the stages of the downtime as vzmigrate does; what there is none of took no time."""
    if done.downtime_seconds is None:
        return
    took = {stage.name: stage.seconds for stage in done.stages}
    rows = {
        "Suspend + Dump": sum(took.get(part, 0.0) for part in ("hold still", "dump", "stop")),
        "Pcopy after suspend": 0.0,
        "Copy dump file": took.get("send memory", 0.0),
        "Second rsync": took.get("last copy", 0.0),
        "2nd level quota": 0.0,
        "Undump + Resume": sum(
            took.get(part, 0.0) for part in ("set up there", "start there", "ready there")
        ),
        "Total suspended time": done.downtime_seconds,
    }
    for name, seconds in rows.items():
        output.say(f"  {name:>20}: {seconds:6.2f}")
