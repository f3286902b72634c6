"""What vzctl has and no part of Wirt can do yet: said so, with the status that vzctl ends with when it fails."""

from wirt import app
from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.vzctl.call import Call

_WHY = {
    "compact": (Code.PLOOP, "a container's root is no ploop image"),
    "convert": (Code.PLOOP, "a container's root cannot become a ploop image"),
    "quotaon": (Code.QUOTA_ON, "a disk quota is part of the pool and always on"),
    "quotaoff": (Code.QUOTA_OFF, "a disk quota is part of the pool and always on"),
    "quotainit": (Code.QUOTA_INIT, "a disk quota is part of the pool and always on"),
}


def refuse(call: Call) -> int:
    """Say why it cannot be done, of a container that is there."""
    with app.open_context() as context:
        ctid.find(context, call.ctid)
    code, why = _WHY[call.verb]
    raise Refused(code, f"{call.verb} cannot be done: {why}")
