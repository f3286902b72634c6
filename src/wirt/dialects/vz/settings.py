"""The options of ``vzctl set`` and the keys of ``CTID.conf``: how a value is read, and what it means to a guest.

Each option becomes values of keys, and the keys become limits; so what a command line sets and what a file says are one
thing. What no part of Wirt can hold a guest to is either refused, with the status that vzctl has for it, or, where it is a
number of an account that vzctl keeps anyway, kept in the file and said not to be enforced.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from wirt.dialects.vz import ubc
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.configfile import ConfigFile
from wirt.errors import InvalidInput
from wirt.model.limits import (
    LARGEST_MEMORY,
    LARGEST_WEIGHT,
    MOST_PROCESSES,
    MOST_TERMINALS,
    SMALLEST_WEIGHT,
    Limits,
)
from wirt.model.naming import MOST_DOMAINS, MOST_SERVERS, Naming
from wirt.units import GIB, KIB, MIB, UNBOUNDED, parse_cpus, render_cpus

SHORT = {
    "-k": "kmemsize",
    "-l": "lockedpages",
    "-p": "numproc",
    "-f": "numflock",
    "-t": "numpty",
    "-i": "numsiginfo",
    "-b": "tcprcvbuf",
    "-e": "numiptent",
    "-n": "numfile",
    "-x": "dcachesize",
}
"""Short options of ``set``."""

UBC = tuple(sorted(ubc.PARAMETERS))
LIMITING: Mapping[str, tuple[str, ...]] = {
    "cpus": ("CPUS",),
    "cpu_limit": ("CPULIMIT", "CPUS"),
    "cpu_weight": ("CPUUNITS",),
    "cpu_pin": ("CPUMASK",),
    "memory": ("PHYSPAGES", "PRIVVMPAGES"),
    "processes": ("NUMPROC",),
    "terminals": ("NUMPTY",),
    "swap": ("SWAPPAGES",),
    "disk": ("DISKSPACE",),
    "disk_soft": ("DISKSPACE",),
    "disk_grace": ("QUOTATIME",),
    "disk_inodes": ("DISKINODES",),
    "disk_inodes_soft": ("DISKINODES",),
    "user_quotas": ("QUOTAUGIDLIMIT",),
    "io_weight": ("IOPRIO",),
    "io_read": ("IOLIMIT",),
    "io_write": ("IOLIMIT",),
    "iops_read": ("IOPSLIMIT",),
    "iops_write": ("IOPSLIMIT",),
}
"""The limits of a guest, and the keys that they follow from."""

NAMING: Mapping[str, Code] = {
    "HOSTNAME": Code.HOSTNAME,
    "NAMESERVER": Code.DNS,
    "SEARCHDOMAIN": Code.SEARCH_DOMAIN,
}
"""The keys of a container's names, and what vzctl ends with when it cannot give them."""

INHERIT = "inherit"
"""Of a name server and a domain: those that the node has, looked up at each start."""

FEWEST_UNITS, MOST_UNITS = 8, 500_000
"""Of ``--cpuunits``."""

LARGEST_PRIORITY = 7
"""Of ``--ioprio``: the greater, the more of the disk; 4 is usual."""
PRIORITY_WEIGHT = 20
"""What each priority weighs: the usual one is Wirt's usual weight."""
_SPEED = re.compile(r"([0-9]{1,12})([bkmgBKMG]?)")
_UNITS = {"": MIB, "B": 1, "K": KIB, "M": MIB, "G": GIB}
_MOST_SPEED = 2 * GIB

ENFORCED = frozenset(key for keys in LIMITING.values() for key in keys)

REFUSED: Mapping[str, Code] = {
    "applyconfig_map": Code.APPLY_SAMPLE,
    "cpuweight": Code.CPU,
    "meminfo": Code.MEMINFO,
    "mount_opts": Code.MOUNT,
    "noatime": Code.MOUNT,
    "nodemask": Code.CPU,
    "ostemplate": Code.NO_TEMPLATE_GIVEN,
    "pci_add": Code.DEVICES,
    "pci_del": Code.DEVICES,
    "pkgset": Code.PACKAGES,
    "pkgver": Code.PACKAGES,
    "private": Code.PRIVATE,
    "root": Code.ROOT,
}
"""Options that no part of Wirt can do, and what vzctl ends with when it cannot do them."""


