"""``xen`` and ``xen-pvh``: a guest is a domain beside the node's own system, below both of which is Xen.

The line to the agent is in the guest a console like its first (hvc1), and on the node the pipes of ``ownkernel``. There is no other
on which a command could say that it has ended, so the agent is asked again and again. Files go in through the agent too.
"""

import io
import os
import tarfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from wirt.approaches import enginegroup, guestcommand, keptmachine, ownkernel
from wirt.approaches.base import Needs
from wirt.approaches.hypervisor import MachineSize
from wirt.approaches.xen import build, control, disks, keeper, saving
from wirt.errors import Error, Failed, Unsupported
from wirt.host import files, process, run
from wirt.host.run import SILENT, Streams
from wirt.model.capability import Capability, no, yes
from wirt.model.checkpoint import Obstacle
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import HELD_BY_THE_NODE, Limits
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Drive, NicKind
from wirt.units import MIB

_LINE = guestcommand.Line(signal_device="/dev/null", longest_request=2048, ask_seconds=0.1)
_CAPABILITIES = "/proc/xen/capabilities"
_QEMU = ("/usr/libexec/xen-qemu-system-i386", "/usr/lib/xen/bin/qemu-system-i386")
_COPY_SECONDS = 600.0
_CHUNK = 1024

_UNPACK = 'mkdir -p "$1" && tar -x -C "$1" -f "$2"; s=$?; rm -f "$2"; exit $s'


