"""Control groups behind one face, whether the kernel's are v1, hybrid or v2.

A group of ours has the same name in every hierarchy. Where a v2 tree is mounted, even one without controllers beside
v1 ones, it keeps track of the processes: its kill and freeze take a whole group at once, forks included. Only pure v1
needs the freezer for that.
"""

import errno
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from signal import SIGKILL

import msgspec

from wirt.errors import Failed, InvalidInput, NotPermitted, TimedOut
from wirt.host import process
from wirt.host.bounds import CONTROLLERS, Setting
from wirt.host.kerneltree import KernelTree
from wirt.host.mountinfo import parse_mounts

_WANTED = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
"""v2 controllers that are switched on for the children of a group's ancestors."""
_NO_CONTROLLERS = frozenset({"rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode"})
"""Mount options of a v1 hierarchy that are no controllers."""
_LOOK_MILLISECONDS = 100
"""How long the kernel may take to say that a group has changed: it says so of each only every few milliseconds."""
_PATIENCE = 10.0
"""Seconds that the kernel gets to freeze, kill or let go of a group."""


class Hierarchy(msgspec.Struct, frozen=True, kw_only=True):
    """One mounted tree of control groups."""

    path: str
    version: int
    controllers: frozenset[str]


def find_hierarchies(tree: KernelTree | None = None) -> list[Hierarchy]:
    """Return the mounted trees, v2 first; named v1 trees, which only keep track, have no controllers."""
    tree = tree or KernelTree()
    found: dict[str, Hierarchy] = {}
    for mount in parse_mounts(tree.lines("/proc/self/mountinfo")):
        if mount.type == "cgroup2":
            listed = (tree.text(f"{mount.mount_point}/cgroup.controllers") or "").split()
            version = 2
        elif mount.type == "cgroup":
            options = mount.super_options.split(",")
            listed = [o for o in options if o not in _NO_CONTROLLERS and "=" not in o]
            version = 1
        else:
            continue
        # A tree that is mounted twice has the same device number both times.
        found.setdefault(
            mount.device_number,
            Hierarchy(path=mount.mount_point, version=version, controllers=frozenset(listed)),
        )
    return sorted(found.values(), key=lambda h: -h.version)


def list_controllers(hierarchies: Sequence[Hierarchy]) -> frozenset[str]:
    """Return every controller that can be used."""
    return frozenset().union(*(h.controllers for h in hierarchies))


def version_of(controller: str, hierarchies: Sequence[Hierarchy] | None = None) -> int | None:
    """Return the version (1 or 2) of the tree that has this controller; None if none has."""
    for hierarchy in find_hierarchies() if hierarchies is None else hierarchies:
        if controller in hierarchy.controllers:
            return hierarchy.version
    return None


def find_versions(hierarchies: Sequence[Hierarchy]) -> dict[str, int]:
    """Return the version of the tree that each controller for limits is in; those that the node lacks are left out."""
    found = {name: version_of(name, hierarchies) for name in CONTROLLERS}
    return {name: version for name, version in found.items() if version is not None}


def has_file(controller: str, name: str, hierarchies: Sequence[Hierarchy]) -> bool:
    """Return whether the groups of a controller have this file: a kernel may be built, or started, without it.

    The root of a tree lacks some. If there is no group below it that has the controller, the file is taken to be there.
    """
    for hierarchy in hierarchies:
        if controller in hierarchy.controllers:
            top = Path(hierarchy.path)
            groups = [below for below in top.iterdir() if below.is_dir()]
            if hierarchy.version == 2 and controller not in _switched_on(top):
                groups = []
            return not groups or any((group / name).exists() for group in (top, *groups))
    return False


