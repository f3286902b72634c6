"""What a guest is made of, as steps that can be done and undone again and again.

Every verb builds or dismantles a part of the same ladder, so there is one way to make each thing and one way to take it
away, and recovery after a crash is to take away whatever is there.
"""

import os
from contextlib import suppress

from wirt.approaches.base import Adjustable, Flushable, Freezable, TakesHostname
from wirt.errors import Error, Unsupported
from wirt.host import files
from wirt.model.disk import DiskImage
from wirt.model.forward import Forward
from wirt.model.guest import Guest, Handle
from wirt.model.ids import idmap_of
from wirt.model.launch import GivenDevice, Launch
from wirt.model.lifecycle import State
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Drive, Nic, RootTree
from wirt.ops import reach
from wirt.ops.context import Context
from wirt.ops.steps import bandwidth, rootfiles, transit
from wirt.ops.steps.bootfiles import find_boot
from wirt.ops.steps.cards import CardSteps
from wirt.ops.steps.roots import RootSteps
from wirt.ops.steps.step import Step


class Ladder:
    """The steps of one guest, from nothing to running."""

    def __init__(self, context: Context, guest: Guest) -> None:
        """Bind the steps to a guest; nothing is done yet."""
        self._context = context
        self._guest = guest
        self._home = context.home
        self._approach = context.approach(guest.approach)
        self.root = RootSteps(context, guest)
        self.cards = CardSteps(context, guest)
        self.talks = False
        """Its kernel is to say all that it does while it starts."""
        self.place = context.home.place(guest.id)
        self.is_torn = False
        """Its root was copied, or is about to be, as after a power cut: the guest did not write out what it held back."""
        self.handle: Handle | None = None
        """What the engine gave back, once the ``engine`` step is done."""

    def to_exist(self) -> list[Step]:
        """Return the steps that make a stopped guest."""
        return [
            Step(
                name="directory",
                do=self._make_directory,
                undo=self._remove_directory,
                probe=lambda: present_if(os.path.isdir(self._home.guest(self._guest.id))),
            ),
            self.root.to_exist(),
        ]

    def to_copy(self, source: Guest) -> list[Step]:
        """Return the steps that make a stopped guest of another one, in the place of ``to_exist``."""
        return [self.to_exist()[0], self.root.to_copy(source)]

    def to_take(self, image: DiskImage | None) -> list[Step]:
        """Return the steps that make a stopped guest of a disk's image, or of nothing, in the place of ``to_exist``."""
        return [self.to_exist()[0], self.root.to_take(image)]

    def to_run(self) -> list[Step]:
        """Return the steps that make a stopped guest run."""
        return [
            Step(
                name="run-directory",
                do=self._make_run_directory,
                undo=lambda: files.remove_tree(self._home.guest_run(self._guest.id)),
                probe=lambda: present_if(os.path.isdir(self._home.guest_run(self._guest.id))),
            ),
            *self.cards.to_attach(),
            *self._forwarding(),
            self.root.to_mount(self._attach_root),
            *self._devices(),
            Step(
                name="engine",
                do=self._start_engine,
                undo=self._end_engine,
                probe=lambda: self._approach.probe(self.place),
            ),
            *self.cards.to_hand_over(),
            *self.cards.to_pace(),
        ]

    def _devices(self) -> list[Step]:
        """Return the step that makes files for the devices that the guest is given, if it is given any, or was."""
        if not (
            self._guest.privileges.devices or os.path.isdir(self._home.devices(self._guest.id))
        ):
            return []
        # Loaded here: few guests have some.
        from wirt.ops import privileges

        return [privileges.to_make(self._context, self._guest)]

    def _given_devices(self) -> tuple[GivenDevice, ...]:
        if not self._guest.privileges.devices:
            return ()
        from wirt.ops import privileges

        return privileges.find_given(self._context, self._guest)

    def _forwarding(self) -> list[Step]:
        """Return the step that leads the node's ports to the guest, if any do."""
        if not self._guest.forwards:
            return []
        return [
            Step(
                name="forwards",
                do=lambda: self._lead(before=()),
                undo=lambda: self._withdraw(self._guest.forwards),
                probe=lambda: self._context.gateway().probe(),
            )
        ]

    def to_forward(self, before: Guest) -> Step:
        """Return the step that leads to a running guest what is to lead there, and no more; undone, what did ``before``."""
        return Step(
            name="forwards",
            do=lambda: self._lead(before=before.forwards),
            undo=lambda: Ladder(self._context, before)._lead(before=self._guest.forwards),
            # Both can be done again.
            probe=lambda: Presence.PRESENT,
        )

    def to_name(self, before: Guest) -> Step:
        """Return the step that writes a running guest's names into its root; undone, the names of ``before``."""
        return Step(
            name="names",
            do=lambda: self._call(self._guest, before),
            undo=lambda: self._call(before, self._guest),
            probe=self.root.attachment,
        )

    def _call(self, wanted: Guest, other: Guest) -> None:
        rootfiles.write(self._guest, self.root.attached(), wanted.naming)
        approach = self._approach
        if wanted.naming.hostname != other.naming.hostname and isinstance(approach, TakesHostname):
            approach.give_hostname(self.place, wanted.naming.hostname or wanted.name)

    def _lead(self, *, before: tuple[Forward, ...]) -> None:
        gone = [one for one in before if one not in self._guest.forwards]
        with self._context.network_lock():
            if gone:
                reach.withdraw(self._context, self._guest, gone)
            if self._guest.forwards:
                reach.admit(self._context, self._guest)

    def _withdraw(self, forwards: tuple[Forward, ...]) -> None:
        with self._context.network_lock():
            reach.withdraw(self._context, self._guest, forwards)

    def to_snapshot(self, name: str, *, with_disks: bool = False) -> list[Step]:
        """Return the steps that keep the root as it is, and the pool's further disks; all but ``freeze`` stay done.

        Raises:
            Unsupported: the guest runs, and its root cannot be of one instant; or the pool cannot keep the disks.
        """
        copy = self.root.to_forget(name, with_disks=with_disks)
        return [*self.to_hold(self.root.snapshots().instant, "snapshots"), *copy]

    def to_hold(self, is_instant: bool, what: str) -> list[Step]:
        """Return the step that holds a guest still while its root is copied; none if there is no need.

        Args:
            is_instant: True if the pool copies a root as it is in an instant.
            what: what the pool makes.

        Raises:
            Unsupported: the guest runs, and its root cannot be of one instant.
        """
        if is_instant or self._guest.state is not State.RUNNING:
            return []
        approach = self._approach
        if not isinstance(approach, Freezable):
            raise Unsupported(
                f"guest {self._guest.name} is running, and neither has pool {self._guest.pool} "
                f"{what} of one instant nor can approach {approach.name} hold a guest still",
                hint="stop it first",
            )
        if isinstance(approach, Flushable):
            return [self._flushing(approach), self._freezing(approach)]
        return [self._freezing(approach)]

    def _flushing(self, approach: Flushable) -> Step:
        """Return the step that has a guest's system write out what it holds back. One that does not is like one without power."""

        def flush() -> None:
            self.is_torn = True
            with suppress(Error):
                approach.flush(self.place)
                self.is_torn = False

        return Step(
            name="flush",
            do=flush,
            undo=lambda: approach.release(self.place),
            probe=lambda: present_if(approach.is_flushed(self.place)),
        )

    def to_adjust(self, before: Guest) -> Step:
        """Return the step that holds a running guest to its limits; undone, to those of ``before``.

        Raises:
            Unsupported: the approach cannot.
        """
        approach = self._approach
        if not isinstance(approach, Adjustable):
            raise Unsupported(
                f"guest {self._guest.name} is running, and approach {approach.name} cannot change "
                "the limits of a running guest",
                hint="stop it first",
            )
        # One that was changed since its start may have been bounded then, and begins so again if it reboots by itself.
        may_be_bounded = (
            self._guest.limits.bounds_io or before.limits.bounds_io or before.is_adjusted
        )
        disks = bandwidth.find_disks(self._context, self._guest) if may_be_bounded else ()
        return Step(
            name="limits",
            do=lambda: approach.adjust(self.place, self._guest.limits, disks=disks),
            undo=lambda: approach.adjust(self.place, before.limits, disks=disks),
            probe=lambda: self._approach.probe(self.place),
        )

    def to_freeze(self) -> Step:
        """Return the step that holds a running guest still.

        Raises:
            Unsupported: the approach cannot.
        """
        if not isinstance(self._approach, Freezable):
            raise Unsupported(
                f"guest {self._guest.name} cannot be frozen: approach {self._approach.name} cannot "
                "hold a guest still",
                hint="stop it instead",
            )
        return self._freezing(self._approach)

    def _freezing(self, approach: Freezable) -> Step:
        return Step(
            name="freeze",
            do=lambda: approach.freeze(self.place),
            undo=lambda: approach.thaw(self.place),
            probe=lambda: present_if(approach.is_frozen(self.place)),
        )

    def to_look(self) -> list[Step]:
        """Return the steps that show a guest's root as it lies on disk, standing still for as long as they last.

        A crash leaves the guest frozen and its root shown; the next command takes both away.
        """
        steps = []
        # One that a person has frozen stays so.
        if self._guest.state is State.RUNNING and isinstance(self._approach, Freezable):
            steps.append(self._freezing(self._approach))
        steps.append(self.root.to_show())
        return steps

    def _make_directory(self) -> None:
        os.makedirs(self._home.guest(self._guest.id), mode=0o700, exist_ok=True)

    def _remove_directory(self) -> None:
        # Nobody but the guest's directory tells of what lies elsewhere, so that goes before.
        transit.forget(self._home, self._guest.id)
        files.remove_tree(self._home.guest(self._guest.id))

    def _make_run_directory(self) -> None:
        os.makedirs(self.place.run_dir, mode=0o711, exist_ok=True)

    def _attach_root(self) -> None:
        root = self.root.attached()
        # A guest with its own kernel is told its host name by that kernel's command line.
        if isinstance(root, RootTree):
            rootfiles.write(self._guest, root, self._guest.naming)

    def _start_engine(self) -> None:
        self.handle = self._approach.start(self.launch())

    def launch(self) -> Launch:
        """Return the guest as its approach is given it."""
        boot = find_boot(self._context, self._guest, self._approach.needs)
        bounds_io = self._guest.limits.bounds_io
        return Launch(
            place=self.place,
            hostname=self._guest.naming.hostname or self._guest.name,
            limits=self._guest.limits,
            root=self.root.attached(),
            nic=self.nic(),
            cards=self.cards.further(),
            owner=idmap_of(self._guest.ids).first,
            kernel=boot.kernel if boot else None,
            initrd=boot.ramdisk if boot else None,
            arguments=boot.arguments if boot else "",
            root_device=boot.root if boot else None,
            has_screen=self._guest.has_screen,
            talks=self.talks,
            privileges=self._guest.privileges,
            devices=self._given_devices(),
            disks=self._open_drives(),
            throttled=bandwidth.find_disks(self._context, self._guest) if bounds_io else (),
        )

    def _open_drives(self) -> tuple[Drive, ...]:
        if not self._guest.disks:
            return ()
        # Loaded here: few guests have any.
        from wirt.ops.steps.drives import open_drives

        return open_drives(self._context, self._guest)

    def _end_engine(self) -> None:
        with self.cards.closing():
            self._approach.kill(self.place)

    def nic(self) -> Nic:
        """Return the guest's card."""
        return self.cards.nic()
