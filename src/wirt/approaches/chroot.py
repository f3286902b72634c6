"""``chroot``: processes confined below a directory, nothing else.

No engine, no init, no card: a started chroot is its root with the kernel's file systems mounted in it, and the commands
that run there. Which root belongs to a guest is kept as a link in its run directory, written before anything is mounted.
"""

import os

from wirt.approaches.base import Needs
from wirt.errors import Failed
from wirt.host import mount, process, pumps, run
from wirt.host.run import Streams
from wirt.model.capability import Capability, no, yes
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.presence import Presence
from wirt.model.resources import NicKind, RootTree
from wirt.units import MIB

_GONE_SECONDS = 5.0
_ROUNDS = 20
"""A dying process may have forked between our look and our signal."""


class Chroot:
    """The oldest approach."""

    name = "chroot"
    needs = Needs(
        root="tree",
        shifted=False,
        nic=NicKind.ALIAS,
        smallest_memory=MIB,
        own_kernel=False,
        own_hostname=False,
    )

    def probe_capability(self) -> Capability:
        """Ask whether the program is there; the kernel call always is, for root."""
        if run.find_program("chroot") is None:
            return no(self.name, "the program chroot is not installed", "apt-get install coreutils")
        return yes(self.name, "chroot(2), for root; CPUs and memory are not bounded")

    def start(self, launch: Launch) -> Handle:
        """Mount the kernel's file systems in the root."""
        if not isinstance(launch.root, RootTree):
            raise Failed(f"{self.name} needs a tree, not an image")
        if self.probe(launch.place) is Presence.PRESENT:
            raise Failed(f"{launch.place.name} is started already")
        root = launch.root.path
        link = _link(launch.place)
        if not os.path.islink(link):
            os.symlink(root, link)
        for name in ("proc", "sys", "dev"):
            # A link that was planted here would have us mount over a directory of the node.
            if os.path.islink(f"{root}/{name}"):
                raise Failed(
                    f"/{name} of {launch.hostname} is a symbolic link, nothing is mounted through it",
                    hint="destroy the guest and make it anew",
                )
            os.makedirs(f"{root}/{name}", exist_ok=True)
        if not mount.is_mounted(f"{root}/sys"):
            mount.mount("sysfs", f"{root}/sys", "sysfs", mount.MS_RDONLY | mount.MS_NOSUID)
        if not mount.is_mounted(f"{root}/dev"):
            mount.bind("/dev", f"{root}/dev")
        # proc is last: it is what probe takes for the whole.
        if not mount.is_mounted(f"{root}/proc"):
            mount.mount("proc", f"{root}/proc", "proc", mount.MS_NOSUID | mount.MS_NODEV)
        return Handle()

    def probe(self, place: Place) -> Presence:
        """Ask the kernel whether the root has its proc mounted."""
        root = _root(place)
        if root is None:
            return Presence.ABSENT
        # Asked of this one directory, not of the list of all mounts, which is as long as there are guests.
        return Presence.PRESENT if os.path.ismount(f"{root}/proc") else Presence.PARTIAL

    def wait_ready(self, place: Place, handle: Handle, timeout: float) -> None:
        """Return if the root is mounted: there is nothing to wait for."""
        if self.probe(place) is not Presence.PRESENT:
            raise Failed(f"chroot {place.name} has ended")

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
        """Run a command below the root."""
        root = _root(place)
        if root is None:
            raise Failed(f"the root of {place.name} is not mounted")
        with pumps.apart(streams) as handed:
            return run.attach(
                ["/usr/sbin/chroot", root, *argv],
                streams=handed,
                environment=environment,
                cpus=cpus,
            )

    def stop(self, place: Place, handle: Handle, timeout: float) -> None:
        """End the processes below the root; there is no init to ask."""
        self.kill(place)

    def kill(self, place: Place) -> None:
        """End the processes below the root and unmount the kernel's file systems."""
        root = _root(place)
        if root is None:
            return
        for _ in range(_ROUNDS):
            inside = _processes_below(root)
            if not inside:
                break
            for pid in inside:
                process.end(pid)
            for pid in inside:
                process.wait_gone(pid, _GONE_SECONDS)
        else:
            raise Failed(f"processes {_processes_below(root)} below {root} do not end")
        for name in ("proc", "dev", "sys"):
            mount.unmount(f"{root}/{name}")
        os.unlink(_link(place))


def _link(place: Place) -> str:
    return os.path.join(place.run_dir, "chroot")


def _root(place: Place) -> str | None:
    try:
        return os.readlink(_link(place))
    except OSError:
        return None


def _processes_below(root: str) -> list[int]:
    inside = []
    for pid in process.list_pids():
        try:
            seen = os.readlink(f"/proc/{pid}/root")
        except OSError:
            continue
        if seen == root or seen.startswith(f"{root}/"):
            inside.append(pid)
    return inside
