"""The power of approaches to tell how busy a guest is; see ``base`` for the port itself."""

from typing import Protocol, runtime_checkable

from wirt.model.launch import Place


@runtime_checkable
class HasLoad(Protocol):
    """A power of approaches whose guests' threads can be told from all others of the node."""

    def count_active(self, place: Place) -> int | None:
        """Return how many threads of a running guest run, want to, or wait for a disk; None if it has ended."""
        ...
