"""``uml``: a guest with its own, adapted kernel, which runs as ordinary processes of the node.

The channel to the agent is two named pipes on a serial line (see ``ownkernel``). What was weighed for it: ``port:``
listens on TCP, open to every user of the node; a socket pair needs a process of ours to hold its other end; a pseudo
terminal (``pts``) hangs up between two commands, has a name that must be asked for, and echoes until it is set raw.

Requests to the agent are kept short. Linux 6.1's serial line driver stops reading its descriptor when the guest's
terminal buffer (4 KiB) is full, and never starts again (``line_throttle`` takes the descriptor out of epoll,
``line_unthrottle`` does not put it back). Files go in through hostfs instead, confined to one directory of this guest.

A guest has one processor: User-Mode Linux 6.1 knows no more.
"""

import os
import secrets
import tarfile
from collections.abc import Sequence
from contextlib import suppress

from wirt.approaches import enginegroup, guestcards, guestcommand, ownkernel
from wirt.approaches.base import Needs
from wirt.approaches.uml import build, cards, control, disks, mconsole
from wirt.errors import Failed
from wirt.host import affinity, files, process, run
from wirt.host.run import SILENT, Streams
from wirt.model.capability import Capability, no, yes
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Drive, Nic, NicKind
from wirt.units import MIB

PROGRAM_VARIABLE = "WIRT_UML"
"""Environment variable that names another kernel than the distribution's, such as a newer one."""

_PROGRAM = "linux.uml"
_SHARED = "shared"
_LINE = guestcommand.Line(signal_device=build.SIGNAL_DEVICE, longest_request=2048)

_UNPACK = """\
mkdir -p "$2" /run/wirt-files && mount -t hostfs -o ro none /run/wirt-files || exit 1
tar -x -C "$2" -f "/run/wirt-files/$1"; s=$?
umount /run/wirt-files
exit $s
"""


