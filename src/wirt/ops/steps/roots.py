"""What a guest's root can be made to be: there, copied, shown, kept, restored and of another size."""

import os
from collections.abc import Callable

import msgspec

from wirt.errors import Unsupported
from wirt.model.capability import Capability, no, yes
from wirt.model.disk import DiskImage
from wirt.model.guest import Guest
from wirt.model.ids import idmap_of
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Root, RootTree
from wirt.ops import inodes
from wirt.ops.context import Context
from wirt.ops.steps.step import Step
from wirt.storage.base import Copying, HasSnapshots, Resizable, Showing, Snapshots, TakesImages
from wirt.storage.powers import BoundsInodes, BoundsTrees, CopiesImages, CountsUsers
from wirt.units import UNBOUNDED


class RootSteps:
    """The steps of one guest's root, from nothing to what an approach is given."""

    def __init__(self, context: Context, guest: Guest) -> None:
        """Bind the steps to a guest; nothing is done yet."""
        self._context = context
        self._guest = guest
        self._needs = context.approach(guest.approach).needs
        self._pool = context.pool(guest.pool)

    def to_exist(self) -> Step:
        """Return the step that makes the root."""
        return Step(
            name="root",
            do=self._clone,
            undo=lambda: self._pool.remove(self._guest.id),
            probe=lambda: self._pool.probe(self._guest.id),
        )

    def _clone(self) -> None:
        pool, limits, root = self._pool, self._guest.limits, self._needs.root
        if limits.disk_inodes != UNBOUNDED and isinstance(pool, BoundsInodes):
            pool.clone_with_inodes(
                self.form(), self._guest.id, root=root, size=limits.disk, inodes=limits.disk_inodes
            )
        else:
            pool.clone(self.form(), self._guest.id, root=root, size=limits.disk)

    def to_copy(self, source: Guest) -> Step:
        """Return the step that makes the root of another guest's, in the place of ``to_exist``."""
        pool = self.copying()

        def copy() -> None:
            pool.copy(source.id, self._guest.id, size=self._guest.limits.disk)

        return msgspec.structs.replace(self.to_exist(), do=copy)

    def to_take(self, image: DiskImage | None) -> Step:
        """Return the step that makes the root of a whole disk's image, or empty, in the place of ``to_exist``.

        Raises:
            Unsupported: the pool cannot.
        """
        pool = self._pool
        if not isinstance(pool, TakesImages):
            raise Unsupported(
                f"pool {self._guest.pool} cannot be used: it takes no images of disks",
                hint="pools of kind image do",
            )

        def take() -> None:
            pool.take_image(
                image, self._guest.id, root=self._needs.root, size=self._guest.limits.disk
            )

        return msgspec.structs.replace(self.to_exist(), do=take)

    def to_mount(self, do: Callable[[], object]) -> Step:
        """Return the step that makes the root usable by ``do``: for the approach, or for the node."""
        return Step(
            name="mount",
            do=do,
            undo=lambda: self._pool.detach(self._guest.id),
            probe=self.attachment,
        )

    @property
    def is_image(self) -> bool:
        """Return whether the node sees no files of it."""
        return self._needs.root != "tree"

    def copying(self) -> Copying:
        """Return the guest's pool, which can copy its root.

        Raises:
            Unsupported: the root is an image, in which nothing could be put right.
        """
        if not self._guest.has_template:
            raise Unsupported(
                f"guest {self._guest.name} cannot be cloned: nobody knows what on its disk is its own",
                hint="export its disk and import that: wirt export, wirt import",
            )
        if self._needs.root == "tree" and isinstance(self._pool, Copying):
            return self._pool
        capability = no(self._guest.pool, f"pool {self._guest.pool} copies no images")
        if isinstance(self._pool, CopiesImages):
            capability = self._pool.probe_image_copies(self._needs.root)
            if capability.available:
                return self._pool
        raise Unsupported(
            f"guest {self._guest.name} cannot be cloned: under {self._guest.approach} its root is "
            f"an image, and {capability.reason}",
            hint=capability.hint or "make another guest of its template",
        )

    def forget_identity(self) -> list[str]:
        """Take what is one guest's own out of its image, and return what that was."""
        assert isinstance(self._pool, CopiesImages)
        return self._pool.forget_identity(self.form(), self._guest.id)

    def attached(self) -> Root:
        """Return the guest's root, made usable if it is not yet."""
        needs = self._needs
        idmap = idmap_of(self._guest.ids) if needs.shifted else None
        if isinstance(self._pool, CountsUsers):
            self._pool.count_users(self._guest.id, on=self._guest.limits.user_quotas)
        root = self._pool.attach(self.form(), self._guest.id, root=needs.root, idmap=idmap)
        if isinstance(self._pool, BoundsInodes):
            # Its size may have changed since it was mounted last, and with it how many there are.
            self._pool.hold_inodes(self._guest.id, inodes.bound_of(self._guest))
        return root

    def reached(self) -> str:
        """Return where a tree is shown with the guest's own ids; it is if it was not yet."""
        root = self._pool.attach(self.form(), self._guest.id, root="tree", idmap=None)
        assert isinstance(root, RootTree)
        # Loaded here, as below: it brings the calls of the C library along, and most commands mount nothing.
        from wirt.host import mount

        mount.forbid_privileges(root.path)
        return root.path

    def attachment(self) -> Presence:
        """Return how much there is of what makes the root usable."""
        return self._pool.probe_attached(self._guest.id)

    def form(self) -> str:
        """Return the path of the form of the template that the guest's root rests on; "" if it rests on none."""
        if not self._guest.has_template:
            return ""
        form = self._pool.forms[self._needs.root]
        return self._context.templates.path_of_form(
            self._guest.template,
            form,
            sha256=self._guest.template_sha256,
            within=self._pool.forms_in,
        )

    def to_reach(self) -> Step:
        """Return the step that shows a stopped guest's root on the node, to be read and written, with the guest's own ids.

        Raises:
            Unsupported: the root is an image.
        """
        if self._needs.root != "tree":
            raise Unsupported(
                f"guest {self._guest.name} is stopped, and under {self._guest.approach} its root is an "
                "image, of which the node sees no files",
                hint="start it first",
            )
        return self.to_mount(self.reached)

    @property
    def view(self) -> str:
        """Return where the guest's root is shown by ``to_show``."""
        return os.path.join(self._context.home.guest(self._guest.id), "view")

    def to_show(self) -> Step:
        """Return the step that shows the root as it lies on disk, at ``view``."""
        return Step(
            name="view",
            do=self._show,
            undo=self._hide,
            probe=lambda: present_if(os.path.isdir(self.view)),
        )

    def _show(self) -> None:
        if not isinstance(self._pool, Showing):
            raise Unsupported(f"pool {self._guest.pool} has no trees")
        os.mkdir(self.view, mode=0o700)
        self._pool.show(self.form(), self._guest.id, self.view)

    def _hide(self) -> None:
        from wirt.host import mount

        mount.unmount_below(self.view)
        os.rmdir(self.view)

    def snapshots(self) -> Snapshots:
        """Return the keeper of the snapshots of the guest's pool.

        Raises:
            Unsupported: the pool has none.
        """
        if not isinstance(self._pool, HasSnapshots):
            raise Unsupported(
                f"guest {self._guest.name} has no snapshots: its root is on pool {self._guest.pool}, "
                "which has none",
                hint="pools of trees have; see wirt doctor",
            )
        return self._pool.snapshots()

    def to_forget(self, name: str, *, with_disks: bool = False) -> list[Step]:
        """Return the step whose undoing leaves nothing of a snapshot's root, nor of the disks that were kept with it.

        Raises:
            Unsupported: disks are to be, and the pool keeps roots alone.
        """
        keeper = self.snapshots()
        take = keeper.take
        if with_disks:
            # Loaded here: few guests have any.
            from wirt.storage.powers import KeepsDisks

            if not isinstance(keeper, KeepsDisks):
                raise Unsupported(
                    f"the disks of guest {self._guest.name} cannot be kept: snapshots of pool "
                    f"{self._guest.pool} are of roots alone",
                    hint="leave --disks out",
                )
            take = keeper.take_with_disks
        return [
            Step(
                name="snapshot",
                do=lambda: take(self._guest.id, name),
                undo=lambda: keeper.delete(self._guest.id, name),
                probe=lambda: keeper.probe(self._guest.id, name),
            )
        ]

    def to_restore(self, name: str) -> Step:
        """Return the step that prepares a root beside the guest's, of the guest's own size."""
        keeper, size = self.snapshots(), self._guest.limits.disk
        return Step(
            name="prepare",
            do=lambda: keeper.prepare_restore(self._guest.id, name, size),
            undo=lambda: keeper.cancel_restore(self._guest.id),
            # Nobody has to be asked: to cancel what is not there is no work.
            probe=lambda: Presence.PARTIAL,
        )

    def check_resizable(self, size: int) -> None:
        """Check that the root can be given that size now.

        Raises:
            Unsupported: it cannot.
        """
        pool, name = self._pool, self._guest.pool
        capability = (
            pool.probe_resize(self._guest.id, size)
            if isinstance(pool, Resizable)
            else _unbounded(name)
        )
        if not capability.available:
            raise Unsupported(
                f"the disk of guest {self._guest.name} cannot be changed: {capability.reason}",
                hint=capability.hint,
            )

    def probe_bound(self) -> Capability:
        """Return whether anything holds the root to its size."""
        pool, name = self._pool, self._guest.pool
        if self.is_image:
            return yes(name, "it is a disk of that size")
        return pool.probe_bound() if isinstance(pool, BoundsTrees) else _unbounded(name)

    def to_resize(self, size: int) -> Step:
        """Return the step that gives the root another size; its undoing gives it back the guest's own."""
        return Step(
            name="disk",
            do=lambda: self._resize(size),
            undo=lambda: self._resize(self._guest.limits.disk),
            # It is not asked which of the two it has: to give it the one that it has is no work.
            probe=lambda: Presence.PARTIAL,
        )

    def _resize(self, size: int) -> None:
        assert isinstance(self._pool, Resizable)
        self._pool.resize(self._guest.id, size)


def _unbounded(pool: str) -> Capability:
    return no(pool, f"pool {pool} does not bound it", "pools image and btrfs do")
