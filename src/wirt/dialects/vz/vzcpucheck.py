"""``vzcpucheck``: how many of the node's CPU units the running containers have been given.

OpenVZ took a processor's power from the kernel's BogoMIPS, which say nothing of today's processors. Here each has as many
units as ``vz.conf`` says (CPUPOWER), so that a container of that many is promised one.
"""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program, settings
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.options import read_options
from wirt.errors import Error, InvalidInput
from wirt.ops.guests import observed

USAGE = "Usage: vzcpucheck [-v] [--compat=2006]"
POWER = 100_000
"""Units of a processor, if ``vz.conf`` does not say."""
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
        ours = conf.read_global(context.home)
        power = context.cpus * _number(ours, "CPUPOWER", POWER)
        units = {
            ctid.ctid_of(guest): settings.units_of(guest.limits)
            for guest in context.store.guests()
            if observed(context, guest).state.is_up
        }
    reserved = _number(ours, "VE0CPUUNITS", 0)
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


def _number(config: ConfigFile, key: str, otherwise: int) -> int:
    text = config.get(key)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{key} in vz.conf is {text!r}", hint="write a whole number")
    return int(text)
