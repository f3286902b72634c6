"""What the node has to give to containers, as the vz commands reckon."""

from wirt.dialects.vz.capacity import Node
from wirt.host import facts
from wirt.host.kerneltree import KernelTree


def probe_capacity() -> Node:
    """Return the node's memory and swap; a kernel that tells of no low memory has no other."""
    said = facts.probe_meminfo()
    total = said["MemTotal"]
    return Node(low=said.get("LowTotal") or total, memory=total, swap=said.get("SwapTotal", 0))


def probe_threads() -> int | None:
    """Return how many threads the kernel has at most, None if it does not say."""
    return KernelTree().number("/proc/sys/kernel/threads-max")