_WHY = {
    "meminfo": "with lxcfs a container sees its own memory, without it the node's",
    "mount_opts": "a container's root is no ploop image that has options of its own",
    "noatime": "the pool mounts a container's root, with relatime",
    "nodemask": "memory is not bound to nodes of it",
    "ostemplate": "a container's root is made of its template once, by create",
    "pci_add": "a container has no bus; wirt card gives it a network card, --devnodes a device",
    "pci_del": "a container has no bus",
    "pkgset": "templates are told apart by their names alone",
    "pkgver": "templates are told apart by their names alone",
    "private": "where a container's things lie is its pool's to say (wirt create --pool)",
    "root": "where a container's root is mounted is Wirt's to say (vzctl mount prints it)",
}
"""Why, where more can be said than that."""

_NO_LIMIT = (ubc.UNLIMITED, ubc.UNLIMITED_2006)
_NUMBER = re.compile(r"[0-9]{1,9}")
_FRACTION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Bad(Refused):
    """A value that an option does not take."""

    def __init__(self, option: str, value: str, *, hint: str | None = None) -> None:
        super().__init__(Code.VALUE, f"Bad parameter for --{option}: {value}", hint=hint)
        self.key = option.replace("-", "_").upper()
        """What a file calls it."""


def values_of(option: str, value: str, *, unlimited: int) -> dict[str, str]:
    """Return the keys that an option sets, and their values as a file has them.

    Raises:
        Refused: the value cannot be, or nothing here can do it.
    """
    if option in REFUSED:
        raise Refused(
            REFUSED[option],
            f"--{option} cannot be done: {_WHY.get(option, 'nothing here holds a container to it')}",
            hint="leave it out",
        )
    if option in ubc.PARAMETERS:
        return {option.upper(): _pair(option, value, unlimited)}
    return _READERS[option](option, value, unlimited)


def check_pairs(config: ConfigFile) -> None:
    """Check what a file says of beancounters and quotas as what a command line says of them, be a container held to it or not.

    Raises:
        Bad: a value cannot be.
    """
    for key in config.names():
        option, value = key.lower(), config.get(key) or ""
        if option in (*ubc.PARAMETERS, "diskspace", "diskinodes"):
            values_of(option, value, unlimited=ubc.UNLIMITED)


def limits_of(config: ConfigFile, base: Limits) -> Limits:
    """Return the limits that a file means; what it does not say is as in ``base``.

    Raises:
        Refused: a value cannot be read, or it is one that a guest cannot be held to.
    """
    disk, soft = base.disk, base.disk_soft
    if (space := config.get("DISKSPACE")) is not None:
        pair = _read_space("diskspace", space)
        disk, soft = pair.limit * 1024, pair.barrier * 1024
        soft = soft if soft < disk else UNBOUNDED
    inodes, inodes_soft = base.disk_inodes, base.disk_inodes_soft
    if (number := config.get("DISKINODES")) is not None:
        pair = _read_pair("diskinodes", number, ubc.UNLIMITED)
        inodes = UNBOUNDED if pair.limit in _NO_LIMIT else pair.limit
        is_soft = pair.barrier not in _NO_LIMIT and pair.barrier != pair.limit
        inodes_soft = pair.barrier if is_soft else UNBOUNDED
    grace = base.disk_grace
    if (seconds := config.get("QUOTATIME")) is not None:
        grace = float(_number("quotatime", seconds)["QUOTATIME"])
    has_users = base.user_quotas
    if (number := config.get("QUOTAUGIDLIMIT")) is not None:
        # How many there are bounds nothing here: the kernel counts for all of them.
        has_users = int(_number("quotaugidlimit", number)["QUOTAUGIDLIMIT"]) > 0
    return msgspec.structs.replace(
        base,
        cpus=(cpus := _cpus(config, base.cpus)),
        cpu_limit=_cpu_limit(config, base.cpu_limit, cpus),
        cpu_weight=_weight(config, base.cpu_weight),
        cpu_pin=_pin(config, base.cpu_pin),
        memory=_memory(config, base.memory),
        processes=_bound(config, "NUMPROC", base.processes, unlimited=MOST_PROCESSES),
        # No container has more than that, whatever its file says.
        terminals=min(
            _bound(config, "NUMPTY", base.terminals, unlimited=MOST_TERMINALS), MOST_TERMINALS
        ),
        swap=_swap(config, base.swap),
        disk=disk,
        disk_soft=soft,
        disk_grace=grace,
        disk_inodes=inodes,
        disk_inodes_soft=inodes_soft,
        user_quotas=has_users,
        **_io(config, base),
    )


