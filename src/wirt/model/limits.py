"""What a guest may use."""

import math

import msgspec

from wirt.errors import InvalidInput
from wirt.units import GIB, KIB, MIB, UNBOUNDED, render_bytes, render_cpus

SMALLEST_DISK = 64 * MIB
LARGEST_DISK = 1024**5
LARGEST_MEMORY = 64 * 1024**4
"""What x86-64 addresses with page tables of four levels."""
SMALLEST_PROCESSES = 16
MOST_PROCESSES = 4_194_304
"""The most process ids that a Linux kernel has (pid_max on 64 bits)."""
SMALLEST_CPU_LIMIT = 0.01
"""Of the kernel: a thousand microseconds in a tenth of a second."""
SMALLEST_FILES = 64
FEWEST_TERMINALS, MOST_TERMINALS = 1, 1024
"""Of 4096 that a kernel has."""
FEWEST_INODES, MOST_INODES = 1024, 2**32 - 1
"""To boot with; and of ext4."""
SMALLEST_BANDWIDTH = 64 * KIB
"""Bytes a second: with less, the pages of a program take so long that it seems to hang."""
LARGEST_BANDWIDTH = 1024**4
"""Bytes a second: more than a disk has."""
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1, 10_000
"""Of cgroup v2."""
LARGEST_IO_WEIGHT = 1000
"""Of the scheduler bfq; the kernel's other way to weigh (io.weight of cgroup v2) would know ten times as much."""
FEWEST_IOPS, MOST_IOPS = 10, 2**32 - 1
"""Reads or writes a second; more than the largest the kernel cannot be told."""


CHOSEN = (-1,)
"""In a request, for ``cpu_pin``: as many processors as the guest has CPUs, whichever the node takes."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Processors, memory, disk and processes of a guest; memory and disk in bytes.

    What was added later has as its default what guests had before: they are kept without it.
    """

    cpus: int = 1
    memory: int = 512 * MIB
    memory_max: int = 0
    """Bytes that a machine is made with, so that it can get them while it runs; 0: no more than its memory."""
    disk: int = 4 * GIB
    processes: int = 4096
    """Processes and threads under the node's kernel: what a fork bomb ends at. A guest's own kernel counts its own."""
    cpu_weight: int = 100
    """What it gets of processors that several guests want, against what each of them has."""
    cpu_pin: tuple[int, ...] = ()
    """Numbers of the node's processors that it runs on; none: on all."""
    cpu_limit: float = 0.0
    """Processors' worth of time that it gets at most; 0: that of all its CPUs."""
    swap: int = UNBOUNDED
    """Bytes of the node's swap that it may use beside its memory."""
    cpu_guarantee: float = 0.0
    """Processors' worth of time that it gets whenever it wants, whatever others want."""
    memory_guarantee: int = 0
    """Bytes of its memory that are taken last when the node's is short."""
    io_read: int = UNBOUNDED
    """Bytes a second from the node's disk that its root is on."""
    io_write: int = UNBOUNDED
    """Bytes a second to it."""
    iops_read: int = UNBOUNDED
    """Reads a second from that disk, whatever their size."""
    iops_write: int = UNBOUNDED
    """Writes a second to it."""
    io_weight: int = 100
    """What it gets of a disk that several guests want, against what each of them has."""
    files: int = UNBOUNDED
    """Files that each of its processes may have open; UNBOUNDED: as many as the node's own."""
    terminals: int = MOST_TERMINALS
    """Pseudo-terminals of its /dev/pts."""
    disk_soft: int = UNBOUNDED
    """Bytes of its disk that it may hold for longer than its grace; UNBOUNDED: all."""
    disk_grace: float = 7 * 86400.0
    """Seconds."""
    disk_inodes: int = UNBOUNDED
    """Files and directories that it may have on its disk; UNBOUNDED: as many as its pool has for it."""
    disk_inodes_soft: int = UNBOUNDED
    """How many of them it may hold for longer than its grace; UNBOUNDED: all."""
    user_quotas: bool = False
    """Whether its users and groups can be held to what they may have of its disk, from its next start on."""

    @property
    def bounds_io(self) -> bool:
        """Return whether its bandwidth is bounded, in bytes or in reads and writes."""
        bounds = (self.io_read, self.io_write, self.iops_read, self.iops_write)
        return any(bound != UNBOUNDED for bound in bounds)

    def grace_left(self, since: float | None, now: float) -> float | None:
        """Return the seconds that are left of the grace of a soft limit that is exceeded, 0 or less if none are.

        Args:
            since: Unix time, seconds, since when it is; None: it is not.
            now: Unix time, seconds.
        """
        return None if since is None else since + self.disk_grace - now

    @property
    def cpu_time(self) -> float:
        """Return the processors' worth of time that it gets at most."""
        return self.cpu_limit or float(self.cpus)


