"""``qemu`` and ``kvm``: an unmodified guest on a machine that QEMU provides.

Both are the same machine and the same guest; only who executes its instructions differs: QEMU's translator, or the
processor itself. The kernel of the guest is the template's own, booted directly. The machine is q35 and not microvm,
which starts a second sooner but cannot power off.
"""

import os
import socket
import tarfile
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec

from wirt.approaches import enginegroup, guestcards, guestcommand, keptmachine, ownkernel
from wirt.approaches.base import Needs, Sent
from wirt.approaches.qemu import (
    build,
    cards,
    control,
    cpus,
    disks,
    flushing,
    holding,
    kin,
    machine,
    moving,
    probe,
    saving,
    slots,
    throttle,
)
from wirt.approaches.qemu.machine import Machine
from wirt.approaches.qemu.monitor import connected, talking
from wirt.errors import Error, Failed
from wirt.host import affinity, files, lock, process, run
from wirt.host.run import SILENT, Streams
from wirt.model.capability import Capability, no, yes
from wirt.model.checkpoint import Obstacle
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Drive, Nic, NicKind
from wirt.units import MIB

_LINE = guestcommand.Line(signal_device=build.SIGNAL_DEVICE, longest_request=1 << 20)

_COPY_SECONDS = 600.0
_STALL_SECONDS = 30.0

_UNPACK = """\
mkdir -p "$1" && tar -x -C "$1" -f "$2" && exit
# Read the rest, or the node would wait for ever to write it.
cat "$2" >/dev/null
exit 1
"""


