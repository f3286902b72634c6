"""The port that every kind of virtualization is behind.

A driver gets values and gives values back. It never sees the state, the pools or another driver. Whatever it makes
carries ``Place.name``, so that ``probe`` and ``kill`` work without knowing how far a start got.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from wirt.host.run import Streams
from wirt.model.capability import Capability
from wirt.model.card import MOST_CARDS
from wirt.model.checkpoint import Obstacle
from wirt.model.counter import Counter
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence
from wirt.model.resources import Drive, NicKind


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What an approach wants from storage and network, and what a guest under it has at the least."""

    root: str
    """"tree", "qcow2" or "ubd": the form of the root."""
    shifted: bool
    """A tree must show its files under other ids, those of the guest's range."""
    nic: NicKind
    smallest_memory: int
    """Bytes below which the template's system does not boot."""
    own_kernel: bool
    own_hostname: bool = True
    """The guest has a host name of its own."""
    balloon: bool = False
    """Its machine can be made with more memory than it has, which it gets and gives away while it runs."""
    kernel_image: bool = False
    """The template's kernel and an initial ramdisk must be handed over."""
    firmware: bool = False
    """A guest's machine boots by itself what is on its disks, if no kernel is handed over."""
    init: bool = False
    """The guest's first program is the template's ``/sbin/init``."""
    terminal: bool = True
    """A command in the guest can have the terminal of whoever runs it."""
    takes_privileges: bool = False
    """Its root can be given rights and devices of the node, or be refused them."""
    most_cpus: int | None = None
    """Processors that the guest's kernel knows at most; None: as many as the node has."""
    ipv6: bool = True
    """The guest's kernel has IPv6, if the node's has."""
    most_cards: int = MOST_CARDS
    """Cards beside its first."""
    routed: bool = False
    """The guest can be told of a gateway that is on none of its networks."""
    checkpoints_frozen: bool = False
    """The memory of a guest that is held still can be kept, and it is held still all along."""
    logins: bool = False
    """In the place of a console, its system takes logins on a terminal that is made for one."""


class Approach(Protocol):
    """One kind of virtualization."""

    name: str
    needs: Needs

    def probe_capability(self) -> Capability:
        """Ask the node whether this approach works here; changes nothing that stays."""
        ...

    def start(self, launch: Launch) -> Handle:
        """Start the guest and return as soon as its first process runs.

        Raises:
            Failed: the engine could not start it, or it runs already; whatever was made ``kill`` takes away.
        """
        ...

    def probe(self, place: Place) -> Presence:
        """Ask the kernel whether the guest runs: present, absent, or in part (its engine without its init)."""
        ...

    def wait_ready(self, place: Place, handle: Handle, timeout: float) -> None:
        """Return once a command can be run in the guest.

        Raises:
            TimedOut: it was not ready within ``timeout`` seconds; names the log.
            Failed: the guest ended meanwhile.
        """
        ...

    def exec(
        self,
        place: Place,
        handle: Handle,
        argv: list[str],
        *,
        streams: Streams,
        environment: dict[str, str],
        cpus: frozenset[int] | None = None,
    ) -> int:
        """Run a command in the guest and return its exit status (128 + signal if it was killed).

        Args:
            place: where the guest's traces are.
            handle: what its start gave back.
            argv: the program, looked for in the guest's PATH, and its arguments.
            streams: where its input comes from and its output goes.
            environment: the whole environment of the command.
            cpus: processors of the node that the work is bound to; None for all.

        Raises:
            Failed: the command could not be run at all.
        """
        ...

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Ask the guest's system to shut down and wait until it has.

        Raises:
            TimedOut: it still ran after ``timeout`` seconds.
        """
        ...

    def kill(self, place: Place) -> None:
        """End everything of this guest at once and leave nothing; no error if nothing runs.

        A card that the engine made vanishes with the guest, perhaps a moment later: the network looks after that.
        """
        ...


@runtime_checkable
class Freezable(Protocol):
    """A power of approaches whose guests can be held still: no process of theirs runs until they are thawed."""

    def freeze(self, place: Place) -> None:
        """Hold a running guest still and return when it is; no error if it is already.

        Raises:
            Failed, TimedOut: it could not be held; it runs on.
        """
        ...

    def thaw(self, place: Place) -> None:
        """Let a frozen guest go on; no error if it is not frozen."""
        ...

    def is_frozen(self, place: Place) -> bool:
        """Ask the kernel whether the guest is held still."""
        ...


@runtime_checkable
class KnowsCheckpoints(Protocol):
    """A power of approaches that can say whether they keep what a running guest's memory holds, and if not, why."""

    def probe_checkpoints(self) -> Capability:
        """Ask the node whether this works here; changes nothing."""
        ...


