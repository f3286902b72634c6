"""What the node's kernel holds, so that a test can see whether something was left behind.

Used by the crash tests: ``before = snapshot_world(...)``, do and kill, then ``snapshot_world(...).difference(before)``.
Asks the kernel itself and uses no code of the package that is under test. Compares the whole node unless marks are
given; on a machine where others work too, give what the names of the test's own things carry.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

CGROUP_ROOT = "/sys/fs/cgroup"


@dataclass(frozen=True, kw_only=True)
class World:
    """The kernel's objects, each as one readable text; the fields are what a leak is called."""

    mounts: frozenset[str]
    cgroups: frozenset[str]
    interfaces: frozenset[str]
    tables: frozenset[str]
    """Tables of the packet filter, and the cards that they let through."""
    profiles: frozenset[str]
    """AppArmor's, with their namespaces."""
    loops: frozenset[str]
    processes: frozenset[str]
    files: frozenset[str]
    """All that is below the directories that were asked for."""

    @classmethod
    def empty(cls) -> "World":
        """Return a world without anything."""
        return cls(**{field.name: frozenset() for field in fields(cls)})

    def difference(self, before: "World") -> list[str]:
        """Return one line for each thing that is here and was not before, or was and is gone."""
        lines = []
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(before, field.name)
            lines += [f"{field.name}: {thing} was left" for thing in sorted(now - then)]
            lines += [f"{field.name}: {thing} is gone" for thing in sorted(then - now)]
        return lines


def snapshot_world(*marks: str, homes: Sequence[str | Path] = ()) -> World:
    """Ask the kernel for everything that a guest can leave behind.

    Args:
        marks: only things whose name, path or command line holds one of these or of ``homes``; none at all for
            everything. A mark that is short is met by chance: four letters stand somewhere on every thousandth node.
        homes: directories whose whole content belongs to the world.
    """
    wanted = [*marks, *map(str, homes)]

    def ours(things: list[str]) -> frozenset[str]:
        return frozenset(t for t in things if not wanted or any(mark in t for mark in wanted))

    return World(
        mounts=ours(_mounts()),
        cgroups=frozenset(_described(path) for path in ours(_cgroups())),
        interfaces=ours(sorted(os.listdir("/sys/class/net"))),
        tables=ours(_tables()),
        profiles=ours(_profiles()),
        loops=ours(_loops()),
        processes=ours(_processes()),
        files=frozenset(path for home in homes for path in _below(Path(home))),
    )


def _mounts() -> list[str]:
    # Not the mount's number: it is another one after every mount of the same thing.
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    mounts = []
    for line in lines:
        before, _, after = line.partition(" - ")
        kind, source = after.split(" ")[:2]
        mounts.append(f"{before.split(' ')[4]} ({kind} of {source})")
    # Two mounts of the same at one place are two things.
    return [f"{mount} #{mounts[:i].count(mount) + 1}" for i, mount in enumerate(mounts)]


def _cgroups() -> list[str]:
    # os.walk does not follow links: cpu and cpuacct are often links to cpu,cpuacct.
    return [os.path.join(above, name) for above, names, _ in os.walk(CGROUP_ROOT) for name in names]


def _described(cgroup: str) -> str:
    # A guest that is held still for good is a leak too, and so is one that is held to other limits than it is to have.
    return f"{cgroup}{' (frozen)' if _is_frozen(cgroup) else ''}{''.join(_limits(cgroup))}"


def _limits(cgroup: str) -> Iterator[str]:
    for name in ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us", "cpu.max"):
        with suppress(OSError):
            yield f" {name}={Path(cgroup, name).read_text().strip()}"


def _is_frozen(cgroup: str) -> bool:
    for name, state in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
        try:
            return Path(cgroup, name).read_text().strip() == state
        except OSError:
            continue
    return False


def _tables() -> list[str]:
    """Return the tables, and each card that one of their sets lets through."""
    try:
        done = subprocess.run(
            ["nft", "list", "ruleset"], capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError:
        return []
    found = []
    holder = ""
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] in ("table", "set"):
            holder = " ".join(words).removesuffix(" {")
        if words and words[0] == "table":
            found.append(holder)
        found += [f"{card} in {holder}" for card in re.findall(r'"(\S+)" \. [0-9a-f]{2}:', line)]
    return found


def _profiles() -> list[str]:
    kernel = Path("/sys/kernel/security/apparmor")
    if not kernel.is_dir():
        return []
    loaded = (kernel / "profiles").read_text().splitlines()
    return [*loaded, *os.listdir(kernel / "policy/namespaces")]


def _loops() -> list[str]:
    used = Path("/sys/block").glob("loop*/loop/backing_file")
    return [f"{path.parts[3]} of {path.read_text().strip()}" for path in used]


def _processes() -> list[str]:
    """Return pid, start time and command line, but not of kernel threads, this process or zombies of its own."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            arguments = Path(f"/proc/{name}/cmdline").read_bytes().rstrip(b"\0")
            started = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[19]
        except OSError:
            continue
        if arguments:
            text = arguments.replace(b"\0", b" ").decode(errors="replace")
            found.append(f"{name} {text} (started at tick {started})")
    return found


def _below(home: Path) -> list[str]:
    return [str(path) for path in home.rglob("*")] if home.is_dir() else []
