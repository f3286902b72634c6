"""``fake``: an approach without virtualization, for tests and for trying things out.

It has a memory: a started guest is a directory below one that the node's kernel is played by, so that the guests of a
process that was killed are found by the next. It refuses what a real engine refuses, and fails when it is told to,
leaving the work half done. Commands run on the node itself.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from wirt.approaches.base import Needs
from wirt.errors import Corrupt, Failed, Unsupported
from wirt.host import files, run
from wirt.host.run import Streams
from wirt.model.capability import Capability, yes
from wirt.model.checkpoint import EARLIER, Obstacle
from wirt.model.counter import UNITS, Counter, Standing
from wirt.model.disk import letter_of
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Drive, Nic, NicKind
from wirt.units import MIB

_AS_A_SHELL_WOULD = ["/bin/sh", "-c", 'exec "$@"', "sh"]
"""What cannot be run is 127 or 126, as in every guest."""


class FakeApproach:
    """Guests that are directories.

    Args:
        directory: what plays the kernel; shared by all processes of a test.
        fail_at: number of the call (the first is 1) to ``start``, ``exec``, ``stop``, ``kill``, ``freeze``,
            ``thaw``, ``adjust``, ``attach_disk``, ``detach_disk``, ``grow_disk``, ``checkpoint``, ``write_ahead`` or
            ``resume`` that fails.
    """

    name = "fake"
    needs = Needs(
        root="tree",
        shifted=False,
        nic=NicKind.TAP,
        routed=True,
        smallest_memory=16 * MIB,
        own_kernel=False,
        takes_privileges=True,
        checkpoints_frozen=True,
    )

    fixed: frozenset[str] = frozenset()
    disk_formats = frozenset({"raw", "qcow2"})
    growing: frozenset[str] = frozenset()

    def __init__(self, directory: str, *, fail_at: int | None = None) -> None:
        self._directory = directory
        self._fail_at = fail_at
        self.calls: list[str] = []
        """The names of the calls so far that change something."""
        self.held: dict[str, int] = {}
        """Counters of every guest that are not 0."""
        self.active = 0
        """Threads of every guest that run."""
        self.obstacles: list[Obstacle] = []
        """What stands in the way of a checkpoint of every guest."""
        self.resumes = True
        """Whether a guest can go on from its memory."""
        self.tracking = yes("changes", "it is looked for")
        """Whether it is known what changes in a guest's memory."""

    def probe_capability(self) -> Capability:
        """Say yes."""
        return yes(self.name, "it needs nothing")

    def start(self, launch: Launch) -> Handle:
        """Make the guest's directory, then its init in it."""
        if self.probe(launch.place) is not Presence.ABSENT:
            raise Failed(f"{launch.place.name} is started already")
        os.makedirs(self._path(launch.place))
        self._count("start")
        self._hold_to(launch.place, launch.limits)
        for drive in launch.disks:
            files.write(self._disk(launch.place, drive), drive.path)
        for nic in (launch.nic, *launch.cards):
            self._carry(launch.place, nic)
        files.write(self._init(launch.place), launch.hostname)
        return Handle()

    def probe(self, place: Place) -> Presence:
        """Look for the guest's directory and its init."""
        if os.path.exists(self._init(place)):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(place)) else Presence.ABSENT

    def wait_ready(self, place: Place, handle: Handle, timeout: float) -> None:
        """Return if the guest runs: it is ready from the start."""
        self._check_running(place)

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
        """Run a command on the node."""
        self._check_running(place)
        self._count("exec")
        return run.attach(
            [*_AS_A_SHELL_WOULD, *argv], streams=streams, environment=environment, cpus=cpus
        )

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """Take the guest away."""
        self._count("stop")
        self._remove(place)

    def kill(self, place: Place) -> None:
        """Take away what there is of the guest."""
        self._count("kill")
        self._remove(place)

    def probe_limits(self) -> dict[str, Capability]:
        """Say yes to each."""
        return {name: yes(name, "it is written down") for name in Limits.__struct_fields__}

    def adjust(self, place: Place, limits: Limits, *, disks: Sequence[str] = ()) -> None:
        """Write the limits down, in the place of the others."""
        self._check_running(place)
        self._count("adjust")
        self._hold_to(place, limits)

    def do_at_reboot(self, place: Place, what: str, script: str) -> None:
        """Write the script down; nobody runs it."""
        self._count("do_at_reboot")
        files.write(os.path.join(self._path(place), f"again.{what}"), script)

    def give_hostname(self, place: Place, hostname: str) -> None:
        """Have the init hold another name."""
        self._check_running(place)
        self._count("give_hostname")
        files.write(self._init(place), hostname)

    def change_card(self, place: Place, before: Nic, after: Nic) -> None:
        """Write what the card has now down, in the place of what it had."""
        self._check_running(place)
        self._count("change_card")
        self._carry(place, after)

    def plug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Write the card down."""
        self._check_running(place)
        self._count("plug")
        self._carry(place, nic)

    def unplug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Strike the card."""
        self._check_running(place)
        self._count("unplug")
        self._drop(place, nic)

    def remember_cards(self, place: Place, nics: Sequence[Nic]) -> None:
        """Write the cards down; nobody makes them."""
        self._count("remember_cards")
        text = "".join(f"{nic.name} {' '.join(nic.addresses)}\n" for nic in nics)
        files.write(os.path.join(self._path(place), "again.cards"), text)

    def count_active(self, place: Place) -> int | None:
        """Return what ``active`` says."""
        return self.active

    def count(self, place: Place) -> list[Counter]:
        """Return what ``held`` says."""
        self._check_running(place)
        return [
            Counter(
                name=name,
                unit=unit,
                held=self.held.get(name, 0),
                standing=Standing.COUNTED,
                reason="somebody said so",
            )
            for name, unit in UNITS.items()
        ]

    def memory_kills(self, place: Place) -> int | None:
        """Return None: nobody is ended here."""
        return None

    def freeze(self, place: Place) -> None:
        """Write down that the guest is held still."""
        self._check_running(place)
        self._count("freeze")
        files.write(self._frozen(place), "")

    def thaw(self, place: Place) -> None:
        """Strike that it is."""
        self._count("thaw")
        if self.is_frozen(place):
            os.unlink(self._frozen(place))

    def is_frozen(self, place: Place) -> bool:
        """Look for what was written down."""
        return os.path.exists(self._frozen(place))

    def grows_disks(self) -> Capability:
        """Say yes."""
        return yes(self.name, "nobody looks")

    def device_of(self, drive: Drive) -> str:
        """Return what would be its name."""
        return f"/dev/fake{letter_of(drive.unit)}"

    def attach_disk(self, place: Place, drive: Drive) -> None:
        """Write the disk down."""
        self._check_running(place)
        self._count("attach_disk")
        files.write(self._disk(place, drive), drive.path)

    def detach_disk(self, place: Place, drive: Drive) -> None:
        """Strike it."""
        self._count("detach_disk")
        os.unlink(self._disk(place, drive))

    def probe_disk(self, place: Place, drive: Drive) -> Presence:
        """Look for it."""
        there = os.path.exists(self._disk(place, drive))
        return present_if(there)

    def grow_disk(self, place: Place, drive: Drive, size: int) -> None:
        """Do nothing: a file is as large as it is."""
        self._check_running(place)
        self._count("grow_disk")

    def probe_checkpoints(self) -> Capability:
        """Say yes."""
        return yes("memory", "there is not much of it")

    def find_obstacles(
        self, place: Place, *, cards: Mapping[str, Collection[str]]
    ) -> list[Obstacle]:
        """Return what ``obstacles`` says."""
        self._check_running(place)
        return list(self.obstacles)

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
        """Copy what the init holds, and write down meanwhile that it stands still."""
        self._check_running(place)
        files.write(self._still(place), "")
        try:
            standing_still()
            self._count("checkpoint")
            with open(self._init(place)) as memory:
                held = memory.read()
            # What has been written ahead is not written again.
            if self._written_ahead(directory) != held:
                files.write(os.path.join(directory, "memory"), held)
            written()
        finally:
            os.unlink(self._still(place))
        if not keep_running:
            self.end(place)

    def probe_tracking(self) -> Capability:
        """Return what ``tracking`` says."""
        return self.tracking

    def tracks(self, place: Place) -> Capability:
        """Return the same."""
        return self.tracking

    def write_ahead(self, place: Place, directory: str) -> None:
        """Copy what the init holds into a file of its own."""
        self._check_running(place)
        self._count("write_ahead")
        with open(self._init(place)) as memory:
            number = len(os.listdir(directory)) + 1
            files.write(os.path.join(directory, f"{EARLIER}{number}"), memory.read())

    def cancel_checkpoint(self, place: Place) -> None:
        """Strike that the guest stands still."""
        if self.is_checkpointing(place):
            os.unlink(self._still(place))

    def is_checkpointing(self, place: Place) -> bool:
        """Look whether it stands still."""
        return os.path.exists(self._still(place))

    def check_memory(self, directory: str) -> None:
        """Look whether it asks for a processor."""
        if os.path.exists(os.path.join(directory, "processor")):
            raise Unsupported("this node's processor is another", hint="use another node")

    def resume_still(self, launch: Launch, directory: str) -> Handle:
        """Start the guest, and freeze it."""
        handle = self.resume(launch, directory)
        files.write(self._frozen(launch.place), "")
        return handle

    def resume(self, launch: Launch, directory: str) -> Handle:
        """Start the guest, with what its init held."""
        try:
            with open(os.path.join(directory, "memory")) as file:
                memory = file.read()
        except FileNotFoundError:
            ahead = self._written_ahead(directory)
            if ahead is None:
                raise Corrupt(f"{directory} holds no memory") from None
            memory = ahead
        self._count("resume")
        if not self.resumes:
            raise Failed("resume was told to fail")
        if self.probe(launch.place) is not Presence.ABSENT:
            raise Failed(f"{launch.place.name} is started already")
        os.makedirs(self._path(launch.place))
        self._hold_to(launch.place, launch.limits)
        for nic in (launch.nic, *launch.cards):
            self._carry(launch.place, nic)
        files.write(self._init(launch.place), memory)
        return Handle()

    def end(self, place: Place) -> None:
        """Let the init end of itself, as by a power cut in the guest: the engine's directory stays behind."""
        os.unlink(self._init(place))

    def _written_ahead(self, directory: str) -> str | None:
        """Return what was written ahead last."""
        number = sum(name.startswith(EARLIER) for name in os.listdir(directory))
        if not number:
            return None
        with open(os.path.join(directory, f"{EARLIER}{number}")) as file:
            return file.read()

    def _check_running(self, place: Place) -> None:
        if self.probe(place) is not Presence.PRESENT:
            raise Failed(f"{place.name} has ended")

    def _count(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) == self._fail_at:
            raise Failed(f"{call} was told to fail")

    def _remove(self, place: Place) -> None:
        files.remove_tree(self._path(place))

    def _path(self, place: Place) -> str:
        return os.path.join(self._directory, place.name)

    def _hold_to(self, place: Place, limits: Limits) -> None:
        """Write limits that are not the usual ones down as the name of a file: whoever lists this kernel sees them."""
        for name in os.listdir(self._path(place)):
            if name.startswith("limits-"):
                os.unlink(os.path.join(self._path(place), name))
        usual = msgspec.structs.asdict(Limits(disk=limits.disk))
        wanted = msgspec.structs.asdict(limits).items()
        values = "-".join(f"{name}={value}" for name, value in wanted if value != usual[name])
        files.write(os.path.join(self._path(place), f"limits-{values}"), "")

    def _carry(self, place: Place, nic: Nic) -> None:
        """Write a card down as a file; whoever lists this kernel sees how many addresses it has."""
        self._drop(place, nic)
        name = f"card-{nic.name}-{nic.mtu}-{len(nic.addresses)}"
        files.write(os.path.join(self._path(place), name), " ".join(nic.addresses))

    def _drop(self, place: Place, nic: Nic) -> None:
        for name in os.listdir(self._path(place)):
            if name.startswith(f"card-{nic.name}-"):
                os.unlink(os.path.join(self._path(place), name))

    def _frozen(self, place: Place) -> str:
        return os.path.join(self._path(place), "frozen")

    def _still(self, place: Place) -> str:
        return os.path.join(self._path(place), "still")

    def _disk(self, place: Place, drive: Drive) -> str:
        return os.path.join(self._path(place), f"disk-{drive.name}")

    def _init(self, place: Place) -> str:
        return os.path.join(self._path(place), "init")