def naming_of(config: ConfigFile, base: Naming, inherited: Callable[[], Naming]) -> Naming:
    """Return the names that a file means; what it does not say is as in ``base``, and what it inherits the node's."""
    hostname, servers, domains = (config.get(key) for key in NAMING)
    return Naming(
        hostname=base.hostname if hostname is None else hostname or None,
        dns=base.dns if servers is None else _servers(servers, inherited),
        search=base.search if domains is None else _domains(domains, inherited),
    )


def _servers(value: str, inherited: Callable[[], Naming]) -> tuple[str, ...]:
    return inherited().dns[:MOST_SERVERS] if value == INHERIT else tuple(value.split())


def _domains(value: str, inherited: Callable[[], Naming]) -> tuple[str, ...]:
    return inherited().search[:MOST_DOMAINS] if value == INHERIT else tuple(value.split())


def _memory(config: ConfigFile, base: int) -> int:
    """Return the memory: with memory and swap alone (VSwap) it is bounded by itself; else by what may be asked for."""
    most = LARGEST_MEMORY // ubc.PAGE
    for key in ("PHYSPAGES", "PRIVVMPAGES"):
        if (pages := _bound(config, key, most, unlimited=most)) != most:
            return pages * ubc.PAGE
    is_said = config.get("PHYSPAGES") is not None or config.get("PRIVVMPAGES") is not None
    return LARGEST_MEMORY if is_said else base


def _bound(config: ConfigFile, key: str, base: int, *, unlimited: int) -> int:
    """Return the limit of a beancounter: that of the file, or as much as there can be if it says that there is none."""
    text = config.get(key)
    if text is None:
        return base
    limit = _read_pair(key.lower(), text, ubc.UNLIMITED).limit
    return unlimited if limit in _NO_LIMIT else limit


def _cpus(config: ConfigFile, base: int) -> int:
    count = config.get("CPUS")
    return base if count is None else int(_number("cpus", count)["CPUS"])


def _cpu_limit(config: ConfigFile, base: float, cpus: int) -> float:
    """Return the processors' worth of time that percents stand for: 0 is no limit, and neither is more than there is."""
    percent = config.get("CPULIMIT")
    limit = base if percent is None else int(_percent("cpulimit", percent)["CPULIMIT"]) / 100
    return limit if limit < cpus else 0.0


def _swap(config: ConfigFile, base: int) -> int:
    text = config.get("SWAPPAGES")
    if text is None:
        return base
    limit = _read_pair("swappages", text, ubc.UNLIMITED).limit
    return UNBOUNDED if limit in _NO_LIMIT else limit * ubc.PAGE


