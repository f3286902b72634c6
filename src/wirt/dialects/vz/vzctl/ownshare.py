"""``vzctl set 0``: what the node keeps for itself, CT0 as vzctl calls it."""

from collections.abc import Sequence

from wirt.dialects.vz import conf, settings
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.power import power_of
from wirt.dialects.vz.vzctl.call import Call
from wirt.ops.context import Context
from wirt.ops.node import reserve_cpus

CTID = 0
_CODES = {"ioprio": Code.IO, **dict.fromkeys((*settings.UBC, "reset_ub"), Code.BEANCOUNTERS)}
"""What vzctl does for the node too, and ends with when it cannot."""


def set_node(call: Call, context: Context, options: Sequence[tuple[str, str]]) -> int:
    """Keep as many CPU units from being promised to containers as are asked for.

    Raises:
        Refused: something else is asked for, or it is not to be kept.
    """
    given = dict(options)
    for option in given:
        if option not in ("cpuunits", "save", "force"):
            raise Refused(
                _CODES.get(option, Code.VALUE),
                f"--{option} cannot be done: nothing here holds the node itself to it",
                hint="of CT0, give --cpuunits",
            )
    if "cpuunits" not in given:
        return Code.OK
    keys = settings.values_of("cpuunits", given["cpuunits"], unlimited=call.words.unlimited)
    if "save" not in given:
        raise Refused(
            Code.CPU,
            "Unable to apply parameters: what the node keeps for itself is kept for good",
            hint="pass --save",
        )
    reserve_cpus(context, 100 * int(keys["CPUUNITS"]) / power_of(context))
    call.tell(f"Setting CPU units: {keys['CPUUNITS']}")
    config = conf.read_config(context.home, CTID).replace("CPUUNITS", keys["CPUUNITS"])
    path = conf.write_config(context.home, CTID, config)
    call.tell(call.words.saved(CTID, path))
    return Code.OK
