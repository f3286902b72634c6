"""What a control group holds, held at the most, may hold and was refused, as the kernel counts it: v1 and v2 alike.

Source: the kernel's admin-guide/cgroup-v1 (memory, pids) and admin-guide/cgroup-v2.
"""

import os

import msgspec

from wirt.host.cgroup import Cgroup
from wirt.host.kerneltree import KernelTree

_KERNEL = KernelTree()
_LARGEST = 2**63 - 2**16
"""Version 1 writes "no limit" as LONG_MAX, rounded down to whole pages, which have up to 64 KiB."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of a group: bytes or processes; None is what the kernel does not tell."""

    held: int | None = None
    most: int | None = None
    limit: int | None = None
    """None: it is not bounded."""
    refused: int | None = None
    """How often the limit was met."""


class GroupUsage(msgspec.Struct, frozen=True, kw_only=True):
    """All that is counted of a group and those below it."""

    processes: Account = Account()
    memory: Account = Account()
    """Page cache and kernel memory included."""
    memory_and_swap: Account = Account()
    swap: Account = Account()
    kernel: Account = Account()
    shared: int | None = None
    """Bytes of shared memory and tmpfs."""
    reclaimable: int | None = None
    """Bytes of dentries, inodes and what else of the kernel's objects can be given back."""
    killed: int | None = None
    """Processes ended for want of memory."""


def measure(group: Cgroup) -> GroupUsage:
    """Return what a group holds; all None if it is gone."""
    pids, memory = group.part("pids"), group.part("memory")
    processes = Account() if pids is None else _measure_processes(pids.path)
    if memory is None:
        return GroupUsage(processes=processes)
    measured = _measure_first if memory.version == 1 else _measure_second
    return measured(memory.path, processes)


def cpu_seconds(group: Cgroup) -> float | None:
    """Return the seconds of processors that a group has used since it was made; None if nobody counts."""
    first = group.part("cpuacct")
    if first is not None and first.version == 1:
        used = _KERNEL.number(f"{first.path}/cpuacct.usage")
        if used is not None:
            return used / 1e9
    for hierarchy in group.hierarchies:
        if hierarchy.version == 2:
            micros = _fields(f"{hierarchy.path}/{group.name}/cpu.stat").get("usage_usec")
            return None if micros is None else micros / 1e6
    return None


def find_guarantee(group: Cgroup) -> int:
    """Return the bytes that are not taken from a group as long as there is memory elsewhere; 0 if none are promised."""
    memory = group.part("memory")
    if memory is None:
        return 0
    if memory.version == 1:
        return _bounded(f"{memory.path}/memory.soft_limit_in_bytes") or 0
    return _KERNEL.number(f"{memory.path}/memory.low") or 0


def _measure_processes(path: str) -> Account:
    account = _account(f"{path}/pids")
    own = f"{path}/pids.events.local"
    if _KERNEL.exists(own):
        return msgspec.structs.replace(account, refused=_fields(own).get("max"))
    return msgspec.structs.replace(account, refused=_refused_within(path))


def _refused_within(top: str) -> int | None:
    """Return how often a new process was refused in a group and those below it, as far as it can have been for the group's bound.

    Before Linux 6.11, and in version 1 still, each group counts what was refused to its own processes, for whosever bound. Where one
    below has been full itself, as a systemd unit with its TasksMax, it may have been for that one's.
    """
    found: list[int] = []
    for path, below, _ in os.walk(top):
        if path != top and _has_been_full(path):
            below.clear()
        elif (refused := _fields(f"{path}/pids.events").get("max")) is not None:
            found.append(refused)
    return sum(found) if found else None


def _has_been_full(path: str) -> bool:
    account = _account(f"{path}/pids")
    return account.limit is not None and (account.most is None or account.most >= account.limit)


def _measure_first(path: str, processes: Account) -> GroupUsage:
    stat = _fields(f"{path}/memory.stat")
    memory, both = _account_first(f"{path}/memory"), _account_first(f"{path}/memory.memsw")
    is_bounded = both.limit is not None and memory.limit is not None
    return GroupUsage(
        processes=processes,
        memory=memory,
        memory_and_swap=Account(held=both.held, most=both.most),
        swap=Account(
            held=stat.get("total_swap"),
            # What version 1 bounds is the sum.
            limit=(both.limit or 0) - (memory.limit or 0) if is_bounded else None,
            refused=both.refused,
        ),
        kernel=_account_first(f"{path}/memory.kmem"),
        shared=stat.get("total_shmem"),
        reclaimable=None,
        killed=_summed(path, "memory.oom_control", "oom_kill"),
    )


def _measure_second(path: str, processes: Account) -> GroupUsage:
    stat = _fields(f"{path}/memory.stat")
    memory, swap = _account(f"{path}/memory"), _account(f"{path}/memory.swap")
    both = None if memory.held is None or swap.held is None else memory.held + swap.held
    return GroupUsage(
        processes=processes,
        memory=memory,
        memory_and_swap=Account(held=both),
        swap=swap,
        kernel=Account(held=stat.get("kernel")),
        shared=stat.get("shmem"),
        reclaimable=stat.get("slab_reclaimable"),
        killed=_fields(f"{path}/memory.events").get("oom_kill"),
    )


def _account_first(start: str) -> Account:
    return Account(
        held=_KERNEL.number(f"{start}.usage_in_bytes"),
        most=_KERNEL.number(f"{start}.max_usage_in_bytes"),
        limit=_bounded(f"{start}.limit_in_bytes"),
        refused=_KERNEL.number(f"{start}.failcnt"),
    )


def _bounded(path: str) -> int | None:
    """Return a bound of version 1, None if it bounds nothing."""
    value = _KERNEL.number(path)
    return None if value is None or value >= _LARGEST else value


def _account(start: str) -> Account:
    return Account(
        held=_KERNEL.number(f"{start}.current"),
        most=_KERNEL.number(f"{start}.peak"),
        # "max" is no number, and means the same as None here.
        limit=_KERNEL.number(f"{start}.max"),
        refused=_fields(f"{start}.events").get("max"),
    )


def _summed(top: str, file: str, key: str) -> int | None:
    """Return the sum of a figure that each group keeps for itself."""
    values = [_fields(f"{below}/{file}").get(key) for below, _, _ in os.walk(top)]
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _fields(path: str) -> dict[str, int]:
    pairs = (line.split() for line in _KERNEL.lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