@runtime_checkable
class Checkpointable(KnowsCheckpoints, Protocol):
    """A power of approaches that can keep what a running guest's memory holds, and let it go on from there later.

    What is on its disk is none of theirs; nor is its card, which lets nothing through while a checkpoint is made.
    """

    def find_obstacles(
        self, place: Place, *, cards: Mapping[str, Collection[str]]
    ) -> list[Obstacle]:
        """Return what is known to stand in the way of a checkpoint of a running guest; quick, and changes nothing.

        Args:
            place: where the guest's traces are.
            cards: what its cards are called inside, and the addresses that it was given.

        Raises:
            Failed: it does not run.
        """
        ...

    def checkpoint(
        self,
        place: Place,
        handle: Handle,
        directory: str,
        *,
        keep_running: bool,
        standing_still: Callable[[], None],
        written: Callable[[], None],
    ) -> None:
        """Write what a running guest's memory holds into an empty directory.

        Args:
            place: where the guest's traces are.
            handle: what its start gave back.
            directory: all that ``resume`` needs; empty but for what ``write_ahead`` (see ``tracking.TracksMemory``) has put there.
            keep_running: True to let the guest go on; else it has ended when this returns, but for what ``kill`` takes away.
            standing_still: is called once the guest stands still; its memory may be being written meanwhile.
            written: is called once everything is written, while the guest still stands still. If either raises, the guest
                goes on; if nobody returns because we have died, it does at the latest with ``cancel_checkpoint``.

        Raises:
            Failed: it could not be written; the guest goes on.
        """
        ...

    def cancel_checkpoint(self, place: Place) -> None:
        """Let a guest go on whose checkpoint has lost its maker, and return when it does; no error if there is none."""
        ...

    def is_checkpointing(self, place: Place) -> bool:
        """Ask whether there is anything for ``cancel_checkpoint`` to do."""
        ...

    def check_memory(self, directory: str) -> None:
        """Check whether this node's processor has what a guest may use whose memory ``checkpoint`` has written.

        Raises:
            Unsupported: it lacks something.
        """
        ...

    def resume(self, launch: Launch, directory: str) -> Handle:
        """Let a guest go on from what ``checkpoint`` wrote, its root being what it was then, and return when it runs.

        Raises:
            Corrupt, Failed: it could not be; whatever was made ``kill`` takes away.
        """
        ...


@runtime_checkable
class Flushable(Protocol):
    """A power of approaches whose guests' systems can be asked to write out what is to be on their disks, and then no more."""

    def flush(self, place: Place) -> None:
        """Have a running guest do so.

        Raises:
            Error: it does not answer; it goes on writing.
        """
        ...

    def release(self, place: Place) -> None:
        """Let it write again, and run if it is frozen; no error if it was not asked."""
        ...

    def is_flushed(self, place: Place) -> bool:
        """Return whether there is anything for ``release`` to do."""
        ...


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How a running guest was sent to another node's engine."""

    bytes: int
    """That went over: memory and disk."""
    stood_still: float
    """Since when it stands still, by the monotonic clock, seconds."""
    engine_seconds: float
    """How long it stood still until it was there, as its engine says."""


@runtime_checkable
class Migratable(Checkpointable, Protocol):
    """A power of approaches whose engine sends a running guest, disk, memory and devices, to one on another node.

    At the end there are two that stand still, and each goes on only if it is told to: by ``take_machine`` over there, or by
    ``cancel_checkpoint`` here, which also ends the sending at any moment before.
    """

    def describe_machine(self, place: Place) -> str:
        """Return what the other node's engine must be like to go on with a running guest.

        Raises:
            Failed: it does not run.
        """
        ...

    def check_machine(self, machine: str) -> None:
        """Check whether an engine of this node could go on with a guest that is described so.

        Raises:
            Unsupported: it could not; says why, of this node as "its".
        """
        ...

    def await_machine(self, launch: Launch, machine: str) -> Handle:
        """Start an engine that waits for a guest, whose root is there as it was cloned of the template, at its ``gates``.

        Raises:
            Failed: it could not be started; whatever was made ``kill`` takes away.
        """
        ...

    def gates(self, place: Place) -> dict[str, str]:
        """Return what comes in where: paths of sockets of an engine that waits."""
        ...

    def send_machine(
        self,
        place: Place,
        gates: Mapping[str, str],
        *,
        downtime: float,
        standing_still: Callable[[], None],
    ) -> Sent:
        """Send a running guest, and return when all of it is there; it stands still then, here and there.

        Args:
            place: where the guest's traces are.
            gates: paths here that lead to those of the other engine.
            downtime: seconds that it may stand still while the last of it is sent, as far as that can be foreseen.
            standing_still: is called once it does.

        Raises:
            Failed, TimedOut: it could not be sent; it goes on.
        """
        ...

    def take_machine(self, place: Place) -> float:
        """Let a guest go on that has arrived, and return since when it does, by the monotonic clock, seconds.

        Raises:
            Failed, TimedOut: it has not; it does not run here.
        """
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A power of approaches whose guests the node's kernel holds to their limits.

    These can be changed while a guest runs, and there are more of them than CPUs, memory and disk.
    """

    fixed: frozenset[str]
    """Of ``Limits``, what a guest keeps for as long as it runs."""
    growing: frozenset[str]
    """What it can only get more of."""

    def probe_limits(self) -> dict[str, Capability]:
        """Ask the node which limits guests can be held to, beside CPUs, memory and disk: by their names in ``Limits``."""
        ...

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Hold a running guest to other limits from now on; the size of its disk is not meant.

        Args:
            place: where the guest's traces are.
            limits: what it is to be held to.
            disks: those of the node whose bandwidth is bounded, or was, ``throttled`` in ``Launch``.

        Raises:
            Failed: it does not run, or the kernel refused, as it may when a guest holds more memory than it is to have;
                some may have been changed.
        """
        ...

    def memory_kills(self, place: Place) -> int | None:
        """Return how many processes of a running guest were ended because it was out of memory; None: nobody counts."""
        ...