class Qemu:
    """Guests whose processor is emulated."""

    name = "qemu"
    accelerator = "tcg"
    needs = Needs(
        root="qcow2",
        shifted=False,
        nic=NicKind.TAP,
        smallest_memory=128 * MIB,
        own_kernel=True,
        init=True,
        kernel_image=True,
        firmware=True,
        terminal=False,
        most_cards=slots.MOST_CARDS,
        balloon=True,
    )

    fixed = frozenset({"memory_max"})
    growing = frozenset({"cpus"})
    disk_formats = frozenset({"raw", "qcow2"})

    def probe_capability(self) -> Capability:
        """Ask whether QEMU is installed and a guest can be joined to the bridge."""
        if run.find_program(build.PROGRAM) is None:
            return no(self.name, "QEMU is not installed", "apt-get install qemu-system-x86")
        if not os.path.exists("/dev/net/tun"):
            return no(self.name, "there is no /dev/net/tun", "load the module: modprobe tun")
        return yes(self.name, "QEMU's translator (TCG) emulates the processor")

    def start(self, launch: Launch) -> Handle:
        """Make the channel and start the machine."""
        wanted = machine.of_limits(
            launch.limits, node_cpus=len(affinity.usable()), emulated=self.accelerator == "tcg"
        )
        handle = self._start(launch, wanted)
        if launch.limits.memory < wanted.given:
            # The guest gives it away when it has a driver for that.
            control.ask_for_memory(ownkernel.private_directory(launch.place), launch.limits.memory)
        return handle

    def _start(self, launch: Launch, wanted: Machine, *, waits: bool = False) -> Handle:
        if not isinstance(launch.root, BlockImage):
            raise Failed(f"{self.name} needs an image, not a tree")
        below = launch.root.backing
        if below is not None and launch.kernel is None:
            raise Failed(f"{self.name} needs a kernel for a root without a boot loader")
        place = launch.place
        if self.probe(place) is not Presence.ABSENT:
            raise Failed(f"{place.name} is started already")
        directory = ownkernel.make_channel(place, launch.owner)
        argv = build.build_argv(
            launch,
            launch.root,
            machine=wanted,
            accelerator=self.accelerator,
            kernel=launch.kernel,
            ramdisk=launch.initrd,
            grow=below is not None and launch.limits.disk > os.stat(below).st_size,
            waits=waits,
        )
        try:
            pid = control.start(
                argv,
                build.identity(place.name),
                directory=directory,
                log=place.log,
                entrances=enginegroup.make(place.name, launch.limits),
            )
            if launch.limits.bounds_io:
                with talking(directory) as monitor:
                    throttle.hold(monitor, launch.limits)
        except BaseException:
            self.kill(place)
            raise
        return Handle(pid=pid, started=process.start_time(pid))

    def probe(self, place: Place) -> Presence:
        """Ask the kernel for the guest's process."""
        return ownkernel.probe_engine(place, build.identity(place.name))

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
        """Run a command in the guest, whose machine is bound to ``cpus`` meanwhile, and the command to as many of the guest's own.

        On two that share one of the node's, programs that wait for each other wait for the node's scheduler.
        """
        bound = ["taskset", affinity.mask(frozenset(range(len(cpus))))] if cpus else []
        with affinity.bound(lambda: enginegroup.find(place.name, build.identity(place.name)), cpus):
            return guestcommand.run_command(
                place, handle, [*bound, *argv], line=_LINE, streams=streams, environment=environment
            )

    def copy_in(self, place: Place, handle: Handle, source: str, target: str) -> None:
        """Copy files into the guest: as an archive through a port of their own, ten times faster than the agent's."""
        directory = ownkernel.private_directory(place)
        into = guestcommand.tar_directory(source, target)

        def unpack() -> int:
            return self.exec(
                place,
                handle,
                ["/bin/sh", "-c", _UNPACK, "sh", into, build.FILES_DEVICE],
                streams=SILENT,
                environment=run.ENVIRONMENT,
            )

        busy = lock.hold(f"{directory}/files.lock", "the guest's file port", wait=_COPY_SECONDS)
        with (
            busy,
            files.translated(f"copy {source} into {place.name}"),
            ThreadPoolExecutor(max_workers=1) as worker,
            connected(directory, build.FILES_SOCKET) as connection,
        ):
            connection.settimeout(_STALL_SECONDS)
            unpacking = worker.submit(unpack)
            with (
                connection.makefile("wb") as stream,
                tarfile.open(fileobj=stream, mode="w|") as archive,
            ):
                guestcommand.write_tar(source, target, archive)
            # Only our half: what is still on its way would be dropped with the connection.
            connection.shutdown(socket.SHUT_WR)
            status = unpacking.result()
        if status != 0:
            raise Failed(f"the guest could not take {source} as {target}", hint=f"see {place.log}")

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Ask the guest's system to power down, by its agent or else by the power button, and wait for QEMU's end."""
        directory = ownkernel.private_directory(place)
        ownkernel.stop(place, handle, timeout, otherwise=lambda: control.power_down(directory))
        self.kill(place)

    def probe_limits(self) -> dict[str, Capability]:
        """Ask the kernel for its controllers; disks QEMU holds itself."""
        return {**enginegroup.probe(), **throttle.probe()}

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Hold QEMU to what the node holds it to, and have the guest give or take memory and processors."""
        enginegroup.hold(place.name, limits)
        with talking(ownkernel.private_directory(place)) as monitor:
            throttle.hold(monitor, limits)
        control.balloon(ownkernel.private_directory(place), limits.memory)
        cpus.plug(place, self._handle(place), limits.cpus)

    def memory_kills(self, place: Place) -> int | None:
        """Return None: the guest's own kernel does that."""
        return None

    def screen_socket(self, place: Place) -> str:
        """Return QEMU's own socket."""
        return os.path.join(ownkernel.private_directory(place), build.SCREEN_SOCKET)

    def open_console(self, place: Place) -> int:
        """Open the pipe that the guest's first serial line reads."""
        return ownkernel.open_console(place)

    def grows_disks(self) -> Capability:
        """Say yes: QEMU tells the guest."""
        return yes(self.name, "a running guest is told")

    def device_of(self, drive: Drive) -> str:
        """Return what udev in the guest calls it."""
        return disks.path_in_guest(drive)

    def attach_disk(self, place: Place, drive: Drive) -> None:
        """Put it behind the machine's bridge."""
        with talking(ownkernel.private_directory(place)) as monitor:
            disks.attach(monitor, drive)
            throttle.join(monitor)

    def detach_disk(self, place: Place, drive: Drive) -> None:
        """Take it from behind the machine's bridge."""
        with talking(ownkernel.private_directory(place)) as monitor:
            disks.detach(monitor, drive)

    def probe_disk(self, place: Place, drive: Drive) -> Presence:
        """Ask QEMU, if it runs."""
        if self.probe(place) is not Presence.PRESENT:
            return Presence.ABSENT
        with talking(ownkernel.private_directory(place)) as monitor:
            return disks.probe(monitor, drive)

    def grow_disk(self, place: Place, drive: Drive, size: int) -> None:
        """Have QEMU tell the guest."""
        with talking(ownkernel.private_directory(place)) as monitor:
            disks.grow(monitor, drive, size)

    def change_card(self, place: Place, before: Nic, after: Nic) -> None:
        """Have the guest's agent do it; what boots by itself looks after its own addresses."""
        with talking(ownkernel.private_directory(place)) as monitor:
            has_agent = control.has_kernel(monitor)
        if has_agent:
            guestcards.change(self._inside(place, self._handle(place)), before, after)

    def plug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Put it behind the machine's bridge, and have the guest's agent set it up."""
        directory = ownkernel.private_directory(place)

        def put_in() -> bool:
            with talking(directory) as monitor:
                if cards.has(monitor, nic):
                    return False
            if has_agent:
                # Whoever does not answer would not let go of it either, and it could not be undone.
                ownkernel.check_agent(place, handle)
            with talking(directory) as monitor:
                cards.attach(monitor, nic)
            return True

        with talking(directory) as monitor:
            has_agent = control.has_kernel(monitor)
        if has_agent:
            guestcards.plug(self._inside(place, handle), nic, put_in=put_in)
        else:
            put_in()

    def unplug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Take it from behind the machine's bridge."""
        with talking(ownkernel.private_directory(place)) as monitor:
            cards.detach(monitor, nic)

    def _inside(self, place: Place, handle: Handle) -> guestcards.RunInside:
        def run_inside(argv: list[str], streams: Streams) -> int:
            return self.exec(place, handle, argv, streams=streams, environment=run.ENVIRONMENT)

        return run_inside

    def flush(self, place: Place) -> None:
        """Have the guest's agent hold its file systems still."""
        flushing.flush(place, self._handle(place))

    def release(self, place: Place) -> None:
        """Let them go on; the machine too, without which nobody would hear it."""
        if self.probe(place) is Presence.PRESENT:
            self.thaw(place)
            flushing.release(place, self._handle(place))

    def is_flushed(self, place: Place) -> bool:
        """Look for the mark."""
        return self.probe(place) is Presence.PRESENT and flushing.is_flushed(place)

    def _handle(self, place: Place) -> Handle:
        pids = enginegroup.find(place.name, build.identity(place.name))
        if not pids:
            raise Failed(f"{place.name} has ended", hint=f"see {place.log}")
        return Handle(pid=pids[0], started=process.start_time(pids[0]))

    def freeze(self, place: Place) -> None:
        """Let the machine's processors stand still; its disk's file holds then all that the guest has had written."""
        control.pause(ownkernel.private_directory(place))

    def thaw(self, place: Place) -> None:
        """Let the machine's processors go on, if there is a machine."""
        if self.probe(place) is Presence.PRESENT:
            control.go_on(ownkernel.private_directory(place))

    def is_frozen(self, place: Place) -> bool:
        """Ask QEMU, if it runs."""
        return self.probe(place) is Presence.PRESENT and control.is_paused(
            ownkernel.private_directory(place)
        )

    def find_panic(self, place: Place) -> str | None:
        """Look into its log."""
        return ownkernel.find_panic(place)

    def is_stalled(self, place: Place) -> bool:
        """Ask QEMU, if it runs."""
        return self.probe(place) is Presence.PRESENT and control.is_out_of_room(
            ownkernel.private_directory(place)
        )

    def try_again(self, place: Place) -> None:
        """Let the machine's processors go on."""
        control.go_on(ownkernel.private_directory(place))

    def probe_checkpoints(self) -> Capability:
        """Say yes: QEMU itself writes down what its machine holds."""
        return yes(self.name, "QEMU keeps memory and devices of its machines")

    def find_obstacles(
        self, place: Place, *, cards: Mapping[str, Collection[str]]
    ) -> list[Obstacle]:
        """Ask QEMU which devices it could not write down, and which disks would not go along."""
        with talking(ownkernel.private_directory(place)) as monitor:
            blocked = monitor.execute("query-migrate").get("blocked-reasons", [])
            written = disks.find_writable(monitor)
        return [keptmachine.disk_in_the_way(name) for name in written] + [
            Obstacle(what="QEMU", reason=f"says no: {reason}", hint="stop the guest instead")
            for reason in blocked
        ]

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
        """Have QEMU write down what its machine holds, which stands still from before that."""

        def keep() -> None:
            # Until its memory is written, QEMU may still write to its disk's image.
            standing_still()
            written()

        saving.save(place, directory, keep)
        if keep_running:
            holding.let_go_on(place)
        else:
            ownkernel.kill_engine(place, build.identity(place.name))

    def cancel_checkpoint(self, place: Place) -> None:
        """Have the machine go on, if there is one."""
        if self.probe(place) is Presence.PRESENT:
            holding.let_go_on(place)

    def is_checkpointing(self, place: Place) -> bool:
        """Look for the mark."""
        return self.probe(place) is Presence.PRESENT and holding.is_held(place)

    def check_memory(self, directory: str) -> None:
        """Do nothing: QEMU looks at it itself, before the machine goes on."""

    def resume(self, launch: Launch, directory: str) -> Handle:
        """Start the same machine, and have it go on from what it held."""
        kept, limits = keptmachine.read(directory, Machine), launch.limits
        keptmachine.check(limits, cpus=kept.cpus, memory=kept.given)
        handle = self._start(launch, kept, waits=True)
        saving.load(launch.place, directory)
        if limits.memory < kept.given:
            control.ask_for_memory(ownkernel.private_directory(launch.place), limits.memory)
        # Its clock goes on from where it was. One whose agent does not answer has to find out by itself.
        with suppress(Error):
            ownkernel.set_clock(launch.place, handle)
        return handle

    def describe_machine(self, place: Place) -> str:
        """Ask QEMU what its machine is, and who it is itself."""
        with talking(ownkernel.private_directory(place)) as monitor:
            found = kin.ask(monitor, self.accelerator)
        return msgspec.json.encode(found).decode()

    def check_machine(self, machine: str) -> None:
        """Compare the QEMU over there, and under KVM the processor, with those of this node."""
        kin.check(msgspec.json.decode(machine, type=kin.Kin), self.accelerator)

    def await_machine(self, launch: Launch, machine: str) -> Handle:
        """Start the same machine, which waits, and have it listen."""
        wanted = msgspec.json.decode(machine, type=kin.Kin).machine
        handle = self._start(launch, wanted, waits=True)
        moving.open_gates(launch.place)
        return handle

    def gates(self, place: Place) -> dict[str, str]:
        """Return the sockets that QEMU listens at."""
        directory = ownkernel.private_directory(place)
        return {what: os.path.join(directory, name) for what, name in moving.GATES.items()}

    def send_machine(
        self,
        place: Place,
        gates: Mapping[str, str],
        *,
        downtime: float,
        standing_still: Callable[[], None],
    ) -> Sent:
        """Have QEMU send disk, memory and devices to the other one."""
        return moving.send(
            place,
            gates,
            emulated=self.accelerator == "tcg",
            downtime=downtime,
            standing_still=standing_still,
        )

    def take_machine(self, place: Place) -> float:
        """Have QEMU go on with what it was sent."""
        return moving.take(place)

    def kill(self, place: Place) -> None:
        """End the machine at once, and remove its channel."""
        ownkernel.kill_engine(place, build.identity(place.name))
        files.remove_tree(ownkernel.private_directory(place))


class Kvm(Qemu):
    """Guests whose instructions the processor executes itself.

    Args:
        directory: where the probe's answer is kept until the next boot of the node; None: nowhere.
    """

    name = "kvm"
    accelerator = "kvm"

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory

    def probe_capability(self) -> Capability:
        """Let KVM run what a stock kernel does first: that /dev/kvm opens proves nothing."""
        if run.find_program(build.PROGRAM) is None:
            return super().probe_capability()
        answer = probe.probe_kvm(self._directory)
        basis = super().probe_capability()
        return answer if basis.available or not answer.available else basis
