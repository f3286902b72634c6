"""The power of approaches whose guests are beside the node's own system, above a hypervisor, and not above that system."""

from typing import Protocol, runtime_checkable

import msgspec


class MachineSize(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has."""

    processors: tuple[int, ...]
    """Their numbers."""
    memory: int
    """Bytes."""


@runtime_checkable
class OnHypervisor(Protocol):
    """Guests share the machine with the node's own system, which sees its own part of it and no more."""

    def ask_machine(self) -> MachineSize:
        """Ask what the whole machine has.

        Raises:
            Failed, TimedOut: nobody says.
        """
        ...
