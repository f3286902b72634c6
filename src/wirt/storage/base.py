"""The port that every kind of pool is behind: where the roots of guests live.

A pool gets the path of a template's form (made by ``storage/templates.py``) and makes a copy-on-write root of it in
constant time, whatever the template's size. Every method can be called again after a crash: making what is there and
removing what is gone are no errors.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from wirt.model.capability import Capability
from wirt.model.presence import Presence
from wirt.model.resources import Idmap, Root
from wirt.model.template import Template, TemplateSpec


class Pool(Protocol):
    """One place where roots live."""

    name: str
    roots: frozenset[str]
    """The forms of root it can hand over: "tree", "qcow2", "ubd"."""
    form: str
    """The template form it clones from: "tree", "btrfs" or "image"."""

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

    def list_guests(self) -> list[str]:
        """Return the ids of all guests with a root here."""
        ...


class Templates(Protocol):
    """The built templates of a home."""

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

    def remove(self, name: str, *, used_by: Sequence[str] = ()) -> None:
        """Delete a template that no guest uses.

        Raises:
            NotFound, WrongState, Busy: nothing was changed.
        """
        ...

    def path_of_form(self, name: str, form: str) -> str:
        """Return where a form of the template is, and make it if it is not there yet.

        Args:
            name: the template.
            form: "tree", "btrfs", "image" or "boot".
        """
        ...
