"""Powers that few pools have: over what a guest may hold beyond its disk's size, and over the files on images."""

from typing import Protocol, runtime_checkable

from wirt.model.capability import Capability
from wirt.storage.base import Copying


@runtime_checkable
class Closable(Protocol):
    """A power of pools that can keep a root from growing, whatever its size."""

    def probe_closing(self, guest_id: str) -> Capability:
        """Ask whether this one's can."""
        ...

    def close(self, guest_id: str, soft: int) -> None:
        """Let a root have no more bytes than it has now, as long as those are more than ``soft``; again is no error.

        Raises:
            Failed: it could not be kept from it.
        """
        ...

    def reopen(self, guest_id: str, size: int) -> None:
        """Let a root of ``size`` bytes grow to that; no error if it may.

        Raises:
            Failed: it could not be let.
        """
        ...


@runtime_checkable
class CopiesImages(Copying, Protocol):
    """A power of pools that can copy roots which are images, and reach the files on them."""

    def probe_image_copies(self, root: str) -> Capability:
        """Ask whether this works here for images of a form."""
        ...

    def forget_identity(self, guest_id: str) -> list[str]:
        """Take out of an image, which nobody uses, what its guest is told from others by; return a line for each kind.

        Raises:
            Failed: it could not be.
        """
        ...
