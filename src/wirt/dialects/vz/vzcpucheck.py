"""``vzcpucheck``: how many of the node's CPU units the running containers have been given."""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid, program, settings
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.options import read_options
from wirt.dialects.vz.power import own_units, power_of
from wirt.errors import Error, InvalidInput
from wirt.ops.guests import observed

USAGE = "Usage: vzcpucheck [-v] [--compat=2006]"
BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=_code)


def _code(error: Error) -> int:
    return BAD_USAGE if isinstance(error, (InvalidInput, Refused)) else 1


def _run(arguments: list[str]) -> int:
    options, rest = read_options(
        arguments, ["v", "help"], ["compat"], short={"-v": "v", "-h": "help"}
    )
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if rest:
        raise InvalidInput(f"{rest[0]} is not understood", hint=USAGE)
    is_2006 = program.is_2006(given.get("compat"))
    with app.open_context() as context:
        power, reserved = power_of(context), own_units(context)
        units = {
            ctid.ctid_of(guest): settings.units_of(guest.limits)
            for guest in context.store.guests()
            if observed(context, guest).state.is_up
        }
    if reserved:
        units[0] = reserved
    if "v" in given:
        output.say("vpsid\t\tunits" if is_2006 else "VEID\t\tCPUUNITS")
        output.say("-" * (23 if is_2006 else 25))
        for number, count in sorted(units.items()):
            output.say(f"{number}\t\t{count}")
    used = sum(units.values())
    output.say(f"Current CPU utilization: {used}")
    output.say(f"Power of the node: {power}")
    if used > power:
        output.say(f"Warning: hardware node is {'overcommited' if is_2006 else 'overcommitted'}")
    return Code.OK
