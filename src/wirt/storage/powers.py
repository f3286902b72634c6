"""Powers that few pools have: over what a guest may hold beyond its disk's size, and over the files on images."""

from typing import Protocol, runtime_checkable

from wirt.model.capability import Capability
from wirt.storage.base import Copying, Snapshots


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
class BoundsInodes(Protocol):
    """A power of pools that can bound how many inodes a root has, whatever its size."""

    def clone_with_inodes(
        self, form_path: str, guest_id: str, *, root: str, size: int, inodes: int
    ) -> None:
        """Clone as ``Pool.clone`` does, on a file system that has so many inodes at least."""
        ...

    def most_inodes(self, guest_id: str) -> int | None:
        """Return how many a root that is there can have, None if they are not the pool's affair."""
        ...

    def hold_inodes(self, guest_id: str, inodes: int) -> None:
        """Let a mounted root have that many inodes, UNBOUNDED all there are; if it has more, no more than it has.

        Again is no error; of one that is not mounted nothing is changed.

        Raises:
            Failed: it could not be.
        """
        ...


@runtime_checkable
class CountsUsers(Protocol):
    """A power of pools that can hold the users and groups of a tree to quotas."""

    def probe_users(self, root: str) -> Capability:
        """Ask whether they can on this node, those of roots of a form."""
        ...

    def count_users(self, guest_id: str, *, on: bool) -> None:
        """Have what users and groups of a tree hold counted from when it is mounted next, or not; if it is, no error.

        Raises:
            Unsupported: this node's kernel could not mount it then.
            OutOfSpace, Failed: it is as before.
        """
        ...

    def counted_at(self, guest_id: str) -> str | None:
        """Return where the file system of a tree is mounted that counts, None if it is not, or does not count."""
        ...


@runtime_checkable
class KeepsDisks(Snapshots, Protocol):
    """A power of keepers of snapshots that can keep a guest's further disks in the pool with its root, and go back to all of it."""

    def take_with_disks(self, guest_id: str, name: str) -> None:
        """Keep root and disks as they are now; as ``take``."""
        ...


@runtime_checkable
class BoundsTrees(Protocol):
    """A power of pools that can hold a tree to its size."""

    def probe_bound(self) -> Capability:
        """Ask whether they do on this node."""
        ...


@runtime_checkable
class CountsTemplates(Protocol):
    """A power of pools whose trees have their template's files within their own size."""

    def counts_templates(self) -> bool:
        """Return whether they do on this node."""
        ...


@runtime_checkable
class BoundsImages(Protocol):
    """A power of pools some of whose images cannot be larger than what they are a layer on."""

    def most_bytes(self, root: str, image: int) -> int | None:
        """Return the most bytes that a root of a form can have above a template's image; None: any number."""
        ...


@runtime_checkable
class Travelling(Protocol):
    """A power of keepers whose snapshots can go along to a pool of the same kind on another node."""

    def part(self, guest_id: str, name: str) -> str:
        """Return what of a snapshot goes along, as a path below the guest's place; a directory ends with "/"."""
        ...

    def await_copy(self, guest_id: str, name: str) -> str:
        """Return where, likewise, one is put that comes: a copy of the root is there, which it differs little from.

        Raises:
            OutOfSpace, Failed: there could be no such copy; what there is of it ``delete`` takes away.
        """
        ...

    def take_copy(self, form_path: str, guest_id: str, name: str) -> None:
        """Let what has been put there be the snapshot, resting on this node's form of the template."""
        ...


@runtime_checkable
class CopiesImages(Copying, Protocol):
    """A power of pools that can copy roots which are images, and reach the files on them."""

    def probe_image_copies(self, root: str) -> Capability:
        """Ask whether this works here for images of a form."""
        ...

    def forget_identity(self, form_path: str, guest_id: str) -> list[str]:
        """Take out of an image, which nobody uses, what its guest is told from others by; return a line for each kind.

        Raises:
            Failed: it could not be.
        """
        ...
