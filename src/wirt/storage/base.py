"""The port that every kind of pool is behind: where the roots of guests live.

A pool gets the path of a template's form (made by ``storage/templates.py``) and makes a copy-on-write root of it in
constant time, whatever the template's size. Every method can be called again after a crash: making what is there and
removing what is gone are no errors.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol, runtime_checkable

import msgspec

from wirt.model.capability import Capability
from wirt.model.disk import DiskImage
from wirt.model.presence import Presence
from wirt.model.resources import DiskUsage, Idmap, Root
from wirt.model.template import Template, TemplateSpec


class Pool(Protocol):
    """One place where roots live."""

    name: str
    forms: Mapping[str, str]
    """The forms of root it can hand over ("tree", "qcow2", "ubd"), and for each the form of the template that it clones
    from ("tree", "btrfs" or "image")."""
    forms_in: str | None
    """Directory, on its own file system, that it wants the forms of templates in; None: it takes them where they are."""

    def probe_capability(self) -> Capability:
        """Ask the node whether this pool works here."""
        ...

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Make the guest's copy-on-write root from a template's form.

        Args:
            form_path: the template's unpacked tree, subvolume or raw image.
            guest_id: whose root it becomes.
            root: the form of root the guest's approach needs.
            size: bytes of the guest's disk; a pool that cannot bound a tree says so in its capability.
        """
        ...

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> Root:
        """Make the root usable by an approach (mount a tree) and return it."""
        ...

    def detach(self, guest_id: str) -> None:
        """Undo ``attach``; no error if it is not attached."""
        ...

    def remove(self, guest_id: str) -> None:
        """Delete the guest's root; no error if there is none."""
        ...

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's root is there."""
        ...

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel whether the guest's root is mounted."""
        ...

    def place(self, guest_id: str) -> str:
        """Return the directory that all there is of the guest's root is below, mounted or not."""
        ...

    def list_guests(self) -> list[str]:
        """Return the ids of all guests with a root here."""
        ...


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a pool lies on: how to make it, how to take it away, and whether it is there."""

    name: str
    make: Callable[[], None]
    take_away: Callable[[], None]
    probe: Callable[[], Presence]


class Ground(Protocol):
    """What a pool that a person makes lies on."""

    def check_new(self, *, force: bool) -> None:
        """Check that it can be made; changes nothing.

        Args:
            force: True to use a device that holds something.

        Raises:
            InvalidInput, NotFound, Conflict, OutOfSpace, Failed: it cannot; says why.
        """
        ...

    def parts(self) -> Sequence[Part]:
        """Return what it is made of, the first at the bottom."""
        ...

    def is_open(self) -> bool:
        """Return whether it can be used as it is."""
        ...

    def open(self) -> None:
        """Make it usable if it is not, as after a reboot.

        Raises:
            Failed: it cannot be: its disk is not there.
        """
        ...

    def free_bytes(self) -> int:
        """Return the bytes that may still be written to what lies on it, which is open."""
        ...


class Snapshots(Protocol):
    """What the roots of a pool were at one time, kept and gone back to.

    A snapshot is whole or not there. Going back is in two parts: what may take long and can fail for want of space is
    prepared beside the root and can be given up; the rest is renames, can be done again after a crash, and needs no space.
    """

    instant: bool
    """True if a snapshot of a root in use is of one instant; else its guest may not write to it meanwhile."""

    def take(self, guest_id: str, name: str) -> None:
        """Keep the guest's root as it is now; no error if there is a snapshot of that name, which then stays.

        Raises:
            OutOfSpace, Failed: it could not be; what there is of it ``delete`` takes away.
        """
        ...

    def delete(self, guest_id: str, name: str) -> None:
        """Delete a snapshot, or what there is of one; no error if there is none."""
        ...

    def probe(self, guest_id: str, name: str) -> Presence:
        """Ask whether the snapshot is there."""
        ...

    def measure(self, guest_id: str, name: str) -> int:
        """Return the bytes of the disk that would be free without the snapshot."""
        ...

    def attach(self, form_path: str, guest_id: str, name: str) -> str:
        """Show the snapshot, to be read only, and return where.

        Raises:
            Unsupported: it holds nothing that the node can look into.
        """
        ...

    def detach(self, guest_id: str, name: str) -> None:
        """Undo ``attach``; no error if it is not attached."""
        ...

    def find_attached(self, guest_id: str, name: str) -> str | None:
        """Return where the snapshot is shown, None if nowhere: the kernel is asked."""
        ...

    def prepare_restore(self, guest_id: str, name: str, size: int) -> None:
        """Make a root of the snapshot beside the guest's, bounded to ``size`` bytes; the guest may go on meanwhile.

        Raises:
            OutOfSpace, Failed: it could not be; what there is of it ``cancel_restore`` takes away.
        """
        ...

    def cancel_restore(self, guest_id: str) -> None:
        """Delete what ``prepare_restore`` made; no error if there is nothing."""
        ...

    def finish_restore(self, guest_id: str) -> None:
        """Put what was prepared in the place of the guest's root, which is not attached; no error if that is done."""
        ...