HELD_BY_THE_NODE = {
    "processes": "number of processes",
    "cpu_weight": "CPU weight",
    "cpu_pin": "CPU list",
    "cpu_limit": "CPU limit",
    "swap": "swap",
    "cpu_guarantee": "CPU guarantee",
    "memory_guarantee": "memory guarantee",
    "io_read": "reading from disk",
    "io_write": "writing to disk",
    "iops_read": "number of reads from disk",
    "iops_write": "number of writes to disk",
    "io_weight": "disk weight",
    "files": "number of open files",
    "terminals": "number of terminals",
}
"""Limits that only the node's kernel can hold a guest to -> what they are called."""


def check_limits(
    limits: Limits, *, smallest_memory: int, most_memory: int | None = None, node_cpus: int
) -> None:
    """Check that a guest with these limits can start on this node.

    Args:
        limits: the guest's.
        smallest_memory: bytes that it needs to boot.
        most_memory: bytes that the node has for a kernel of its own; None: the guest has none, and its bound may be
            above what there is, as no bound at all.
        node_cpus: processors of the node.

    Raises:
        InvalidInput: a limit is too small to boot, or more than the node has.
    """
    if not 1 <= limits.cpus <= node_cpus:
        raise InvalidInput(
            f"{limits.cpus} CPUs cannot be given",
            hint=f"this node has {node_cpus}; ask for 1 to {node_cpus}",
        )
    if limits.memory < smallest_memory:
        raise InvalidInput(
            f"{render_bytes(limits.memory)} of memory are too little to boot",
            hint=f"give at least {render_bytes(smallest_memory)}",
        )
    if limits.memory_max and limits.memory > limits.memory_max:
        raise InvalidInput(
            f"a guest with {render_bytes(limits.memory)} of memory cannot have "
            f"{render_bytes(limits.memory_max)} at most",
            hint="give it a larger --memory-max, or 0 for none",
        )
    if limits.cpu_limit and not SMALLEST_CPU_LIMIT <= limits.cpu_limit <= limits.cpus:
        raise InvalidInput(
            f"a guest of {limits.cpus} CPUs cannot be held to {limits.cpu_limit:g}",
            hint=f"ask for {SMALLEST_CPU_LIMIT:g} to {limits.cpus}, or 0 for all of them",
        )
    most_time = min(limits.cpu_time, len(limits.cpu_pin) or limits.cpus)
    if not 0 <= limits.cpu_guarantee <= most_time:
        raise InvalidInput(
            f"{limits.cpu_guarantee:g} CPUs cannot be guaranteed to a guest that has {most_time:g}",
            hint=f"ask for 0 to {most_time:g} with --cpu-guarantee",
        )
    if limits.memory_guarantee > limits.memory:
        raise InvalidInput(
            f"{render_bytes(limits.memory_guarantee)} of memory cannot be guaranteed to a guest that "
            f"has {render_bytes(limits.memory)}",
            hint="ask for less with --memory-guarantee, or give it more with --memory",
        )
    most = most_memory or LARGEST_MEMORY
    if max(limits.memory, limits.memory_max) > most:
        raise InvalidInput(
            f"{render_bytes(max(limits.memory, limits.memory_max))} of memory cannot be given",
            hint=f"ask for at most {render_bytes(most)}",
        )
    if not SMALLEST_PROCESSES <= limits.processes <= MOST_PROCESSES:
        raise InvalidInput(
            f"a guest cannot be held to {limits.processes} processes",
            hint=f"ask for {SMALLEST_PROCESSES} to {MOST_PROCESSES}",
        )
    if not FEWEST_TERMINALS <= limits.terminals <= MOST_TERMINALS:
        raise InvalidInput(
            f"a guest cannot be held to {limits.terminals} terminals",
            hint=f"ask for {FEWEST_TERMINALS} to {MOST_TERMINALS}",
        )
    for bandwidth in (limits.io_read, limits.io_write):
        if bandwidth != UNBOUNDED and bandwidth < SMALLEST_BANDWIDTH:
            raise InvalidInput(
                f"{render_bytes(bandwidth)} a second are too little to work with",
                hint=f"give at least {render_bytes(SMALLEST_BANDWIDTH)}, or unlimited",
            )
        if bandwidth > LARGEST_BANDWIDTH:
            raise InvalidInput(
                f"{render_bytes(bandwidth)} a second cannot be given",
                hint=f"ask for at most {render_bytes(LARGEST_BANDWIDTH)}, or unlimited",
            )
    for number in (limits.iops_read, limits.iops_write):
        if number != UNBOUNDED and not FEWEST_IOPS <= number <= MOST_IOPS:
            raise InvalidInput(
                f"a guest cannot be held to {number} reads or writes a second",
                hint=f"ask for {FEWEST_IOPS} to {MOST_IOPS}, or unlimited",
            )
    if not SMALLEST_WEIGHT <= limits.io_weight <= LARGEST_IO_WEIGHT:
        raise InvalidInput(
            f"a guest cannot have the weight {limits.io_weight} of a disk",
            hint=f"ask for {SMALLEST_WEIGHT} to {LARGEST_IO_WEIGHT}; a guest has "
            f"{Limits().io_weight} unless it is set",
        )
    if not SMALLEST_WEIGHT <= limits.cpu_weight <= LARGEST_WEIGHT:
        raise InvalidInput(
            f"a guest cannot have the CPU weight {limits.cpu_weight}",
            hint=f"ask for {SMALLEST_WEIGHT} to {LARGEST_WEIGHT}; a guest has {Limits().cpu_weight} "
            "unless it is set",
        )
    if limits.disk < SMALLEST_DISK:
        raise InvalidInput(
            f"a disk of {render_bytes(limits.disk)} is too small",
            hint=f"give at least {render_bytes(SMALLEST_DISK)}",
        )
    if limits.disk_soft != UNBOUNDED and not 0 < limits.disk_soft <= limits.disk:
        raise InvalidInput(
            f"{render_bytes(limits.disk_soft)} cannot be the soft limit of a disk of "
            f"{render_bytes(limits.disk)}",
            hint="ask for no more than the disk, or unlimited",
        )
    _check_inodes(limits)
    if limits.disk > LARGEST_DISK:
        raise InvalidInput(
            f"a disk of {render_bytes(limits.disk)} cannot be given",
            hint=f"ask for at most {render_bytes(LARGEST_DISK)}",
        )


