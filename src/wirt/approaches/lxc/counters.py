"""The counters of a container: what its cgroup, its processes and its network say, as OpenVZ's beancounters.

``build_counters`` is pure; ``count`` asks the kernel, in one pass over the container's processes.
"""

import msgspec

from wirt.approaches.lxc import control
from wirt.errors import Failed
from wirt.host import cgroupusage, filelocks, nft, processusage, socketusage, terminals
from wirt.host.cgroup import Cgroup
from wirt.host.cgroupusage import Account, GroupUsage
from wirt.host.processusage import ProcessUsage
from wirt.host.socketusage import SocketUsage
from wirt.host.terminals import Terminals
from wirt.model.counter import PAGE, UNITS, UNLIMITED, Counter, Standing, Unit

_SUM = "a sum over the guest's processes"
_NETWORK = "a sum over the sockets of the guest's network, none that it made itself"
_OF_ONE = "the kernel bounds it for each process alone"
_UNBOUNDED = "no setting of the kernel's refuses a group of processes one more"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the counters are made from; a text in the place of a value says why there is none."""

    group: GroupUsage
    guarantee: int
    """Bytes of memory."""
    processes: ProcessUsage
    locks: int
    terminals: Terminals | None
    sockets: SocketUsage | str
    rules: int | str


def count(name: str) -> list[Counter]:
    """Return the counters of a container.

    Raises:
        Failed: it does not run.
    """
    group = Cgroup(control.payload_group(name))
    pids = group.pids()
    processes = processusage.measure(pids)
    if processes.first is None:
        raise Failed(f"container {name} has ended")
    return build_counters(
        Usage(
            group=cgroupusage.measure(group),
            # Given to the group above it, which stands beside those of other guests.
            guarantee=cgroupusage.find_guarantee(Cgroup(name)),
            processes=processes,
            locks=filelocks.count_locks(pids, processes.paths),
            terminals=terminals.count_terminals(processes.first),
            sockets=_measure_sockets(processes.first),
            rules=_count_rules(processes.first),
        )
    )


def build_counters(usage: Usage) -> list[Counter]:
    """Return every counter, in the order of OpenVZ's kernel."""
    group, processes = usage.group, usage.processes
    found = [
        *_memory_counters(group),
        *_socket_counters(usage.sockets, processes),
        _of_account(
            "numproc",
            group.processes,
            "the kernel's count for the guest's cgroup, threads included",
        ),
        _of_value("lockedpages", processes.locked, f"{_SUM} (VmLck); {_OF_ONE} (RLIMIT_MEMLOCK)"),
        _of_value(
            "privvmpages",
            processes.private,
            f"{_SUM} (VmData and VmStk); {_OF_ONE} (RLIMIT_DATA)",
        ),
        _of_value(
            "vmguarpages",
            processes.private,
            f"{_SUM}: the same as privvmpages, which is what a guarantee is for",
            barrier=_in_unit("vmguarpages", usage.guarantee),
        ),
        _of_value(
            "numsiginfo",
            processes.signals,
            "a sum over the users of the guest's processes (SigQ), timers included; the kernel bounds it "
            "for all guests together (RLIMIT_SIGPENDING of the node's root)",
        ),
        _of_value(
            "numflock",
            usage.locks,
            "the kernel's list of locks (flock and fcntl), those waited for left out; "
            f"{_UNBOUNDED}",
        ),
        _of_value(
            "numfile",
            processes.files,
            f"{_SUM}, what they share counted once; files that are only mapped are not in it; {_OF_ONE} "
            "(wirt set --files)",
            lacking="this kernel cannot tell which descriptors are one file (kcmp)",
        ),
        _count_of_terminals(usage.terminals),
        _unavailable("numiptent", usage.rules)
        if isinstance(usage.rules, str)
        else _of_value(
            "numiptent",
            usage.rules,
            f"rules of nftables in the guest's network; iptables writes such too; {_UNBOUNDED}",
        ),
    ]
    by_name = {counter.name: counter for counter in found}
    return [by_name[name] for name in UNITS]


