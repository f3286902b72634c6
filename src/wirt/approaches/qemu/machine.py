"""What must be the same of two machines for one to go on from the memory of the other, as data."""

import msgspec

from wirt.model.limits import Limits
from wirt.units import KIB, MIB

LATEST = "q35"
"""Stands for the latest version of it that a QEMU has."""
_BLIND = 256 * KIB
"""Before version 9.0 a QEMU that emulates loses writes to memory that it is sending, if the whole is a multiple of so many bytes: it
looks at 64 pages at a time then which of them have changed, and forgets to watch for the next change of the same ones ("physmem: Fix
migration dirty bitmap coherency with TCG memory access", 03bfc2188f). Over there the guest's kernel finds its lists corrupted, or
nobody finds anything."""
ODD = 8 * KIB
"""Bytes more than was asked for, the fewest that QEMU takes: so it looks at one page at a time, and watches it again."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a machine that a guest's definition does not tell, or not as they were when it was started."""

    kind: str = LATEST
    """With its version: "pc-q35-7.2"."""
    cpus: int
    most_cpus: int
    """Places for processors that it has."""
    memory: int
    """Bytes, the balloon's among them, and the odd ones."""

    @property
    def given(self) -> int:
        """The bytes of memory that somebody asked for."""
        return given(self.memory)

    @property
    def is_tracked(self) -> bool:
        """Whether an emulator that runs it knows of every write to its memory while that is sent."""
        return self.memory % _BLIND != 0


def given(memory: int) -> int:
    """Return how many of a machine's bytes of memory somebody asked for."""
    return memory // MIB * MIB


def of_limits(limits: Limits, *, node_cpus: int, emulated: bool) -> Machine:
    """Return the machine that a guest is started on: with all the memory that it may ever have, and a place for every CPU."""
    return Machine(
        cpus=limits.cpus,
        most_cpus=max(limits.cpus, node_cpus),
        memory=max(limits.memory, limits.memory_max) + (ODD if emulated else 0),
    )
