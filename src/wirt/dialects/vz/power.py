"""How many CPU units the node has, as ``vz.conf`` says.

OpenVZ took a processor's power from the kernel's BogoMIPS, which say nothing of today's processors. Here each has as many
units as ``vz.conf`` says (CPUPOWER), so that a container of that many is promised one.
"""

from wirt.dialects.vz import conf
from wirt.dialects.vz.configfile import ConfigFile
from wirt.errors import InvalidInput
from wirt.ops.context import Context

POWER = 100_000
"""Units of a processor, if ``vz.conf`` does not say."""


def power_of(context: Context) -> int:
    """Return the units of all processors together.

    Raises:
        InvalidInput: ``vz.conf`` says something else than a number.
    """
    return context.cpus * _number(conf.read_global(context.home), "CPUPOWER", POWER)


def own_units(context: Context) -> int:
    """Return the units that the node keeps for itself: those of CT0, or VE0CPUUNITS of ``vz.conf``; 0: none.

    Raises:
        InvalidInput: they are no number.
    """
    ours = conf.read_config(context.home, 0)
    if ours.get("CPUUNITS") is not None:
        return _number(ours, "CPUUNITS", 0, file="0.conf")
    return _number(conf.read_global(context.home), "VE0CPUUNITS", 0)


def _number(config: ConfigFile, key: str, otherwise: int, *, file: str = "vz.conf") -> int:
    text = config.get(key)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{key} in {file} is {text!r}", hint="write a whole number")
    return int(text)