def _io(config: ConfigFile, base: Limits) -> dict[str, int]:
    """Return what a file says of the disk. vzctl's limits are for both ways together, each of Wirt's for one."""
    found = {"io_read": base.io_read, "io_write": base.io_write}
    found |= {"iops_read": base.iops_read, "iops_write": base.iops_write}
    found["io_weight"] = base.io_weight
    if (speed := config.get("IOLIMIT")) is not None:
        size = int(_speed("iolimit", f"{speed}B" if speed.isdigit() else speed)["IOLIMIT"])
        found["io_read"] = found["io_write"] = size or UNBOUNDED
    if (number := config.get("IOPSLIMIT")) is not None:
        most = int(_transfers("iopslimit", number)["IOPSLIMIT"])
        found["iops_read"] = found["iops_write"] = most or UNBOUNDED
    if (priority := config.get("IOPRIO")) is not None:
        found["io_weight"] = PRIORITY_WEIGHT * (int(_priority("ioprio", priority)["IOPRIO"]) + 1)
    return found


def _weight(config: ConfigFile, base: int) -> int:
    """Return the weight that units stand for: 1000 of them, which vzctl gives a container, for the 100 that Wirt gives."""
    units = config.get("CPUUNITS")
    if units is None:
        return base
    weight = (int(_units("cpuunits", units)["CPUUNITS"]) + 5) // 10
    return min(max(weight, SMALLEST_WEIGHT), LARGEST_WEIGHT)


def units_of(limits: Limits) -> int:
    """Return the CPU units that a guest has been given."""
    return limits.cpu_weight * 10


def _pin(config: ConfigFile, base: tuple[int, ...]) -> tuple[int, ...]:
    mask = config.get("CPUMASK")
    return base if mask is None else _processors("cpumask", mask)


def _processors(option: str, value: str) -> tuple[int, ...]:
    # "auto" stands for those of the memory nodes that a container is bound to, and it is bound to none.
    if value in ("all", "auto"):
        return ()
    try:
        return parse_cpus(value)
    except InvalidInput as error:
        raise Bad(option, value, hint=error.hint) from None


