"""``xm destroy``, ``shutdown``, ``reboot``, ``pause``, ``unpause``, ``rename`` and ``delete``."""

from collections.abc import Callable

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.domains import (
    Domain,
    check_unprivileged,
    find,
    find_any,
    guest_name,
    keep_definition,
    list_domains,
)
from wirt.dialects.xm.program import WrongUse
from wirt.errors import Conflict, InvalidInput, WrongState
from wirt.ops import destroy as destroying
from wirt.ops.context import Context
from wirt.ops.freeze import freeze, thaw
from wirt.ops.rename import rename as rename_guest
from wirt.ops.restart import restart
from wirt.ops.start import start
from wirt.ops.stop import stop

_ENDING = {"wait": "w", "all": "a", "reboot": "R", "halt": "H"}


def destroy(call: Call) -> int:
    """End a domain at once. Its guest stays, stopped, until it is deleted."""
    return _on_one(call, "destroy", lambda context, one: stop(context, one.guest.name, force=True))


def reset(call: Call) -> int:
    """End a domain at once, and start it anew."""

    def begin_anew(context: Context, one: Domain) -> None:
        stop(context, one.guest.name, force=True)
        start(context, one.guest.name, ready_seconds=None)
        list_domains(context)  # which numbers it

    return _on_one(call, "reset", begin_anew)


def pause(call: Call) -> int:
    """Hold a domain still."""
    return _on_one(call, "pause", lambda context, one: freeze(context, one.guest.name))


def unpause(call: Call) -> int:
    """Let a paused domain go on."""
    return _on_one(call, "unpause", lambda context, one: thaw(context, one.guest.name))


def shutdown(call: Call) -> int:
    """Ask a domain's system to shut down; one that does not is ended. With ``-w`` what became of it is said."""
    given, names = call.read(_ENDING, most=1)
    if "reboot" in given and "halt" in given:
        raise WrongUse("a domain cannot be halted and rebooted", call.command)
    return _end(call, given, names, reboots="reboot" in given)


def reboot(call: Call) -> int:
    """Ask a domain's system to shut down, and start it anew."""
    given, names = call.read({"wait": "w", "all": "a"}, most=1)
    return _end(call, given, names, reboots=True)


def rename(call: Call) -> int:
    """Give a domain another name."""
    _, (name, new) = call.read(least=2)
    check_unprivileged("rename", name)
    with app.open_context() as context:
        domain = find_any(context, name)
        if any(one.name == new for one in list_domains(context)):
            raise Conflict(f"Domain '{new}' already exists.")
        if new.isdigit() or not new.isprintable():
            raise InvalidInput(f"{new!r} is not a domain name", hint="use letters too")
        guest = rename_guest(context, domain.guest.name, guest_name(new))
        if domain.definition is not None:
            values = {**domain.definition.values, "name": new}
            keep_definition(
                context.home, guest, msgspec.structs.replace(domain.definition, values=values)
            )
    return 0


def delete(call: Call) -> int:
    """Remove a domain that does not run, with the disk that was made for it."""
    _, names = call.read(least=1)
    check_unprivileged("delete", names[0])
    with app.open_context() as context:
        domain = find_any(context, names[0])
        if domain.number is not None:
            raise WrongState(
                f"Domain is not halted: {domain.name}", hint=f"xm shutdown {domain.name}"
            )
        destroying.destroy(context, domain.guest.name)
    return 0


def _on_one(call: Call, verb: str, do: Callable[[Context, Domain], object]) -> int:
    _, names = call.read(least=1)
    check_unprivileged(verb, names[0])
    with app.open_context() as context:
        do(context, find(context, names[0]))
    return 0


def _end(call: Call, given: dict[str, str], names: list[str], *, reboots: bool) -> int:
    """End domains, and start them again if they are to reboot."""
    if bool(names) == ("all" in given):
        raise WrongUse(f"'xm {call.command}' requires a domain, or -a", call.command)
    what = "rebooted" if reboots else "terminated"
    if names:
        check_unprivileged(call.command, names[0])
    with app.open_context() as context:
        domains = [find(context, name) for name in names] or [
            one for one in list_domains(context) if one.number is not None
        ]
        for one in domains:
            if reboots:
                restart(context, one.guest.name, ready_seconds=None)
            else:
                stop(context, one.guest.name)
            if "wait" in given:
                output.say(f"Domain {one.name} {what}")
        list_domains(context)  # which numbers what was started anew
    if "wait" in given and "all" in given:
        output.say(f"All domains {what}")
    return 0