class Uml:
    """Guests on User-Mode Linux."""

    name = "uml"
    needs = Needs(
        root="ubd",
        shifted=False,
        nic=NicKind.TAP,
        # Debian has it as a module, of which the guest's root holds none.
        ipv6=False,
        smallest_memory=64 * MIB,
        own_kernel=True,
        most_cpus=1,
        init=True,
        terminal=False,
    )

    fixed = frozenset({"cpus", "memory"})
    disk_formats = frozenset({"raw"})
    growing: frozenset[str] = frozenset()

    def probe_capability(self) -> Capability:
        """Ask whether the kernel is installed and the node can hold a guest's memory."""
        if _program() is None:
            return no(
                self.name, "User-Mode Linux is not installed", "apt-get install user-mode-linux"
            )
        try:
            memory = os.statvfs("/dev/shm")
        except FileNotFoundError:
            return no(
                self.name,
                "there is no /dev/shm to hold a guest's memory",
                "mount it: mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm",
            )
        if memory.f_flag & os.ST_NOEXEC:
            return no(
                self.name,
                "/dev/shm is mounted noexec, and a guest's programs run from it",
                "allow it: mount -o remount,exec /dev/shm",
            )
        if not os.path.exists("/dev/net/tun"):
            return no(self.name, "there is no /dev/net/tun", "load the module: modprobe tun")
        return yes(self.name, "User-Mode Linux; a guest has one processor")

    def start(self, launch: Launch) -> Handle:
        """Make the channel and start the kernel."""
        program = launch.kernel or _program()
        if not isinstance(launch.root, BlockImage) or program is None:
            raise Failed(f"{self.name} needs its kernel and an image, not a tree")
        place = launch.place
        if self.probe(place) is not Presence.ABSENT:
            raise Failed(f"{place.name} is started already")
        directory = ownkernel.make_channel(place)
        shared = os.path.join(directory, _SHARED)
        os.mkdir(shared, 0o700)
        with ownkernel.open_channel(directory) as ends:
            argv = build.build_argv(
                launch,
                launch.root,
                program=program,
                to_agent=ends.to_agent,
                from_agent=ends.from_agent,
                signals=ends.signals,
                to_console=ends.to_console,
                shared=shared,
            )
            try:
                pid = control.start(
                    argv,
                    build.identity(place.name),
                    directory=directory,
                    log=place.log,
                    entrances=enginegroup.make(place.name, launch.limits, disks=launch.throttled),
                    keep=[ends.to_agent, ends.from_agent, ends.signals, ends.to_console],
                )
            except BaseException:
                self.kill(place)
                raise
        return Handle(pid=pid, started=process.start_time(pid))

    def probe(self, place: Place) -> Presence:
        """Ask the kernel for the guest's processes; without the first of them the others are a leftover."""
        pids = process.find_by_argument(build.identity(place.name))
        if not pids:
            return ownkernel.probe_engine(place, build.identity(place.name))
        pid_file = os.path.join(ownkernel.private_directory(place), place.name, "pid")
        return Presence.PRESENT if control.read_pid(pid_file) in pids else Presence.PARTIAL

    def wait_ready(self, place: Place, handle: Handle, timeout: float) -> None:
        """Wait for the guest's agent."""
        ownkernel.wait_ready(place, handle, timeout)

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
        """Run a command in the guest, whose processes are bound to ``cpus`` meanwhile."""
        with affinity.bound(lambda: process.find_by_argument(build.identity(place.name)), cpus):
            return guestcommand.run_command(
                place, handle, argv, line=_LINE, streams=streams, environment=environment
            )

    def copy_in(self, place: Place, handle: Handle, source: str, target: str) -> None:
        """Copy files into the guest: as an archive in the one directory that it may mount."""
        name = f"{secrets.token_hex(6)}.tar"
        path = os.path.join(ownkernel.private_directory(place), _SHARED, name)
        try:
            with (
                files.translated(f"copy {source} for {place.name}"),
                tarfile.open(path, "w") as archive,
            ):
                guestcommand.write_tar(source, target, archive)
            into = guestcommand.tar_directory(source, target)
            status = self.exec(
                place,
                handle,
                ["/bin/sh", "-c", _UNPACK, "sh", name, into],
                streams=SILENT,
                environment=run.ENVIRONMENT,
            )
        finally:
            if os.path.exists(path):
                os.unlink(path)
        if status != 0:
            raise Failed(f"the guest could not take {source} as {target}", hint=f"see {place.log}")

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Ask the guest's system to power down, by its agent or else by Ctrl-Alt-Del, and wait for its kernel's end."""
        ownkernel.stop(place, handle, timeout, otherwise=lambda: _press_keys(place))
        self.kill(place)

    def probe_limits(self) -> dict[str, Capability]:
        """Ask the kernel for its controllers: the processes of a guest read and write its disks themselves."""
        return enginegroup.probe(with_disks=True)

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Hold the processes of the guest to what the node holds them to."""
        enginegroup.hold(place.name, limits, disks=disks)

    def memory_kills(self, place: Place) -> int | None:
        """Return None: the guest's own kernel does that."""
        return None

    def probe_checkpoints(self) -> Capability:
        """Say no, and why."""
        return no(
            self.name,
            "the guest's memory is that of many processes of the node, which trace each other, and User-Mode Linux "
            "cannot write it down",
            "run it under qemu or kvm for that",
        )

    def grows_disks(self) -> Capability:
        """Say no: the driver looks at a disk's size when it is put in."""
        return no(self.name, "its kernel reads a disk's size when it gets it", "stop the guest")

    def device_of(self, drive: Drive) -> str:
        """Return what the guest's kernel calls it."""
        return disks.path_in_guest(drive)

    def attach_disk(self, place: Place, drive: Drive) -> None:
        """Tell the guest's kernel of it."""
        disks.attach(_console_directory(place), drive)

    def detach_disk(self, place: Place, drive: Drive) -> None:
        """Have the guest's kernel forget it."""
        disks.detach(_console_directory(place), drive)

    def probe_disk(self, place: Place, drive: Drive) -> Presence:
        """Ask the guest's kernel, if it runs."""
        if self.probe(place) is not Presence.PRESENT:
            return Presence.ABSENT
        return disks.probe(_console_directory(place), drive)

    def grow_disk(self, place: Place, drive: Drive, size: int) -> None:
        """Refuse: see ``grows_disks``."""
        raise Failed(f"{self.name} cannot tell a running guest that disk {drive.name} has grown")

    def change_card(self, place: Place, before: Nic, after: Nic) -> None:
        """Have the guest's agent do it."""
        guestcards.change(self._inside(place, self._handle(place)), before, after)

    def plug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Tell the guest's kernel of it, and have the guest's agent set it up."""

        def put_in() -> bool:
            is_new = cards.attach(_console_directory(place), nic)
            if is_new:
                ownkernel.check_agent(place, handle)
            return is_new

        guestcards.plug(self._inside(place, handle), nic, put_in=put_in)

    def unplug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Have the guest set it down, and its kernel forget it."""
        inside = self._inside(place, handle)
        cards.detach(
            _console_directory(place), nic, set_down=lambda: guestcards.set_down(inside, nic)
        )

    def _inside(self, place: Place, handle: Handle) -> guestcards.RunInside:
        def run_inside(argv: list[str], streams: Streams) -> int:
            return self.exec(place, handle, argv, streams=streams, environment=run.ENVIRONMENT)

        return run_inside

    def _handle(self, place: Place) -> Handle:
        pid = control.read_pid(os.path.join(_console_directory(place), "pid"))
        if pid is None or pid not in process.find_by_argument(build.identity(place.name)):
            raise Failed(f"{place.name} has ended", hint=f"see {place.log}")
        return Handle(pid=pid, started=process.start_time(pid))

    def open_console(self, place: Place) -> int:
        """Open the pipe that the guest's console reads."""
        return ownkernel.open_console(place)

    def find_panic(self, place: Place) -> str | None:
        """Look into its log."""
        return ownkernel.find_panic(place)

    def freeze(self, place: Place) -> None:
        """Hold the processes that the guest is made of still."""
        enginegroup.freeze(place.name)

    def thaw(self, place: Place) -> None:
        """Let them go on."""
        enginegroup.thaw(place.name)

    def is_frozen(self, place: Place) -> bool:
        """Ask the kernel for the freezer of their group."""
        return enginegroup.is_frozen(place.name)

    def kill(self, place: Place) -> None:
        """End all processes of the guest at once, and remove its channel."""
        # A frozen process of a first version's group does not even end.
        enginegroup.thaw(place.name)
        ownkernel.kill_engine(place, build.identity(place.name))
        files.remove_tree(ownkernel.private_directory(place))


def _console_directory(place: Place) -> str:
    """Return the directory that the kernel keeps the socket of its management console in."""
    return os.path.join(ownkernel.private_directory(place), place.name)


def _press_keys(place: Place) -> None:
    """Press Ctrl-Alt-Del: its init is told to shut down, or a kernel whose init does not want to be told restarts, and ends.

    One that does not even hear that is given the time that it has all the same.
    """
    with suppress(Failed):
        mconsole.ask(_console_directory(place), "cad")


def _program() -> str | None:
    return run.find_program(os.environ.get(PROGRAM_VARIABLE) or _PROGRAM)