def _mask(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    return {"CPUMASK": render_cpus(_processors(option, value)) or "all"}


def _units(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    keys = _number(option, value)
    if not FEWEST_UNITS <= int(value) <= MOST_UNITS:
        raise Bad(option, value, hint=f"give {FEWEST_UNITS} to {MOST_UNITS}")
    return keys


def _pair(option: str, value: str, unlimited: int) -> str:
    pair = _asked_pair(option, value, _read_pair(option, value, unlimited))
    if unlimited == ubc.UNLIMITED_2006:
        return str(pair)
    return ":".join("unlimited" if n == unlimited else str(n) for n in (pair.barrier, pair.limit))


def _read_pair(option: str, value: str, unlimited: int) -> ubc.Pair:
    try:
        return ubc.parse_pair(option, value, unlimited=unlimited)
    except InvalidInput as error:
        raise Bad(option, value, hint=error.hint) from None


def _asked_pair(option: str, value: str, pair: ubc.Pair) -> ubc.Pair:
    """Return a pair that somebody gives, once it has been found to be one that a kernel would hold a container to."""
    try:
        ubc.check_pair(option, value, pair)
    except InvalidInput as error:
        raise Bad(option, f"{value}: {error.message}", hint=error.hint) from None
    return pair


def _read_space(option: str, value: str) -> ubc.Pair:
    try:
        return ubc.parse_kibibytes(option, value)
    except InvalidInput as error:
        raise Bad(option, value, hint=error.hint) from None


def _space(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    return {"DISKSPACE": str(_asked_pair(option, value, _read_space(option, value)))}


def _pages(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    """Read the size of memory or swap: in bytes, as a limit without a barrier."""
    parameter = {"ram": "physpages", "swap": "swappages"}[option]
    try:
        # What has no suffix is bytes here, and pages of a beancounter.
        pair = ubc.parse_pair(parameter, f"{value}B" if value.isdigit() else value)
    except InvalidInput:
        raise Bad(option, value, hint="give bytes, such as 256M") from None
    return {parameter.upper(): f"0:{pair.limit}"}


def _inodes(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    return {"DISKINODES": str(_asked_pair(option, value, _read_pair(option, value, unlimited)))}


def _number(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if not _NUMBER.fullmatch(value):
        raise Bad(option, value, hint="give a whole number")
    return {option.replace("-", "_").upper(): str(int(value))}


def _percent(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    digits = value.removesuffix("%")
    if not _NUMBER.fullmatch(digits):
        raise Bad(option, value, hint="give a number, such as 50%")
    return _number(option, digits)


def _fraction(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if not _FRACTION.fullmatch(value):
        raise Bad(option, value, hint="give a number such as 1.5")
    return {option.upper(): value}


def _yes_or_no(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if value not in ("yes", "no"):
        raise Bad(option, value, hint="give yes or no")
    return {_KEYS.get(option, option.upper()): value}


def _text(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if not value.isprintable():
        raise Bad(option, value, hint="give one line of text")
    return {option.upper(): value}


def _priority(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if value not in map(str, range(LARGEST_PRIORITY + 1)):
        raise Bad(option, value, hint=f"give 0 to {LARGEST_PRIORITY}")
    return {"IOPRIO": value}


def _speed(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    """Read bytes a second, in MiB if there is no suffix; 0 is no limit."""
    match = _SPEED.fullmatch(value)
    size = 0 if value == "unlimited" else int(match[1]) * _UNITS[match[2].upper()] if match else -1
    if not 0 <= size <= _MOST_SPEED:
        raise Bad(option, value, hint="give MiB a second up to 2048, a size such as 512K, or 0")
    return {"IOLIMIT": str(size)}


def _transfers(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    return _number(option, "0" if value == "unlimited" else value)


def _modules(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    """Read modules of the packet filter: a container has all that the node's kernel has, in its own network."""
    names = [name for name in re.split(r"[,\s]+", value) if name]
    for name in names:
        if not _MODULE.fullmatch(name):
            raise Bad(option, value, hint="give modules of iptables, such as ipt_REJECT")
    return {"IPTABLES": " ".join(names)}


def _netfilter(option: str, value: str, unlimited: int = ubc.UNLIMITED) -> dict[str, str]:
    if value not in ("disabled", "stateless", "stateful", "full"):
        raise Bad(option, value, hint="give disabled, stateless, stateful or full")
    if value != "full":
        raise Refused(
            Code.FILTER,
            f"--netfilter {value} cannot be done: a container has all of the packet filter in its own network",
            hint="give full, or leave it out",
        )
    return {"NETFILTER": value}


_MODULE = re.compile(r"(ip|ipt|iptable|ip_nat|xt|nf)_[A-Za-z0-9_]{1,40}")
_KEYS = {"diskquota": "DISK_QUOTA"}
_READERS: Mapping[str, Callable[..., dict[str, str]]] = {
    "bootorder": _number,
    "cpulimit": _percent,
    "cpumask": _mask,
    "cpus": _number,
    "cpuunits": _units,
    "description": _text,
    "disabled": _yes_or_no,
    "diskinodes": _inodes,
    "diskquota": _yes_or_no,
    "diskspace": _space,
    "hostname": _text,
    "iolimit": _speed,
    "iopslimit": _transfers,
    "ioprio": _priority,
    "iptables": _modules,
    "name": _text,
    "netfilter": _netfilter,
    "nameserver": _text,
    "onboot": _yes_or_no,
    "quotatime": _number,
    "quotaugidlimit": _number,
    "ram": _pages,
    "searchdomain": _text,
    "stop-timeout": _number,
    "swap": _pages,
    "vm_overcommit": _fraction,
}
REPEATED = ("nameserver", "searchdomain")
"""Options that may be given more than once: their values stand one beside the other."""

VALUED = (*UBC, *REFUSED, *_READERS)
"""Every option of ``set`` that sets keys alone."""

NOT_ENFORCED = (
    frozenset({*(name.upper() for name in UBC), "DISK_QUOTA", "VM_OVERCOMMIT"}) - ENFORCED
)
"""Keys that are kept for whoever reads the file, and that no part of Wirt holds a guest to."""