@runtime_checkable
class HasSnapshots(Protocol):
    """A power of pools that can keep what a root was at one time."""

    def snapshots(self) -> Snapshots:
        """Return the keeper of the pool's snapshots."""
        ...


@runtime_checkable
class TakesImages(Protocol):
    """A power of pools whose roots can be whole disks, which rest on no template; ``attach`` gets "" for its form then."""

    def take_image(self, image: DiskImage | None, guest_id: str, *, root: str, size: int) -> None:
        """Make a guest's root of an image, or an empty one; no error if it is there.

        Args:
            image: what it holds, which has been looked at; None: nothing.
            guest_id: whose root it becomes.
            root: the form of root the guest's approach needs.
            size: bytes of the disk.

        Raises:
            Corrupt, OutOfSpace, Failed: it could not be; what there is of it ``remove`` takes away.
        """
        ...


class Disks(Protocol):
    """Further disks of a pool's guests, made empty, each of one guest; to remove a guest's root removes them too."""

    format: str
    """"raw" or "qcow2": what an engine is told that they are in."""

    def make(self, guest_id: str, name: str, size: int) -> None:
        """Make an empty disk of that many bytes; no error if it is there.

        Raises:
            OutOfSpace, Failed: it could not be; what there is of it ``remove`` takes away.
        """
        ...

    def grow(self, guest_id: str, name: str, size: int) -> None:
        """Make a disk that large; no error if it is.

        Raises:
            OutOfSpace, Failed: it is as before.
        """
        ...

    def remove(self, guest_id: str, name: str) -> None:
        """Delete a disk with what is on it; no error if there is none."""
        ...

    def probe(self, guest_id: str, name: str) -> Presence:
        """Ask whether the disk is there."""
        ...

    def path(self, guest_id: str, name: str) -> str:
        """Return the path by which an engine opens the disk."""
        ...


@runtime_checkable
class HoldsDisks(Protocol):
    """A power of pools that guests can have further disks in."""

    def disks(self) -> Disks:
        """Return the keeper of the disks."""
        ...


@runtime_checkable
class Resizable(Protocol):
    """A power of pools that can give a root another size."""

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Ask whether the root can be given that size now, as it is attached or not."""
        ...

    def resize(self, guest_id: str, size: int) -> None:
        """Bound the root to ``size`` bytes; no error if it is already.

        Raises:
            OutOfSpace: what it holds does not fit, or there is no room to change it; it is as before.
            Failed: it could not be; it is as before.
        """
        ...


@runtime_checkable
class MeasuresRoots(Protocol):
    """A power of pools that know how much a root holds, without looking through it."""

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Return how much of its disk the guest uses, None if that cannot be known now."""
        ...


@runtime_checkable
class Copying(Protocol):
    """A power of pools that can make a guest's root of another guest's."""

    instant_copy: bool
    """True if the copy of a root in use is of one instant; else nobody may write to it meanwhile."""

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Make a guest's root of what another guest's is now, its snapshots left out.

        Args:
            source_id: whose root is copied; its guest may run, or be held still.
            guest_id: whose root it becomes.
            size: bytes of the disk, which are the other's too.

        Raises:
            OutOfSpace, Failed: it could not be; what there is of it ``remove`` takes away.
        """
        ...


@runtime_checkable
class Portable(Protocol):
    """A power of pools whose roots can go to a pool of the same kind on another node."""

    def parts(self, guest_id: str) -> Sequence[str]:
        """Return what of a root goes along, as paths below its place; a directory ends with "/"."""
        ...

    def write_out(self, guest_id: str) -> None:
        """Have what a running guest has written lie in its parts."""
        ...

    def adopt(self, form_path: str, guest_id: str) -> None:
        """Let a root that came from another node rest on this one's form of its template; again is no error."""
        ...