class Xen:
    """Paravirtualized domains: their kernel knows that it is not alone, and no help of the processor's is needed."""

    name = "xen"
    kind = "pv"
    wants = "pv"
    """What ``xl info`` calls what the hypervisor must be able to do."""
    needs = Needs(
        root="qcow2",
        shifted=False,
        nic=NicKind.VETH,
        smallest_memory=128 * MIB,
        own_kernel=True,
        init=True,
        kernel_image=True,
        terminal=False,
        balloon=True,
    )

    fixed = frozenset({"memory_max"})
    growing: frozenset[str] = frozenset()
    disk_formats = frozenset({"raw", "qcow2"})

    def probe_capability(self) -> Capability:
        """Ask whether the node is Xen's domain 0, has its programs, and a hypervisor that can do it."""
        try:
            is_domain_0 = "control_d" in Path(_CAPABILITIES).read_text()
        except OSError:
            is_domain_0 = False
        if run.find_program("xl") is None:
            return no(
                self.name, "Xen is not installed", "apt-get install xen-system-amd64 and restart"
            )
        if not is_domain_0:
            return no(
                self.name,
                "the node does not run on Xen",
                "restart it with Xen: it is the first choice of the boot menu once it is installed",
            )
        if not any(map(os.path.exists, _QEMU)):
            return no(
                self.name,
                "there is no QEMU for Xen, which serves disks and the line to the agent",
                "apt-get install qemu-system-xen",
            )
        if self.wants not in _hypervisor_can():
            return no(self.name, self._cannot, self._cannot_hint)
        return yes(self.name, self._rests_on)

    _cannot = "this hypervisor has no paravirtualized domains"
    _cannot_hint: str | None = "use xen-pvh"
    _rests_on = "Xen; the guest's kernel is paravirtualized"

    def ask_machine(self) -> MachineSize:
        """Ask the hypervisor, which gives the node's own system a part of what there is."""
        found = control.info()
        return MachineSize(
            processors=tuple(range(int(found["nr_cpus"]))),
            memory=int(found["total_memory"]) * MIB,
        )

    def start(self, launch: Launch) -> Handle:
        """Make the domain, join its consoles to the channel, and let it run."""
        return self._start(launch, most_cpus=len(self.ask_machine().processors))

    def _start(self, launch: Launch, *, most_cpus: int, memory: str | None = None) -> Handle:
        if not isinstance(launch.root, BlockImage) or not launch.kernel:
            raise Failed(f"{self.name} needs an image and a kernel")
        place = launch.place
        if self.probe(place) is not Presence.ABSENT:
            raise Failed(f"{place.name} is started already")
        directory = ownkernel.make_channel(place)
        below = launch.root.backing
        config = control.config_path(place)
        files.write(
            config,
            build.build_config(
                launch,
                launch.root,
                kind=self.kind,
                most_cpus=most_cpus,
                grow=below is not None and launch.limits.disk > os.stat(below).st_size,
            ),
        )
        plain = Limits(cpus=launch.limits.cpus, memory=launch.limits.memory)
        entrances = enginegroup.make(place.name, plain)
        try:
            pid = control.start(config, place.name, entrances=entrances, memory=memory)
            handle = Handle(pid=pid, started=process.start_time(pid))
            domain = control.number_of(place.name)
            self._join_console(place, domain, entrances)
            control.join_agent(domain, directory)
            control.tell("unpause", place.name)
        except BaseException:
            self.kill(place)
            raise
        return handle

    def _join_console(self, place: Place, domain: int, entrances: Sequence[str]) -> None:
        with ownkernel.open_channel(ownkernel.private_directory(place)) as ends:
            log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                control.join_console(
                    domain, source=ends.to_console, target=log, entrances=entrances
                )
            finally:
                os.close(log)

    def probe(self, place: Place) -> Presence:
        """Ask Xen for the domain; what is left of one that has ended is a part."""
        if control.is_there(place.name):
            return Presence.PRESENT
        return Presence.PARTIAL if enginegroup.is_there(place.name) else Presence.ABSENT

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
        """Run a command in the guest, whose virtual processors are bound to ``cpus`` meanwhile."""
        if cpus is not None:
            control.tell("vcpu-pin", place.name, "all", ",".join(map(str, sorted(cpus))))
        try:
            return guestcommand.run_command(
                place, handle, argv, line=_LINE, streams=streams, environment=environment
            )
        finally:
            if cpus is not None:
                control.tell("vcpu-pin", place.name, "all", "all")

    def copy_in(self, place: Place, handle: Handle, source: str, target: str) -> None:
        """Copy files into the guest: as an archive, through the agent."""
        packed = io.BytesIO()
        with (
            files.translated(f"copy {source} for {place.name}"),
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            guestcommand.write_tar(source, target, archive)
        inside = f"/run/wirt-{os.urandom(6).hex()}.tar"
        with ownkernel.open_agent(place, handle, _COPY_SECONDS) as agent:
            agent.write_file(inside, packed.getvalue(), chunk=_CHUNK)
        into = guestcommand.tar_directory(source, target)
        unpack = ["/bin/sh", "-c", _UNPACK, "sh", into, inside]
        status = self.exec(place, handle, unpack, streams=SILENT, environment=run.ENVIRONMENT)
        if status != 0:
            raise Failed(f"the guest could not take {source} as {target}", hint=f"see {place.log}")

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Ask the guest's system to power down, by its agent or else by Xen, and wait until its domain has gone."""
        ownkernel.stop(
            place, handle, timeout, otherwise=lambda: control.tell("shutdown", place.name)
        )
        self.kill(place)

    def probe_limits(self) -> dict[str, Capability]:
        """Say what the hypervisor's scheduler holds domains to."""
        return {limit: _answer(limit) for limit in HELD_BY_THE_NODE}

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Have the guest's balloon take or give back memory, and the hypervisor hold its processors to what they may."""
        before = control.processors(place.name)
        for argv in build.build_adjustments(place.name, limits):
            control.tell(*argv[1:])
        if limits.cpus > before and not control.wait_processors(place.name, limits.cpus):
            self._switch_on(place, limits.cpus)

    def _switch_on(self, place: Place, wanted: int) -> None:
        pid = keeper.find(control.config_path(place), place.name)
        handle = Handle(pid=pid, started=process.start_time(pid))
        try:
            ownkernel.switch_on(place, handle, wanted)
        except Failed:
            # It has no agent, and its system took longer to do it by itself.
            if control.processors(place.name) < wanted:
                raise

    def memory_kills(self, place: Place) -> int | None:
        """Return None: the guest's own kernel does that."""
        return None

    def probe_checkpoints(self) -> Capability:
        """Say yes: Xen itself writes down what a domain holds."""
        return yes(self.name, "Xen keeps the memory of its domains")

    def probe_tracking(self) -> Capability:
        """Say no, and why: all of a domain's memory is written while it stands still."""
        if self.kind == "pv" and "shadow" not in _hypervisor_can():
            return no(
                "changes",
                "this Xen has no shadow paging, without which it does not see what a paravirtualized domain writes",
            )
        return no("changes", "xl sends what a domain writes to another xl alone, and not to files")

    def find_obstacles(
        self, place: Place, *, cards: Mapping[str, Collection[str]]
    ) -> list[Obstacle]:
        """Name the disks that would not go along."""
        return [keptmachine.disk_in_the_way(name) for name in saving.writable_disks(place)]

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
        """Have Xen write down what the domain holds, which is paused from then."""

        def keep() -> None:
            standing_still()
            written()

        saving.save(place, directory, keep)
        if keep_running:
            saving.let_go_on(place)
        else:
            self.kill(place)

    def cancel_checkpoint(self, place: Place) -> None:
        """Have the domain go on, if there is one."""
        if self.probe(place) is Presence.PRESENT:
            saving.let_go_on(place)

    def is_checkpointing(self, place: Place) -> bool:
        """Look for the mark."""
        return self.probe(place) is Presence.PRESENT and saving.is_held(place)

    def check_memory(self, directory: str) -> None:
        """Do nothing: Xen looks at it itself, before the domain goes on."""

    def resume(self, launch: Launch, directory: str) -> Handle:
        """Make the same domain of what it held; its kernel finds the devices, consoles too, that are there now."""
        kept, limits = keptmachine.read(directory, saving.Machine), launch.limits
        keptmachine.check(limits, cpus=kept.cpus, memory=kept.memory)
        if limits.memory < kept.memory:
            limits = msgspec.structs.replace(limits, memory_max=kept.memory)
        return self._start(
            msgspec.structs.replace(launch, limits=limits),
            most_cpus=kept.most_cpus,
            memory=saving.memory_path(directory),
        )

    def grows_disks(self) -> Capability:
        """Say no: what serves the disk reads its size when it is put in."""
        return no(self.name, "a domain reads a disk's size when it gets it", "stop the guest")

    def device_of(self, drive: Drive) -> str:
        """Return what the guest's kernel calls it."""
        return disks.path_in_guest(drive)

    def attach_disk(self, place: Place, drive: Drive) -> None:
        """Refuse it: on the Xen that this was tried on, the agent of a domain that got one was not heard any more."""
        raise _disks_stay(drive)

    def detach_disk(self, place: Place, drive: Drive) -> None:
        """Refuse it, unless it is not in."""
        if self.probe_disk(place, drive) is not Presence.ABSENT:
            raise _disks_stay(drive)

    def probe_disk(self, place: Place, drive: Drive) -> Presence:
        """Ask Xen's store."""
        return disks.probe(place.name, drive)

    def grow_disk(self, place: Place, drive: Drive, size: int) -> None:
        """Refuse: see ``grows_disks``."""
        raise Failed(f"{self.name} cannot tell a running guest that disk {drive.name} has grown")

    def open_console(self, place: Place) -> int:
        """Open the pipe that the domain's console reads."""
        return ownkernel.open_console(place)

    def freeze(self, place: Place) -> None:
        """Let the domain's processors stand still."""
        if not self.is_frozen(place):
            control.tell("pause", place.name)

    def thaw(self, place: Place) -> None:
        """Let them go on, if there are any that do not."""
        if self.is_frozen(place):
            control.tell("unpause", place.name)

    def is_frozen(self, place: Place) -> bool:
        """Ask Xen."""
        return "p" in control.state(place.name)

    def kill(self, place: Place) -> None:
        """Take the domain away at once, and remove its channel."""
        control.destroy(place.name)
        enginegroup.remove(place.name)
        files.remove_tree(ownkernel.private_directory(place))


class XenPvh(Xen):
    """Domains whose kernel the processor runs in a mode of its own, with Xen's devices and nothing emulated."""

    name = "xen-pvh"
    kind = "pvh"
    wants = "hvm"
    _cannot = "Xen has no help of the processor's: neither VT-x nor SVM"
    _cannot_hint = "switch it on in the machine's firmware, or use xen"
    _rests_on = "Xen, with the processor's help"


_HELD_BY = {
    "cpu_weight": "the weight of Xen's scheduler credit2",
    "cpu_limit": "the cap of Xen's scheduler credit2",
    "cpu_pin": "virtual processors are pinned by Xen",
}


def _answer(limit: str) -> Capability:
    name = limit.replace("_", "-")
    if limit in _HELD_BY:
        return yes(name, _HELD_BY[limit])
    return no(
        name,
        "a domain of Xen's is held to CPUs, memory and disk alone",
        "containers (approach lxc) are held to more",
    )


def _hypervisor_can() -> list[str]:
    """Return what ``xl info`` says that the hypervisor can do; nothing if it does not answer."""
    try:
        return control.info().get("virt_caps", "").split()
    except Error:
        return []


def _disks_stay(drive: Drive) -> Unsupported:
    return Unsupported(
        f"disk {drive.name} cannot be put into a running domain of Xen's, or taken out of it",
        hint="stop the guest first",
    )
