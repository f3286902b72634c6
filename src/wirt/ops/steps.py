"""What a guest is made of, as steps that can be done and undone again and again.

Every verb builds or dismantles a part of the same ladder, so there is one way to make each thing and one way to take it
away, and recovery after a crash is to take away whatever is there.
"""

import os
from collections.abc import Callable

import msgspec

from wirt.host import files
from wirt.model.guest import Guest, Handle
from wirt.model.launch import Launch
from wirt.model.presence import Presence
from wirt.model.resources import Nic, Root
from wirt.ops.context import Context


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a guest: how to make it, how to take it away, and how much of it is there."""

    name: str
    do: Callable[[], None]
    undo: Callable[[], None]
    probe: Callable[[], Presence]


class Ladder:
    """The steps of one guest, from nothing to running."""

    def __init__(self, context: Context, guest: Guest) -> None:
        """Bind the steps to a guest; nothing is done yet."""
        self._context = context
        self._guest = guest
        self._home = context.home
        self._approach = context.approach(guest.approach)
        self._pool = context.pool(guest.pool)
        self.place = context.home.place(guest.id)
        self.handle: Handle | None = None
        """What the engine gave back, once the ``engine`` step is done."""

    def to_exist(self) -> list[Step]:
        """Return the steps that make a stopped guest."""
        return [
            Step(
                name="directory",
                do=self._make_directory,
                undo=lambda: files.remove_tree(self._home.guest(self._guest.id)),
                probe=lambda: _is_directory(self._home.guest(self._guest.id)),
            ),
            Step(
                name="root",
                do=self._clone_root,
                undo=self._remove_root,
                probe=lambda: self._pool.probe(self._guest.id),
            ),
        ]

    def to_run(self) -> list[Step]:
        """Return the steps that make a stopped guest run."""
        return [
            Step(
                name="run-directory",
                do=self._make_run_directory,
                undo=lambda: files.remove_tree(self._home.guest_run(self._guest.id)),
                probe=lambda: _is_directory(self._home.guest_run(self._guest.id)),
            ),
            Step(
                name="network",
                do=self._attach_network,
                undo=lambda: self._context.network.detach(self._nic()),
                probe=lambda: self._context.network.probe(self._nic()),
            ),
            Step(
                name="mount",
                do=self._attach_root,
                undo=lambda: self._pool.detach(self._guest.id),
                probe=lambda: self._pool.probe_attached(self._guest.id),
            ),
            Step(
                name="engine",
                do=self._start_engine,
                undo=lambda: self._approach.kill(self.place),
                probe=lambda: self._approach.probe(self.place),
            ),
        ]

    def _make_directory(self) -> None:
        os.makedirs(self._home.guest(self._guest.id), mode=0o700, exist_ok=True)

    def _make_run_directory(self) -> None:
        os.makedirs(self.place.run_dir, mode=0o711, exist_ok=True)

    def _clone_root(self) -> None:
        self._pool.clone(
            self._form(),
            self._guest.id,
            root=self._approach.needs.root,
            size=self._guest.limits.disk,
        )

    def _remove_root(self) -> None:
        self._pool.remove(self._guest.id)

    def _attach_network(self) -> None:
        with self._context.network_lock():
            self._context.network.ensure_up()
            self._context.network.attach(self._nic())

    def _attach_root(self) -> None:
        self.attached_root()

    def attached_root(self) -> Root:
        """Return the guest's root, made usable if it is not yet."""
        needs = self._approach.needs
        return self._pool.attach(self._form(), self._guest.id, root=needs.root, idmap=needs.idmap)

    def _start_engine(self) -> None:
        kernel = initrd = None
        if self._approach.needs.kernel_image:
            boot = self._context.templates.path_of_form(self._guest.template, "boot")
            kernel, initrd = f"{boot}/vmlinuz", f"{boot}/initrd.img"
        launch = Launch(
            place=self.place,
            hostname=self._guest.name,
            limits=self._guest.limits,
            root=self.attached_root(),
            nic=self._nic(),
            kernel=kernel,
            initrd=initrd,
        )
        self.handle = self._approach.start(launch)

    def _form(self) -> str:
        return self._context.templates.path_of_form(self._guest.template, self._pool.form)

    def _nic(self) -> Nic:
        return self._context.network.nic(
            self._guest.id, self._guest.address, self._guest.mac, self._approach.needs.nic
        )


def _is_directory(path: str) -> Presence:
    return Presence.PRESENT if os.path.isdir(path) else Presence.ABSENT