def _memory_counters(group: GroupUsage) -> list[Counter]:
    memory = _of_account(
        "physpages",
        group.memory,
        "the kernel's count for the guest's cgroup: RAM, page cache and kernel memory included",
    )
    guaranteed = _of_account(
        "oomguarpages",
        group.memory_and_swap,
        "the kernel's count for the guest's cgroup: RAM and swap; failcnt is processes ended for want of memory",
    )
    return [
        msgspec.structs.replace(memory, barrier=0),
        # No limit is set here, so it is never met; what OpenVZ counts instead is what came of having no more.
        msgspec.structs.replace(guaranteed, barrier=0, failcnt=group.killed),
        _of_account("kmemsize", group.kernel, "the kernel's count for the guest's cgroup"),
        _of_account("swappages", group.swap, "the kernel's count for the guest's cgroup"),
        _of_value(
            "shmpages",
            group.shared,
            "the kernel's count for the guest's cgroup: shared memory and tmpfs, in RAM; the kernel bounds "
            "System V's part alone (shmall), in namespaces of which a guest makes more; physpages bounds it all",
        ),
        _of_value(
            "dcachesize",
            group.reclaimable,
            "the kernel's count for the guest's cgroup: all its objects that can be given back",
            lacking="version 1 of cgroups does not tell it apart from the rest of kmemsize",
        ),
    ]


def _socket_counters(sockets: SocketUsage | str, processes: ProcessUsage) -> list[Counter]:
    other = _of_value(
        "numothersock", processes.other_sockets, f"{_SUM}, shared ones once; {_UNBOUNDED}"
    )
    if isinstance(sockets, str):
        tcp = _of_value(
            "numtcpsock",
            processes.tcp_sockets,
            f"{_SUM}, shared ones once; those of no process are not in it: {sockets}",
        )
        buffers = ("tcpsndbuf", "tcprcvbuf", "othersockbuf", "dgramrcvbuf")
        return [tcp, other, *(_unavailable(name, sockets) for name in buffers)]
    return [
        _of_value(
            "numtcpsock",
            processes.tcp_sockets + sockets.ownerless_tcp,
            f"{_SUM}, shared ones once, and those of no process in the guest's network; {_UNBOUNDED}",
        ),
        other,
        _of_value("tcpsndbuf", sockets.tcp_send, _NETWORK),
        _of_value("tcprcvbuf", sockets.tcp_receive, _NETWORK),
        _of_value("othersockbuf", sockets.other, _NETWORK),
        _of_value("dgramrcvbuf", sockets.datagram_receive, _NETWORK),
    ]


def _count_of_terminals(found: Terminals | None) -> Counter:
    if found is None:
        return _unavailable("numpty", "the guest has no devpts at /dev/pts")
    return Counter(
        name="numpty",
        unit=Unit.ITEMS,
        held=found.held,
        barrier=UNLIMITED if found.most is None else found.most,
        limit=UNLIMITED if found.most is None else found.most,
        standing=Standing.COUNTED if found.most is None else Standing.ENFORCED,
        reason="those of the guest's /dev/pts, which is mounted with a maximum that binds all but its root; "
        "the kernel says that none is left to who asked and to nobody else, so nothing counts how often it is met",
    )


def _of_account(name: str, account: Account, reason: str) -> Counter:
    """Return a counter that the kernel keeps itself."""
    if account.held is None:
        return _unavailable(name, "this kernel does not count it for a cgroup")
    limit = UNLIMITED if account.limit is None else _in_unit(name, account.limit)
    return Counter(
        name=name,
        unit=UNITS[name],
        held=_in_unit(name, account.held),
        maxheld=None if account.most is None else _in_unit(name, account.most),
        by_kernel=account.most is not None,
        barrier=limit,
        limit=limit,
        failcnt=account.refused,
        standing=Standing.COUNTED if account.limit is None else Standing.ENFORCED,
        reason=reason,
    )


def _of_value(
    name: str,
    held: int | None,
    reason: str,
    *,
    barrier: int = UNLIMITED,
    lacking: str = "this kernel does not count it for a cgroup",
) -> Counter:
    """Return a counter that nothing bounds."""
    if held is None:
        return _unavailable(name, lacking)
    return Counter(
        name=name,
        unit=UNITS[name],
        held=_in_unit(name, held),
        barrier=barrier,
        standing=Standing.COUNTED,
        reason=reason,
    )


def _unavailable(name: str, reason: str) -> Counter:
    return Counter(name=name, unit=UNITS[name], standing=Standing.UNAVAILABLE, reason=reason)


def _in_unit(name: str, value: int) -> int:
    """Return bytes in the unit of a counter; a part of a page is a page."""
    return -(-value // PAGE) if UNITS[name] is Unit.PAGES else value


def _measure_sockets(pid: int) -> SocketUsage | str:
    try:
        return socketusage.measure(pid)
    except Failed as error:
        return error.message


def _count_rules(pid: int) -> int | str:
    try:
        return nft.count_rules(pid)
    except Failed as error:
        return error.message
