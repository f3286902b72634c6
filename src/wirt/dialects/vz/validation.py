"""What makes a set of beancounters consistent: the rules of ``vzcfgvalidate``, in its order and in its words.

The rules are those of the OpenVZ documentation on the consistency of user beancounters. Values are in the unit of their
parameter; nothing is read and nothing is written here.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

import msgspec

from wirt.dialects.vz.ubc import PAGE, UNLIMITED, UNLIMITED_2006, Pair

REQUIRED = [
    "numproc",
    "numtcpsock",
    "numothersock",
    "oomguarpages",
    "vmguarpages",
    "kmemsize",
    "tcpsndbuf",
    "tcprcvbuf",
    "othersockbuf",
    "dgramrcvbuf",
    "privvmpages",
    "numfile",
    "dcachesize",
    "physpages",
    "numpty",
]
EQUAL = [
    "numproc",
    "numtcpsock",
    "numothersock",
    "shmpages",
    "numfile",
    "numpty",
    "numsiginfo",
    "numiptent",
]
ORDERED = [
    "kmemsize",
    "tcpsndbuf",
    "tcprcvbuf",
    "othersockbuf",
    "dgramrcvbuf",
    "privvmpages",
    "lockedpages",
    "numflock",
    "dcachesize",
    "diskspace",
    "diskinodes",
]
ENDLESS = ["vmguarpages", "oomguarpages", "physpages"]

KMEMSIZE_OF_PROCESS = 40 * 1024
DCACHESIZE_OF_FILE = 384
FILES_OF_PROCESS = 32
LEAST_TCP_BUFFER = 65536
LEAST_DATAGRAM_BUFFER = 32768
GOOD_DATAGRAM_BUFFER = 129 * 1024
ROUNDS = 1000
"""More changes than a repair can need: each rule is mended at most a few times, since values only grow."""

Values = Mapping[str, Pair]


class Severity(Enum):
    """How bad it is; only a recommendation may be left as it is."""

    ERROR = "Error"
    WARNING = "Warning"
    RECOMMENDATION = "Recommendation"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken, and the value that would mend it, where there is one."""

    severity: Severity
    parameter: str
    said: str
    repaired: Pair | None = None

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.severity.value}: {self.said}"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules are held against besides the values themselves; memory and swap of the node in bytes."""

    unlimited: int = UNLIMITED
    is_vswap: bool | None = None
    """Whether it is a configuration of memory and swap alone; None: as its physpages say."""
    memory: int | None = None
    swap: int | None = None


def find(values: Values, rules: Rules) -> list[Finding]:
    """Return the rules that the values break, in the order of the checks."""
    if _is_vswap(values, rules):
        return list(_vswap(values, rules))
    missing = next((name for name in REQUIRED if name not in values), None)
    if missing is not None:
        said = f"parameter {missing} not found"
        return [Finding(severity=Severity.ERROR, parameter=missing, said=said)]
    return [*_bounds(values, rules), *_formulas(values, rules)]


def repair(
    values: Values, rules: Rules, accept: Callable[[Finding], bool]
) -> tuple[dict[str, Pair], list[Finding]]:
    """Mend one broken rule after the other, each time anew, because a change can break another rule.

    Args:
        values: what to mend; it is not changed.
        rules: what to hold it against.
        accept: asked once for each change; told no, that finding stays.

    Returns:
        The values, and the findings that are left, recommendations among them.
    """
    mended = dict(values)
    declined: set[tuple[str, str]] = set()
    for _ in range(ROUNDS):
        found = find(mended, rules)
        for finding in found:
            key = (finding.parameter, finding.said)
            if (
                finding.repaired is None
                or finding.severity is Severity.RECOMMENDATION
                or key in declined
            ):
                continue
            if accept(finding):
                mended[finding.parameter] = finding.repaired
                break
            declined.add(key)
        else:
            return mended, found
    return mended, find(mended, rules)


def _is_vswap(values: Values, rules: Rules) -> bool:
    if rules.is_vswap is not None:
        return rules.is_vswap
    physical = values.get("physpages")
    return physical is not None and physical.limit not in (UNLIMITED, UNLIMITED_2006)


def _vswap(values: Values, rules: Rules) -> Iterator[Finding]:
    for name, available in (("physpages", rules.memory), ("swappages", rules.swap)):
        pair = values.get(name)
        if pair is None:
            continue
        if pair.barrier != 0:
            yield _zero_barrier(name, pair)
        if available is not None and pair.limit > available // PAGE:
            most = available // PAGE
            yield Finding(
                severity=Severity.WARNING,
                parameter=name,
                said=f"limit should be <= {most} for {name} (currently, {pair.limit})",
                repaired=Pair(pair.barrier, most),
            )


