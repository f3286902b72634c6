"""``xm mem-set`` and ``mem-max``."""

import re

from wirt import app
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.domains import find, is_privileged
from wirt.errors import InvalidInput, Unsupported
from wirt.ops.set import SetRequest, set_limits
from wirt.units import MIB

_AMOUNT = re.compile(r"(\d{1,15})([kmgKMG]?)")
_SHIFTS = {"k": 10, "m": 20, "g": 30, "": 20}


def set_memory(call: Call) -> int:
    """Give a running domain more or less memory: by its balloon, where its machine has one."""
    name, size = _read(call)
    with app.open_context() as context:
        set_limits(context, find(context, name).guest.name, SetRequest(memory=size))
    return 0


def set_most(call: Call) -> int:
    """Say what a domain may have at most; its machine was made for what it has at most now."""
    name, size = _read(call)
    with app.open_context() as context:
        domain = find(context, name)
        limits = domain.guest.limits
        if size != (limits.memory_max or limits.memory):
            set_limits(context, domain.guest.name, SetRequest(memory_max=size))
    return 0


def parse_amount(text: str) -> int:
    """Return an amount of memory in bytes: MiB unless k, m or g stands behind it.

    Raises:
        InvalidInput: it is none.
    """
    match = _AMOUNT.fullmatch(text)
    size = int(match[1]) << _SHIFTS[match[2].lower()] if match else 0
    if size < MIB:
        raise InvalidInput(f"Invalid argument: {text}", hint="give MiB, such as 256, or 1g")
    return size


def _read(call: Call) -> tuple[str, int]:
    _, (name, amount) = call.read(least=2)
    size = parse_amount(amount)
    if is_privileged(name):
        raise Unsupported(
            "the memory of Domain-0 cannot be set: it is the node's, whose kernel gives to domains what "
            "they use and takes the rest back"
        )
    return name, size
