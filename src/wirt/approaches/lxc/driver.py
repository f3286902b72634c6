"""``lxc``: a system container under the node's kernel, unprivileged, with an init of its own.

LXC's monitor process is the parent of the container and its only keeper: there is no daemon. The container, its cgroups
and its interface carry the guest's kernel name.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from wirt.approaches.base import Needs
from wirt.approaches.lxc import build, cards, control, exhaustion, holding, reboots
from wirt.errors import Failed, TimedOut
from wirt.host import apparmor, cgroup, files, lxcfs, process, rlimits, run
from wirt.host.bounds import Setting
from wirt.host.run import Streams
from wirt.model.capability import Capability, no, yes
from wirt.model.checkpoint import Obstacle
from wirt.model.counter import Counter
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence
from wirt.model.resources import Nic, NicKind, RootTree
from wirt.units import MIB

_MONITOR_SECONDS = 10.0


class Lxc:
    """System containers by LXC."""

    name = "lxc"
    needs = Needs(
        root="tree",
        shifted=True,
        nic=NicKind.VETH,
        smallest_memory=32 * MIB,
        own_kernel=False,
        init=True,
        routed=True,
        logins=True,
        takes_privileges=True,
        checkpoints_frozen=True,
    )

    fixed: frozenset[str] = frozenset()
    growing: frozenset[str] = frozenset()

    def probe_capability(self) -> Capability:
        """Ask whether LXC and user namespaces are there."""
        if run.find_program("lxc-start") is None:
            return no(self.name, "LXC is not installed", "apt-get install lxc")
        try:
            with open("/proc/sys/user/max_user_namespaces") as limit:
                allowed = int(limit.read())
        except FileNotFoundError:
            allowed = 0
        if allowed == 0:
            return no(
                self.name,
                "this kernel gives no user namespaces",
                "allow them: sysctl user.max_user_namespaces=10000",
            )
        return yes(
            self.name,
            "LXC with user namespaces: root inside is nobody on the node; "
            f"of memory and CPUs {tell_seen()}",
        )

    def start(self, launch: Launch) -> Handle:
        """Write the configuration and start the container."""
        bounds, shares = holding.of_fresh(launch.limits, launch.throttled)
        config = self._configure(launch, bounds)
        place = launch.place
        pid_file = os.path.join(place.run_dir, "monitor.pid")
        # If we die while lxc-start is at work, it goes on without us and makes a container that nobody knows of: the
        # mark tells the next command to look for it.
        nics = (launch.nic, *launch.cards)
        if any(nic.table is not None or nic.routes for nic in nics):
            cards.remember_ways(place, nics)
        files.write(_starting(place), "")
        with rlimits.halved():
            control.start(place.run_dir, place.name, config, place.log, pid_file)
        os.unlink(_starting(place))
        if shares:
            cgroup.Cgroup(place.name).apply(shares)
        with open(pid_file) as said:
            return _handle(int(said.read()))

    def _configure(self, launch: Launch, bounds: Sequence[Setting]) -> str:
        """Write the configuration of a container that does not run, and return its path."""
        if not isinstance(launch.root, RootTree):
            raise Failed(f"{self.name} needs a tree, not an image")
        place = launch.place
        if (
            self.probe(place) is Presence.PRESENT
        ):  # lxc-start would say so in its log, and end with 0
            raise Failed(f"container {place.name} is started already")
        config = _config(place)
        os.makedirs(os.path.dirname(config), mode=0o711, exist_ok=True)
        is_identified = any(nic.node_name or nic.node_mac for nic in launch.cards)
        seen = os.path.isdir(f"/sys/class/net/{launch.nic.bridge}")
        text = build.build_config(
            launch,
            launch.root,
            settings=bounds,
            init="/sbin/init",
            joined_by=None if seen else run.find_program("ip"),
            identified_by=run.find_program("ip") if is_identified else None,
            device_version=(cgroup.version_of("devices") or 2) if launch.devices else 2,
            shown={file: os.path.join(lxcfs.directory(), file) for file in lxcfs.find_files()},
        )
        # The configuration is made anew at every start: it need not survive a power cut.
        files.write(config, text)
        exhaustion.watch(place)
        return config

    def probe(self, place: Place) -> Presence:
        """Ask the kernel for the container's cgroups and its processes."""
        group = cgroup.Cgroup(place.name)
        if group.is_populated():
            return Presence.PRESENT
        half = group.exists() or os.path.exists(_starting(place))
        return Presence.PARTIAL if half else Presence.ABSENT

    def wait_ready(self, place: Place, handle: Handle, timeout: float) -> None:
        """Return: a command can be run as soon as there is an init."""
        if not process.is_alive(handle.pid, handle.started):
            raise Failed(f"container {place.name} has ended", hint=f"see {place.log}")

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
        """Run a command in the container."""
        return control.attach(
            place.run_dir, place.name, argv, streams=streams, environment=environment, cpus=cpus
        )

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Ask the container's init to shut down."""
        if not control.stop(place.run_dir, place.name, timeout):
            raise TimedOut(
                f"the guest did not shut down within {timeout:g} s", hint="pass --force to end it"
            )
        # The monitor is still at taking down what it made; whoever ends it now has to do that instead.
        if handle.pid is not None and process.is_alive(handle.pid, handle.started):
            process.wait_gone(handle.pid, _MONITOR_SECONDS)
        self._clean(place)

    def kill(self, place: Place) -> None:
        """End the container and its monitor at once, and take away what LXC made for them.

        ``lxc-stop --kill`` ends the container alone; its monitor then takes down network and cgroups one after the other,
        which is most of the time that a container takes to go. The kernel takes the network away by itself, and the
        cgroups have to be looked after here anyway, because a container may have lost its monitor.
        """
        if os.path.exists(_starting(place)):
            control.end_starting(place.name)
        self._clean(place)

    def probe_limits(self) -> dict[str, Capability]:
        """Ask the kernel for its controllers."""
        return holding.probe()

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Write the limits to the cgroups of the container."""
        try:
            holding.remember(place, limits, disks)
            holding.hold(place.name, limits, disks)
            holding.bound_files(place.name, _config(place), limits.files)
            holding.bound_terminals(place.name, limits.terminals)
        except Failed as error:
            raise Failed(
                f"the kernel does not hold {place.name} to these limits: {error.message}",
                hint="it may hold more memory than that: let it free some, or stop it first",
            ) from error

    def do_at_reboot(self, place: Place, what: str, script: str) -> None:
        """Put the script beside LXC's hook."""
        reboots.remember(place, what, script)

    def give_hostname(self, place: Place, hostname: str) -> None:
        """Say it to the kernel in the container's own space of names."""
        # Loaded here: no other command needs it.
        from wirt.approaches.lxc import hostname as own

        own.give(place, hostname)

    def change_card(self, place: Place, before: Nic, after: Nic) -> None:
        """Change it in the container's network."""
        cards.change(place, before, after)

    def plug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Make it with its other end in the container's network."""
        cards.plug(place, nic)

    def remember_cards(self, place: Place, nics: Sequence[Nic]) -> None:
        """Put scripts that make them beside LXC's hooks."""
        cards.remember(place, nics)

    def network_of(self, place: Place) -> str:
        """Return that of its init."""
        return cards.network_of(place)

    def unplug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Delete it, or fetch the node's device back."""
        cards.unplug(place, nic)

    def count(self, place: Place) -> list[Counter]:
        """Ask the container's cgroup, its processes and its network."""
        # Loaded here: no other command needs it.
        from wirt.approaches.lxc import counters

        return counters.count(place.name)

    def count_active(self, place: Place) -> int | None:
        """Ask for the threads of the container's control group."""
        # Loaded here: only one command needs it.
        from wirt.host import processusage

        pids = cgroup.Cgroup(control.payload_group(place.name)).pids()
        return processusage.count_active(pids) if pids else None

    def memory_kills(self, place: Place) -> int | None:
        """Ask the kernel's count."""
        # Loaded here: only one command needs it.
        from wirt.host import cgroupusage

        return cgroupusage.measure(cgroup.Cgroup(control.payload_group(place.name))).killed

    def find_panic(self, place: Place) -> str | None:
        """Read what its control group counted."""
        return exhaustion.find(place)

    def freeze(self, place: Place) -> None:
        """Freeze the cgroup of the container."""
        cgroup.Cgroup(place.name).freeze()

    def thaw(self, place: Place) -> None:
        """Thaw the cgroup of the container."""
        cgroup.Cgroup(place.name).thaw()

    def is_frozen(self, place: Place) -> bool:
        """Ask the kernel for the cgroup's freezer; whoever was killed while it froze has left it frozen."""
        return cgroup.Cgroup(place.name).is_freezing()

    def probe_checkpoints(self) -> Capability:
        """Ask CRIU."""
        from wirt.approaches.lxc import criu

        return criu.probe()

    def find_obstacles(
        self, place: Place, *, cards: Mapping[str, Collection[str]]
    ) -> list[Obstacle]:
        """Ask its systemd whether it is through, and look at the container's processes, mounts and network."""
        from wirt.approaches.lxc import booting, obstacles

        return [*booting.find(place), *obstacles.find(place.name, cards)]

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
        """Have CRIU dump the container, and end what is left of it if it ends."""
        from wirt.approaches.lxc import checkpoint

        checkpoint.dump(
            place,
            directory,
            keep_running=keep_running,
            standing_still=standing_still,
            written=written,
        )
        if not keep_running:
            # The container has ended; its monitor would be at its own end for longer than this takes.
            self.kill(place)

    def probe_tracking(self) -> Capability:
        """Ask CRIU."""
        from wirt.approaches.lxc import criu

        return criu.probe_tracking()

    def tracks(self, place: Place) -> Capability:
        """Ask the kernel, CRIU, and what the processes have open."""
        from wirt.approaches.lxc import checkpoint

        return checkpoint.probe_tracking(place)

    def write_ahead(self, place: Place, directory: str) -> None:
        """Have CRIU dump the container's memory alone."""
        from wirt.approaches.lxc import checkpoint

        checkpoint.write_ahead(place, directory)

    def cancel_checkpoint(self, place: Place) -> None:
        """Have CRIU let the container go on."""
        from wirt.approaches.lxc import checkpoint

        checkpoint.let_go_on(place)

    def is_checkpointing(self, place: Place) -> bool:
        """Look for what a dump has put beside the configuration."""
        from wirt.approaches.lxc import checkpoint

        return checkpoint.is_dumping(place)

    def check_memory(self, directory: str) -> None:
        """Have CRIU compare the processors."""
        from wirt.approaches.lxc import checkpoint

        checkpoint.check_processor(directory)

    def resume(self, launch: Launch, directory: str) -> Handle:
        """Have CRIU restore the container below a new monitor, then hold it to its limits."""
        return self._resume(launch, directory, is_still=False)

    def resume_still(self, launch: Launch, directory: str) -> Handle:
        """Have CRIU freeze the container's group before it lets go of its processes, then freeze the group around that."""
        from wirt.approaches.lxc import stillness

        handle = self._resume(launch, directory, is_still=True)
        stillness.widen(launch.place)
        return handle

    def _resume(self, launch: Launch, directory: str, *, is_still: bool) -> Handle:
        from wirt.approaches.lxc import checkpoint

        place = launch.place
        self._configure(launch, [])
        files.write(_starting(place), "")
        monitor = checkpoint.restore(launch, directory, is_still=is_still)
        os.unlink(_starting(place))
        self.adjust(place, launch.limits, disks=launch.throttled)
        return _handle(monitor)

    def _clean(self, place: Place) -> None:
        """Take away what LXC made for the container and its monitor, and whatever runs in it."""
        group = cgroup.Cgroup(place.name)
        group.kill()
        group.remove()
        apparmor.remove_profiles(control.profile_prefix(place.name))
        files.remove_tree(control.lock_directory(place.run_dir))
        control.sweep_locks(place.run_dir)
        with suppress(FileNotFoundError):
            os.unlink(_starting(place))


def _handle(monitor: int) -> Handle:
    return Handle(pid=monitor, started=process.start_time(monitor))


def _config(place: Place) -> str:
    return control.config_path(place.run_dir, place.name)


def _starting(place: Place) -> str:
    """Return the path of the mark that is there while lxc-start is at work."""
    return os.path.join(place.run_dir, "starting")


def tell_seen() -> str:
    """Return whose memory and CPUs a container sees, and what would have it see its own."""
    if lxcfs.find_files():
        return "lxcfs shows it its own"
    if run.find_program("lxcfs") is None:
        return "without lxcfs it sees the node's (apt-get install lxcfs)"
    return f"it sees the node's, for lxcfs does not run (systemctl start lxcfs, or lxcfs {lxcfs.directory()})"
