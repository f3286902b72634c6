"""``vzpid``: the containers that processes of the node belong to."""

import sys
from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid, program
from wirt.dialects.vz.codes import Code
from wirt.dialects.vz.options import read_options
from wirt.errors import InvalidInput
from wirt.host import process
from wirt.model.names import kernel_name

USAGE = "Usage: vzpid [-p] [--compat=2006] <pid> [<pid> ...] | -"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    options, pids = read_options(
        arguments, ["p", "help"], ["compat"], short={"-p": "p", "-h": "help"}
    )
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if pids == ["-"]:
        pids = sys.stdin.read().split()
    if not pids:
        raise InvalidInput("say which processes", hint=USAGE)
    for pid in pids:
        if not (pid.isascii() and pid.isdigit()):
            raise InvalidInput(f"Invalid PID {pid}", hint=USAGE)
    head = "VPSID" if program.is_2006(given.get("compat")) else "CTID"
    output.say("\t".join(["Pid", *(["CT/Pid"] if "p" in given else []), head, "Name"]))
    with app.open_context() as context:
        owners = {
            kernel_name(context.home.tag, guest.id): ctid.ctid_of(guest)
            for guest in context.store.guests()
        }
        for pid in pids:
            _say(owners, int(pid), is_inner="p" in given)
    return Code.OK


def _say(owners: dict[str, int], pid: int, *, is_inner: bool) -> None:
    """Say one process, if it is there. One in a container's group and not in its namespace is the node's: its keeper."""
    seen = process.look_at(pid)
    if seen is None:
        return
    number = 0
    if seen.inner != pid:
        number = next((owners[name] for name in seen.groups if name in owners), 0)
    inner = [str(seen.inner if number else pid)] if is_inner else []
    output.say("\t".join([str(pid), *inner, str(number), seen.name]))