def _bounds(values: Values, rules: Rules) -> Iterator[Finding]:
    for name in EQUAL:
        pair = values.get(name)
        if pair is not None and pair.barrier != pair.limit:
            most = max(pair.barrier, pair.limit)
            yield Finding(
                severity=Severity.ERROR,
                parameter=name,
                said=f"barrier should be equal to limit for {name} (currently, {pair})",
                repaired=Pair(most, most),
            )
    for name in ORDERED:
        pair = values.get(name)
        if pair is not None and pair.barrier > pair.limit:
            yield Finding(
                severity=Severity.ERROR,
                parameter=name,
                said=f"barrier should be <= limit for {name} (currently, {pair})",
                repaired=Pair(pair.barrier, pair.barrier),
            )
    for name in ENDLESS:
        pair = values[name]
        if pair.limit != rules.unlimited:
            yield Finding(
                severity=Severity.ERROR,
                parameter=name,
                said=f"limit should be = {rules.unlimited} for {name} (currently, {pair.limit})",
                repaired=Pair(pair.barrier, rules.unlimited),
            )
    if values["physpages"].barrier != 0:
        yield _zero_barrier("physpages", values["physpages"])


def _formulas(values: Values, rules: Rules) -> Iterator[Finding]:
    given = values.get("avnumproc")
    average = given.barrier if given else values["numproc"].barrier // 2
    files, sockets, others = (
        values[name].barrier for name in ("numfile", "numtcpsock", "numothersock")
    )
    error, warning = Severity.ERROR, Severity.WARNING

    # No value can be above unlimited, so none is asked to be.
    def capped(value: int) -> int:
        return min(value, rules.unlimited)

    def at_least(name: str, needed: int, severity: Severity) -> Iterator[Finding]:
        pair = values[name]
        if pair.barrier < needed:
            yield Finding(
                severity=severity,
                parameter=name,
                said=f"{name}.bar should be > {needed} (currently, {pair.barrier})",
                repaired=Pair(needed, capped(pair.limit + needed - pair.barrier)),
            )

    def apart(name: str, count: int, severity: Severity) -> Iterator[Finding]:
        pair, needed = values[name], capped(5 * 1024 * count // 2)
        gap = pair.limit - pair.barrier
        if gap < needed and pair.limit < rules.unlimited:
            yield Finding(
                severity=severity,
                parameter=name,
                said=f"{name}.lim-{name}.bar should be > {needed} "
                f"(currently, {pair.limit}-{pair.barrier}={gap})",
                repaired=Pair(pair.barrier, capped(pair.barrier + needed)),
            )

    cache, needed = values["dcachesize"], capped(files * DCACHESIZE_OF_FILE)
    if cache.limit < needed:
        yield Finding(
            severity=warning,
            parameter="dcachesize",
            said=f"dcachesize.lim should be > {needed} (currently, {cache.limit})",
            repaired=Pair(cache.barrier, needed),
        )
    kernel = capped(KMEMSIZE_OF_PROCESS * average + cache.limit)
    yield from at_least("kmemsize", kernel, error)
    yield from at_least("privvmpages", values["vmguarpages"].barrier, warning)
    yield from apart("tcpsndbuf", sockets, error)
    yield from apart("othersockbuf", others, error)
    yield from apart("tcprcvbuf", sockets, warning)
    yield from at_least("tcprcvbuf", LEAST_TCP_BUFFER, warning)
    yield from at_least("tcpsndbuf", LEAST_TCP_BUFFER, warning)
    for name in ("dgramrcvbuf", "othersockbuf"):
        worst = list(at_least(name, LEAST_DATAGRAM_BUFFER, warning))
        yield from worst or at_least(name, GOOD_DATAGRAM_BUFFER, Severity.RECOMMENDATION)
    needed = capped(max(FILES_OF_PROCESS * average, sockets + others + values["numpty"].barrier))
    if files < needed:
        yield Finding(
            severity=warning,
            parameter="numfile",
            said=f"numfile should be > {needed} (currently, {files})",
            repaired=Pair(needed, needed),
        )


def _zero_barrier(name: str, pair: Pair) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        parameter=name,
        said=f"barrier should be = 0 for {name} (currently, {pair.barrier})",
        repaired=Pair(0, pair.limit),
    )
