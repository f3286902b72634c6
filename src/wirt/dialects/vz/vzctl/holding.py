"""A guest brought to what its file says: ``set`` for the keys that it changes, ``start`` for all."""

from collections.abc import Collection, Mapping
from typing import Any

from wirt.dialects.vz import settings
from wirt.dialects.vz.codes import Code, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.naming import NamesRequest
from wirt.ops.set import SetRequest, set_limits

_LIMITS: Mapping[str, Code] = {
    "memory": Code.BEANCOUNTERS,
    "processes": Code.BEANCOUNTERS,
    "cpus": Code.CPU,
    "cpu_weight": Code.CPU,
    "cpu_pin": Code.CPU,
    "disk": Code.QUOTA_LIMIT,
}
"""What is held to, in this order, and what vzctl ends with when that fails."""
_NAMES = dict(zip(settings.NAMING, ("hostname", "dns", "search"), strict=True))


def hold_to(context: Context, guest: Guest, config: ConfigFile, keys: Collection[str]) -> None:
    """Give a guest the names and limits that follow from keys of its file, where it has others.

    Raises:
        Refused: one cannot be, with the status for it; what came before it is changed.
    """
    wanted, had = settings.naming_of(config, guest.naming), guest.naming
    for key, field in _NAMES.items():
        value = getattr(wanted, field)
        if key in keys and value != getattr(had, field):
            # What is None would stay as it is.
            change: dict[str, Any] = {field: "" if value is None else value}
            with ends_with(settings.NAMING[key]):
                request = SetRequest(names=NamesRequest(**change))
                set_limits(context, guest.name, request)
    limits = settings.limits_of(config, guest.limits)
    for field, code in _LIMITS.items():
        value = getattr(limits, field)
        if set(settings.LIMITING[field]) & set(keys) and value != getattr(guest.limits, field):
            with ends_with(code):
                set_limits(context, guest.name, SetRequest(**{field: value}))