@runtime_checkable
class Showing(Protocol):
    """A power of pools whose roots are trees: to show one as it lies on disk, be its guest stopped or frozen."""

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount a guest's root at a directory, for reading alone, with the ids that the guest sees.

        Args:
            form_path: what it was cloned from.
            guest_id: whose root.
            target: where; to unmount it, with all that may lie one above the other there, is the caller's.
        """
        ...


class Packages(Protocol):
    """Where packages for guests come from."""

    def fetch(self, status: bytes, release: bytes, wanted: Sequence[str], into: str) -> list[str]:
        """Fetch what a root lacks of packages into a directory, and return the names of the files.

        Args:
            status: the root's ``/var/lib/dpkg/status``.
            release: the root's os-release.
            wanted: the packages; none: whatever of the root can be upgraded.
            into: the directory.

        Raises:
            InvalidInput, Unsupported, Failed: they cannot be had; says why.
        """
        ...

    def outdated(self, status: bytes, release: bytes) -> list[str]:
        """Return the names of the files that a root's packages could be upgraded with.

        Raises:
            Unsupported, Failed: that cannot be found out; says why.
        """
        ...


class Templates(Protocol):
    """The built templates of a home."""

    def clean_up(self) -> None:
        """Remove what dead makers left that looks like no template; what living ones are at stays."""
        ...

    def get(self, name: str) -> Template:
        """Return a built template.

        Raises:
            NotFound: there is none of that name.
        """
        ...

    def list(self) -> Sequence[Template]:
        """Return all built templates by name."""
        ...

    def build(self, spec: TemplateSpec, *, progress: Callable[[str], None]) -> Template:
        """Build a template from its metadata and return it.

        Raises:
            Conflict: there is a template of that name.
            Busy: it is being built.
            Unsupported, OutOfSpace, Failed: it could not be built; nothing is left of it.
        """
        ...

    def update(self, spec: TemplateSpec, *, progress: Callable[[str], None]) -> Template:
        """Build a template anew, make that its current version and return it; guests keep theirs.

        Raises:
            NotFound, Busy, Unsupported, OutOfSpace, Failed: the version before is the current one.
        """
        ...

    def remove_unused(self, name: str, *, used: Collection[str]) -> None:
        """Delete the versions of a template that are not current and whose checksum is not among the used."""
        ...

    def import_root(
        self,
        path: str,
        name: str,
        *,
        image: str | None = None,
        skip_devices: bool = False,
        progress: Callable[[str], None] = ...,
    ) -> Template:
        """Make a template of the root file system in a tar or an OCI image layout and return it.

        Raises:
            Conflict, Busy, OutOfSpace: as ``build``.
            NotFound, InvalidInput: there is no such file, or it is refused.
        """
        ...

    def take_tree(
        self,
        root: str | IO[bytes],
        name: str,
        *,
        origin: str,
        of_machine: bool = False,
        progress: Callable[[str], None],
    ) -> Template:
        """Make a template of a root without what is that one guest's or machine's, and return it.

        Args:
            root: its directory, which nobody changes meanwhile, or the plain tar of it.
            name: what the template is called.
            origin: what the root is called in messages: "guest web-1".
            of_machine: True if it is that of a machine with disks and cards of its own.
            progress: is told what was put right.

        Raises:
            Conflict, Busy, OutOfSpace: as ``build``.
            InvalidInput: something in it cannot be part of a template.
        """
        ...

    def export(self, name: str, path: str) -> Template:
        """Write the packed root to ``path`` and its checksum beside it, and return the template.

        Raises:
            NotFound, Corrupt, Conflict, OutOfSpace, NotPermitted, Failed: neither was written.
        """
        ...

    def find(self, name: str, sha256: str) -> str | None:
        """Return the directory of one version of a template, None if it is not there."""
        ...

    def arriving(self, name: str) -> AbstractContextManager[str]:
        """Give the directory that a template from another node is put into; what has not been adopted of it goes.

        Raises:
            Busy: it is being made.
        """
        ...

    def adopt(self, work: str, name: str, sha256: str) -> None:
        """Make a template of what has come into the directory of ``arriving``, beside another version if there is one.

        Raises:
            Corrupt: it is not what was announced.
        """
        ...

    def remove(self, name: str, *, used_by: Sequence[str] = ()) -> None:
        """Delete a template that no guest uses.

        Raises:
            NotFound, WrongState, Busy: nothing was changed.
        """
        ...

    def path_of_form(
        self, name: str, form: str, *, sha256: str | None = None, within: str | None = None
    ) -> str:
        """Return where a form of the template is, and make it if it is not there yet.

        Args:
            name: the template.
            form: "tree", "btrfs", "image" or "boot".
            sha256: which version of it; None: the current one.
            within: a directory of a pool's to have it in; None: with the template.
        """
        ...

    def remove_unknown_forms(self, within: str) -> None:
        """Delete the forms in a directory of a pool's that are of no template that there is."""
        ...
