"""How many files a process may have open: RLIMIT_NOFILE of processes that run, and what may be given to one."""

import resource
from collections.abc import Callable
from contextlib import suppress

from wirt.host.kerneltree import KernelTree

_MAY_RAISE = 1 << 24
"""CAP_SYS_RESOURCE among the rights of a process."""


def most(tree: KernelTree | None = None) -> int:
    """Return the largest limit that this process may give: the kernel's with the right to raise limits, else its own."""
    tree = tree or KernelTree()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    rights = dict(line.split(":", 1) for line in tree.lines("/proc/self/status") if ":" in line)
    if int(rights.get("CapEff", "0"), 16) & _MAY_RAISE:
        return tree.number("/proc/sys/fs/nr_open") or hard
    return hard


def own() -> tuple[int, int]:
    """Return the soft and the hard limit of this process, which those that it starts have too."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def bound(find: Callable[[], list[int]], number: int) -> None:
    """Hold every process of a group that may fork meanwhile to a number of open files; what it has beyond stays open.

    Those that hold themselves to less are left alone.

    Args:
        find: returns the process ids; asked until it finds no new ones, since what forks hands its limit on.
        number: of open files.
    """
    done: set[int] = set()
    while found := set(find()) - done:
        for pid in found:
            with suppress(ProcessLookupError):
                has = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                # Unlimited is -1 here.
                soft, hard = (
                    number if one == resource.RLIM_INFINITY else min(one, number) for one in has
                )
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        done |= found