def _check_inodes(limits: Limits) -> None:
    most = limits.disk_inodes
    if most != UNBOUNDED and not FEWEST_INODES <= most <= MOST_INODES:
        raise InvalidInput(
            f"a disk cannot be held to {most} inodes",
            hint=f"ask for {FEWEST_INODES} to {MOST_INODES}, or unlimited",
        )
    soft = limits.disk_inodes_soft
    if soft != UNBOUNDED and not 0 < soft <= (MOST_INODES if most == UNBOUNDED else most):
        raise InvalidInput(
            f"{soft} inodes cannot be the soft limit of a disk that has "
            f"{'any number' if most == UNBOUNDED else most}",
            hint="ask for no more than it has, or unlimited",
        )


def effective_weight(limits: Limits, *, node_cpus: int) -> int:
    """Return the CPU weight that keeps a guest's guarantee, its own if that is more.

    A guest gets its weight's part of all weights. With ``LARGEST_WEIGHT`` standing for the whole node, guarantees are kept
    as long as the weights of guests that have none, and the node's own, do not exceed what is not guaranteed.
    """
    needed = math.ceil(LARGEST_WEIGHT * limits.cpu_guarantee / node_cpus)
    return min(LARGEST_WEIGHT, max(limits.cpu_weight, needed))


def check_files(files: int, node_files: int) -> None:
    """Check that processes of a guest can be given this number of open files on a node that can give so many.

    Raises:
        InvalidInput: it is too small to work with, or more than can be given.
    """
    if files != UNBOUNDED and not SMALLEST_FILES <= files <= node_files:
        raise InvalidInput(
            f"a process cannot be held to {files} open files",
            hint=f"ask for {SMALLEST_FILES} to {node_files}, or unlimited",
        )


def check_pin(pin: tuple[int, ...], node_cpus: tuple[int, ...]) -> None:
    """Check that the node has the processors that a guest is to run on.

    Raises:
        InvalidInput: it lacks one.
    """
    missing = [cpu for cpu in pin if cpu not in node_cpus]
    if missing:
        raise InvalidInput(
            f"this node has no CPU {missing[0]}",
            hint=f"it has {render_cpus(node_cpus)}",
        )