class Cgroup:
    """One group of ours; ``name`` is its path below the root of every hierarchy, such as ``wabcd-12ab34``."""

    def __init__(self, name: str, hierarchies: Sequence[Hierarchy] | None = None) -> None:
        if {"", ".", ".."} & set(name.split("/")):
            # Killing the group "." would kill everything on the node.
            raise InvalidInput(f"{name!r} names no cgroup of its own")
        self.name = name
        self.hierarchies = find_hierarchies() if hierarchies is None else hierarchies

    def exists(self) -> bool:
        """Return whether the group is there in any hierarchy."""
        return bool(self._directories())

    def ensure(self) -> None:
        """Make the group in every hierarchy.

        Raises:
            NotPermitted, Failed: the kernel refused.
        """
        for hierarchy in self.hierarchies:
            directory = Path(hierarchy.path)
            for part in self.name.split("/"):
                if hierarchy.version == 2:
                    _pass_on(directory)
                directory /= part
                _mkdir(directory)
                if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
                    _inherit_cpuset(directory)

    def add(self, pid: int) -> None:
        """Move a process into the group; what it forks from now on is in it as well.

        Raises:
            NotPermitted, Failed: the kernel refused, or the process or the group is gone.
        """
        for hierarchy in self.hierarchies:
            _write(self._directory(hierarchy) / "cgroup.procs", str(pid))

    def entrances(self) -> list[str]:
        """Return the files of the group that a process writes its id to in order to be in it."""
        return [str(self._directory(h) / "cgroup.procs") for h in self.hierarchies]

    def apply(self, settings: Sequence[Setting]) -> None:
        """Write settings to the group, in their order.

        Raises:
            NotPermitted, Failed: the kernel refused one, or the group is gone; those before it stand.
        """
        for setting in settings:
            for path in self.files_of(setting):
                if not (setting.is_optional and path.parent.exists() and not path.exists()):
                    _write(path, setting.value)

    def files_of(self, setting: Setting) -> list[Path]:
        """Return the files that a setting is written to, whether they are there or not."""
        return [
            self._directory(hierarchy) / setting.file
            for hierarchy in self.hierarchies
            if setting.controller in hierarchy.controllers
        ]

    def is_populated(self) -> bool:
        """Return whether a process is in the group or below it; a v2 tree says so in one look."""
        tracker = self._tracker()
        if tracker is not None and "populated 1" in _read(tracker / "cgroup.events"):
            return True
        return any(
            _read(below / "cgroup.procs") for top in self._directories() for below in _walk(top)
        )

    def pids(self) -> list[int]:
        """Return the processes in the group and in groups below it."""
        found: set[int] = set()
        for directory in self._directories():
            for below in _walk(directory):
                found |= {int(line) for line in _read(below / "cgroup.procs").split()}
        return sorted(found)

    def kill(self) -> None:
        """Kill every process of the group and wait until they are gone; no error if there is none.

        Raises:
            TimedOut: some did not die, as one stuck in the kernel would not.
        """
        if not self.is_populated():
            return
        tracker = self._tracker()
        if tracker is not None and (tracker / "cgroup.kill").exists():
            _write(tracker / "cgroup.kill", "1")
            _wait_unpopulated(tracker)
        elif tracker is not None:
            # Frozen processes cannot fork away from us; the signals act when they thaw.
            self.freeze()
            self._signal_all()
            self.thaw()
            _thaw_below(tracker)
        # A process that entered only some of the hierarchies is not seen by the tracker.
        _wait(lambda: not self._signal_all(), f"processes of the cgroup {self.name} do not die")

    def remove(self) -> None:
        """Remove the group and those below it; no error if it is gone.

        Raises:
            TimedOut: it still has processes.
            NotPermitted, Failed: the kernel refused.
        """
        for directory in self._directories():
            for below in reversed(_walk(directory)):
                # A process that just died may hold its group for an instant longer.
                _wait(partial(_rmdir, below), f"the cgroup {below} has processes")

    def freeze(self) -> None:
        """Stop every process of the group where it stands, and return once all have stopped.

        Raises:
            Failed: the group is gone, or the kernel has no freezer.
            TimedOut: some did not stop; the others have been thawed.
        """
        self._set_frozen("1", "FROZEN")
        try:
            _wait(self.is_frozen, f"processes of the cgroup {self.name} do not freeze")
        except TimedOut:
            self.thaw()
            raise

    def thaw(self) -> None:
        """Let the processes of the group go on.

        Raises:
            Failed: the group is gone, or the kernel has no freezer.
        """
        self._set_frozen("0", "THAWED")

    def is_frozen(self) -> bool:
        """Return whether the group is frozen altogether."""
        tracker = self._tracker()
        if tracker is None:
            return False
        if (tracker / "cgroup.events").exists():
            return "frozen 1" in _read(tracker / "cgroup.events")
        return _read(tracker / "freezer.state").strip() == "FROZEN"

    def is_freezing(self) -> bool:
        """Return whether the group is frozen or was told to freeze: whether it wants thawing."""
        tracker = self._tracker()
        if tracker is None:
            return False
        if (tracker / "cgroup.freeze").exists():
            return _read(tracker / "cgroup.freeze").strip() == "1"
        return _read(tracker / "freezer.state").strip() not in ("", "THAWED")

    def freezers(self) -> dict[str, str]:
        """Return the files by which the group would be frozen if it were there, the first that is found, and what is written to it."""
        found = {}
        for hierarchy in self.hierarchies:
            if hierarchy.version == 2:
                found[str(self._directory(hierarchy) / "cgroup.freeze")] = "1"
            elif "freezer" in hierarchy.controllers:
                found[str(self._directory(hierarchy) / "freezer.state")] = "FROZEN"
        return found

    def freezer(self) -> Path:
        """Return the directory through which the group is frozen.

        Raises:
            Failed: the group is gone, or the kernel has no freezer.
        """
        tracker = self._tracker()
        if tracker is None:
            raise Failed(f"the cgroup {self.name} cannot be frozen: it is gone, or has no freezer")
        return tracker

    def part(self, controller: str) -> Hierarchy | None:
        """Return the tree that has a controller as this group sees it: from its own directory down; None if none has."""
        for hierarchy in self.hierarchies:
            if controller in hierarchy.controllers:
                return msgspec.structs.replace(hierarchy, path=str(self._directory(hierarchy)))
        return None

    def memory_current(self) -> int | None:
        """Return the bytes that the group holds, page cache included; None if nobody counts."""
        return self._counter("memory", "memory.usage_in_bytes", "memory.current")

    def memory_peak(self) -> int | None:
        """Return the most bytes that the group ever held; None if nobody counts (v2 before Linux 5.19)."""
        return self._counter("memory", "memory.max_usage_in_bytes", "memory.peak")

    def _counter(self, controller: str, first: str, second: str) -> int | None:
        part = self.part(controller)
        if part is None:
            return None
        text = _read(Path(part.path, first if part.version == 1 else second)).strip()
        return int(text) if text.isdigit() else None

    def _set_frozen(self, second: str, first: str) -> None:
        tracker = self.freezer()
        if (tracker / "cgroup.freeze").exists():
            _write(tracker / "cgroup.freeze", second)
        else:
            _write(tracker / "freezer.state", first)

    def _tracker(self) -> Path | None:
        """Return the group's directory that all its processes can be frozen through."""
        for hierarchy in self.hierarchies:
            directory = self._directory(hierarchy)
            if (
                hierarchy.version == 2 or "freezer" in hierarchy.controllers
            ) and directory.exists():
                return directory
        return None

    def _signal_all(self) -> list[int]:
        """Kill every process that is seen in any hierarchy, and return them."""
        found = self.pids()
        for pid in found:
            process.end(pid, SIGKILL)
        return found

    def _directory(self, hierarchy: Hierarchy) -> Path:
        return Path(hierarchy.path, self.name)

    def _directories(self) -> list[Path]:
        return [d for h in self.hierarchies if (d := self._directory(h)).is_dir()]


