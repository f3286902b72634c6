"""What must be the same of two machines for one to go on from the memory of the other, as data."""

import msgspec

from wirt.model.limits import Limits

LATEST = "q35"
"""Stands for the latest version of it that a QEMU has."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a machine that a guest's definition does not tell, or not as they were when it was started."""

    kind: str = LATEST
    """With its version: "pc-q35-7.2"."""
    cpus: int
    most_cpus: int
    """Places for processors that it has."""
    memory: int
    """Bytes, the balloon's among them."""


def of_limits(limits: Limits, *, node_cpus: int) -> Machine:
    """Return the machine that a guest is started on: with all the memory that it may ever have, and a place for every CPU."""
    return Machine(
        cpus=limits.cpus,
        most_cpus=max(limits.cpus, node_cpus),
        memory=max(limits.memory, limits.memory_max),
    )