@runtime_checkable
class TakesHostname(Protocol):
    """A power of approaches whose running guests can be called otherwise by the node."""

    def give_hostname(self, place: Place, hostname: str) -> None:
        """Have a running guest's kernel say another host name, also when it has started anew by itself.

        Raises:
            Failed: the guest has ended, or the kernel refused.
        """
        ...


@runtime_checkable
class RebootsByItself(Protocol):
    """A power of approaches whose guests may start anew by themselves, of which Wirt hears only later."""

    def do_at_reboot(self, place: Place, what: str, script: str) -> None:
        """Have the node run a script each time a running guest has started anew, before its first process runs.

        Args:
            place: where the guest's traces are.
            what: the script is for, in a word; it takes the place of an earlier one for the same thing.
            script: for the node's shell; an empty one does nothing.
        """
        ...


@runtime_checkable
class Countable(Protocol):
    """A power of approaches whose guests' use of the node's resources can be told apart and counted."""

    def count(self, place: Place) -> list[Counter]:
        """Return every counter of a running guest, in the order of ``UNITS``.

        Raises:
            Failed: it does not run.
        """
        ...


@runtime_checkable
class HasFiles(Protocol):
    """A power of approaches whose guests' files the node cannot reach by a path: files are handed in."""

    def copy_in(self, place: Place, handle: Handle, source: str, target: str) -> None:
        """Copy a file, or what a directory holds, into a running guest.

        Args:
            place: where the guest's traces are.
            handle: what ``start`` returned.
            source: the file or directory on the node.
            target: the same in the guest; directories on the way are made, what is there is replaced.

        Raises:
            Failed: the guest could not take it.
        """
        ...


@runtime_checkable
class HasScreen(Protocol):
    """A power of approaches whose guests' machines can have a graphics card."""

    def screen_socket(self, place: Place) -> str:
        """Return the path of the socket at which a guest with one serves its picture by VNC while it runs."""
        ...


@runtime_checkable
class TakesDisks(Protocol):
    """A power of approaches whose guests can have further disks, put in and taken out while they run."""

    disk_formats: frozenset[str]
    """Those that its engine reads."""

    def grows_disks(self) -> Capability:
        """Say whether a running guest sees that a disk of its has grown."""
        ...

    def device_of(self, drive: Drive) -> str:
        """Return the path by which programs in a guest open a disk."""
        ...

    def attach_disk(self, place: Place, drive: Drive) -> None:
        """Put a disk into a running guest.

        Raises:
            Failed: the engine does not take it; what there is of it ``detach_disk`` takes away.
        """
        ...

    def detach_disk(self, place: Place, drive: Drive) -> None:
        """Take a disk out of a running guest, or what there is of it, and return when the guest has let go.

        Raises:
            Failed: the guest does not: it uses it.
        """
        ...

    def probe_disk(self, place: Place, drive: Drive) -> Presence:
        """Ask the engine whether the guest has a disk: present, absent, or in part; absent if nothing runs."""
        ...

    def grow_disk(self, place: Place, drive: Drive, size: int) -> None:
        """Tell a running guest that a disk has that many bytes; no error if it knows.

        Raises:
            Failed: it could not be told.
        """
        ...


@runtime_checkable
class HasConsole(Protocol):
    """A power of approaches whose guests have a console: the place's log is what it says, and it can be typed at."""

    def open_console(self, place: Place) -> int:
        """Return a descriptor, which does not wait, for what is typed at it; the caller closes it.

        Raises:
            Failed: the guest has ended, or has none that can be typed at.
        """
        ...