def _thaw_below(tracker: Path) -> None:
    """Let the groups below one go on that are frozen by themselves, where only those who go on can die."""
    for below in _walk(tracker):
        with suppress(Failed):
            _write(below / "freezer.state", "THAWED")


def _wait_unpopulated(tracker: Path) -> None:
    """Wait until a v2 group whose processes were killed has none, or not any longer.

    To look into every group of every hierarchy meanwhile would take the time that the processes need to die.
    """
    deadline = time.monotonic() + _PATIENCE
    with suppress(OSError), open(tracker / "cgroup.events") as events:
        changes = select.poll()
        changes.register(events, select.POLLPRI)
        while "populated 1" in events.read() and time.monotonic() < deadline:
            changes.poll(_LOOK_MILLISECONDS)
            events.seek(0)


def _pass_on(directory: Path) -> None:
    """Switch the controllers on for the children of a v2 group, as far as its own parent passed them to it."""
    wanted = set(_read(directory / "cgroup.controllers").split()) & _WANTED
    for controller in sorted(wanted - _switched_on(directory)):
        _write(directory / "cgroup.subtree_control", f"+{controller}")


def _switched_on(directory: Path) -> set[str]:
    """Return the controllers that the children of a v2 group have."""
    return set(_read(directory / "cgroup.subtree_control").split())


def _inherit_cpuset(directory: Path) -> None:
    # A fresh v1 cpuset has no processors and no memory, and takes no process before it has both.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not _read(directory / name).strip():
            _write(directory / name, _read(directory.parent / name).strip())


def _walk(directory: Path) -> list[Path]:
    """Return a group and all below it, the outer before the inner."""
    return [Path(found) for found, _, _ in os.walk(directory)]


def _mkdir(directory: Path) -> None:
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise _refused(f"cannot make the cgroup {directory}", error) from error


def _rmdir(directory: Path) -> bool:
    """Remove one group; return False if it has processes."""
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise _refused(f"cannot remove the cgroup {directory}", error) from error
    return True


def _read(path: Path) -> str:
    """Return what the kernel says; nothing if the group or the file is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise _refused(f"cannot write {text} to {path}", error) from error


def _refused(what: str, error: OSError) -> Failed | NotPermitted:
    message = f"{what}: {error.strerror}"
    if isinstance(error, PermissionError):
        return NotPermitted(message, hint="run it as root")
    return Failed(message)


def _wait(condition: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(problem)
        time.sleep(0.001)
