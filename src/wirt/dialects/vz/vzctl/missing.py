"""What vzctl has and no part of Wirt can do yet: said so, with the status that vzctl ends with when it fails."""

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.vzctl.call import Call

_WHY = {
    "convert": (Code.PLOOP, "a container's root cannot become a ploop image"),
    "quotaon": (Code.QUOTA_ON, "a disk quota is part of the pool and always on"),
    "quotaoff": (Code.QUOTA_OFF, "a disk quota is part of the pool and always on"),
    "quotainit": (Code.QUOTA_INIT, "a disk quota is part of the pool and always on"),
}


def compact(call: Call) -> int:
    """Say that there is nothing to be compacted, which is no failure."""
    call.no_options()
    with app.open_context() as context:
        ctid.find(context, call.ctid)
    output.note("Compact only makes sense for ploop containers")
    return Code.OK


def refuse(call: Call) -> int:
    """Say why it cannot be done, of a container that is there."""
    if call.verb != "convert":
        call.no_options()
    with app.open_context() as context:
        ctid.find(context, call.ctid)
    code, why = _WHY[call.verb]
    raise Refused(code, f"{call.verb} cannot be done: {why}")
