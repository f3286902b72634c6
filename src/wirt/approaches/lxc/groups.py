"""The cgroups that a container has made below its own: read, to be kept with its memory and made again.

CRIU can do this as well, but writes down every file of every group, and leaves out those that no process is in, which an
init of systemd's kind watches.
"""

import os
import stat

import msgspec

from wirt.approaches.lxc import control
from wirt.host import cgroup

_KEPT = (
    "cgroup.subtree_control",
    "cpuset.cpus",
    "cpuset.mems",
    "cpu.weight",
    "cpu.max",
    "cpu.shares",
    "cpu.cfs_quota_us",
    "io.weight",
    "memory.low",
    "memory.high",
    "memory.max",
    "memory.limit_in_bytes",
    "pids.max",
)
"""What a container's own init may have set, in an order in which it can be written."""
_UNBOUNDED = frozenset({"", "max", "-1", "9223372036854771712"})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what with a file of a group; the group's directory has no name."""

    name: str
    uid: int
    gid: int
    mode: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One cgroup in one hierarchy."""

    hierarchy: str
    """Where the hierarchy is mounted."""
    below: str
    """Path below the container's own group; empty for that one."""
    entries: list[Entry]
    """Those that root of the node does not own alone."""
    values: dict[str, str]
    """File -> what is written there."""

    def path(self, name: str) -> str:
        """Return where the group is for a container of this name."""
        return f"{self.hierarchy}/{control.payload_group(name)}{self.below}"


def read(name: str) -> list[Group]:
    """Return the cgroups of a container, the outer before the inner."""
    found = []
    for hierarchy in cgroup.find_hierarchies():
        top = f"{hierarchy.path}/{control.payload_group(name)}"
        for directory, _, names in os.walk(top):
            below = directory.removeprefix(top)
            # What is in the container's own group are its limits, which are given anew.
            kept = _KEPT if below else ("cgroup.subtree_control",)
            found.append(
                Group(
                    hierarchy=hierarchy.path,
                    below=below,
                    entries=_entries(directory, names),
                    values=_values(directory, [one for one in kept if one in names]),
                )
            )
    return found


def _entries(directory: str, names: list[str]) -> list[Entry]:
    entries = []
    for name in ["", *names]:
        seen = os.stat(os.path.join(directory, name))
        if seen.st_uid or seen.st_gid:
            entries.append(
                Entry(name=name, uid=seen.st_uid, gid=seen.st_gid, mode=stat.S_IMODE(seen.st_mode))
            )
    return entries


def _values(directory: str, names: list[str]) -> dict[str, str]:
    values = {}
    for name in names:
        with open(os.path.join(directory, name)) as file:
            value = file.read().strip()
        if name == "cgroup.subtree_control":
            value = " ".join(f"+{controller}" for controller in value.split())
        if value not in _UNBOUNDED:
            values[name] = value
    return values
