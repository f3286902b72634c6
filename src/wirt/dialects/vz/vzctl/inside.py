"""``vzctl exec``, ``exec2``, ``enter``, ``console`` and ``runscript``: what runs in a container."""

from wirt import app
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.vzctl.call import Call
from wirt.errors import NotFound, WrongState
from wirt.host import attach
from wirt.model.guest import Guest
from wirt.model.lifecycle import State
from wirt.ops.console import console as join_console
from wirt.ops.context import Context
from wirt.ops.enter import enter as enter_guest
from wirt.ops.execute import execute as execute_in_guest
from wirt.ops.guests import observed
from wirt.ops.script import run_script as run_script_in_guest

_SHELL = 'if [ -x /bin/bash ]; then exec /bin/bash "$@"; else exec /bin/sh "$@"; fi'
"""vzctl gives a command to the container's bash, or to the shell that it has."""
SHELL = ["/bin/sh", "-c", _SHELL, "sh", "-s"]
"""What reads a script from its input in a container."""

_MOST_TERMINALS = 12
"""As many as vzctl has numbers for."""


def execute(call: Call) -> int:
    """Run a command in a container: ``exec`` says only whether it failed, ``exec2`` ends as it did.

    The words of the command are put together to a line for the container's shell, as vzctl does; ``exec3`` runs them as
    they are. A ``-`` alone lets the shell read its standard input.
    """
    if not call.arguments:
        raise Refused(Code.SYNTAX, "No command line given for exec")
    argv = list(call.arguments)
    if call.verb != "exec3":
        argv = ["/bin/sh", "-c", _SHELL, "sh", *_for_shell(argv)]
    with app.open_context() as context, ends_with(Code.NOT_RUNNING, WrongState):
        status = execute_in_guest(context, _running(context, call).name, argv)
    return status if call.verb != "exec" or status == 0 else Code.COMMAND_FAILED


def enter(call: Call) -> int:
    """Open a login shell in a container, or run a command there on this terminal."""
    option, *command = call.arguments or [""]
    if call.arguments and option != "--exec":
        raise Refused(Code.SYNTAX, f"Invalid option '{option}'")
    if call.arguments and not command:
        raise Refused(Code.SYNTAX, "No command line given for --exec")
    with app.open_context() as context, ends_with(Code.NOT_RUNNING, WrongState):
        guest = _running(context, call)
        if command:
            return execute_in_guest(context, guest.name, command)
        number = ctid.ctid_of(guest)
        short = "CT" if call.words.ctid == "CTID" else "VPS"
        call.tell(f"entered into {short} {number}")
        status = enter_guest(context, guest.name)
        call.tell(f"exited from {short} {number}")
    return status


def console(call: Call) -> int:
    """Open a login in a container: each has a terminal of its own, whatever number was asked for."""
    if len(call.arguments) > 1:
        raise Refused(Code.SYNTAX, "Invalid syntax: too many parameters!")
    for number in call.arguments:
        if not (number.isdecimal() and 1 <= int(number) <= _MOST_TERMINALS):
            raise Refused(Code.VALUE, f"Invalid tty number: {number}")
    with app.open_context() as context, ends_with(Code.NOT_RUNNING, WrongState):
        join_console(
            context,
            _running(context, call).name,
            joined=lambda: call.tell(f"Attached to CT {call.ctid} (ESC . to detach)"),
            escape=attach.VZ_ESCAPE,
        )
    return Code.OK


def run_script(call: Call) -> int:
    """Run a script of the node in a container; one that does not run is started for it and stopped again."""
    if len(call.arguments) != 1:
        raise Refused(
            Code.SYNTAX,
            "Script file name missing" if not call.arguments else "Invalid syntax: one script",
        )
    with app.open_context() as context, ends_with(Code.NOT_RUNNING, WrongState):
        name = ctid.find(context, call.ctid).name
        try:
            return run_script_in_guest(context, name, call.arguments[0], shell=SHELL)
        except NotFound:
            raise Refused(Code.NO_SCRIPT, f"Script not found: {call.arguments[0]}") from None


def _for_shell(words: list[str]) -> list[str]:
    if words == ["-"]:
        return ["-s"]
    return ["-c", " ".join(word or "''" for word in words)]


def _running(context: Context, call: Call) -> Guest:
    """Return the container, which must run or be frozen: what that is good for the verbs know.

    Raises:
        Refused: it does not, in vzctl's words.
    """
    guest = observed(context, ctid.find(context, call.ctid))
    if guest.state in (State.STOPPED, State.MOUNTED):
        raise Refused(Code.NOT_RUNNING, f"{call.words.capital} is not running")
    return guest
