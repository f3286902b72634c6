"""A power of approaches that may know what of a running guest's memory has changed: the port of it, beside ``base``."""

from typing import Protocol, runtime_checkable

from wirt.model.capability import Capability
from wirt.model.launch import Place


@runtime_checkable
class KnowsTracking(Protocol):
    """A power of approaches that can say whether it is known what changes in their guests, and why it is not."""

    def probe_tracking(self) -> Capability:
        """Ask the node whether it knows what changes; changes nothing. Else all is written, always."""
        ...


@runtime_checkable
class TracksMemory(KnowsTracking, Protocol):
    """A power of approaches that may know what of a running guest's memory has changed since it was written the last time.

    So a checkpoint after one that the guest has gone on from is written in less time, and so is one after ``write_ahead``.
    """

    def tracks(self, place: Place) -> Capability:
        """Say whether it is known what changes in a running guest; quick, and changes nothing."""
        ...

    def write_ahead(self, place: Place, directory: str) -> None:
        """Write what a running guest's memory holds, or what has changed since this was done last, while the guest runs.

        A ``checkpoint`` into the same directory writes only what has changed since then, if all of this is still there.

        Args:
            place: where the guest's traces are.
            directory: an empty one, or that of the last time. What is in it nobody writes to any more.

        Raises:
            Failed: it could not be written; the guest goes on, and some of it may be there. If we die meanwhile, it does at
                the latest with ``cancel_checkpoint``.
        """
        ...
