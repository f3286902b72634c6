"""What a guest may use."""

import msgspec

from wirt.errors import InvalidInput
from wirt.units import GIB, MIB, render_bytes

SMALLEST_DISK = 64 * MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Processors, memory and disk of a guest; memory and disk in bytes."""

    cpus: int = 1
    memory: int = 512 * MIB
    disk: int = 4 * GIB


def check_limits(limits: Limits, *, smallest_memory: int, node_cpus: int) -> None:
    """Check that a guest with these limits can start on this node.

    Raises:
        InvalidInput: a limit is too small to boot, or more than the node has.
    """
    if not 1 <= limits.cpus <= node_cpus:
        raise InvalidInput(
            f"{limits.cpus} CPUs cannot be given",
            hint=f"this node has {node_cpus}; ask for 1 to {node_cpus}",
        )
    if limits.memory < smallest_memory:
        raise InvalidInput(
            f"{render_bytes(limits.memory)} of memory are too little to boot",
            hint=f"give at least {render_bytes(smallest_memory)}",
        )
    if limits.disk < SMALLEST_DISK:
        raise InvalidInput(
            f"a disk of {render_bytes(limits.disk)} is too small",
            hint=f"give at least {render_bytes(SMALLEST_DISK)}",
        )
