"""The fields of ``vzlist``: what each is called, how wide it is, and where its value comes from.

A listing of a thousand containers with the usual fields reads nothing but the state; a container's file, its counters and
its disk are asked for by the fields that show them.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, partial

import msgspec

from wirt.dialects.vz import conf, ctid, ubc
from wirt.dialects.vz.account import Account, pair_of, read_account
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.settings import units_of
from wirt.dialects.vz.suspended import is_suspended
from wirt.errors import Failed
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.load import read_load
from wirt.ops.observing import disk_usage

Value = int | float | str | bool | list[str] | tuple[float, ...] | None
"""What a field says of one container; None: nothing is known."""


class Row:
    """One container, and what its fields are read from."""

    def __init__(self, context: Context, guest: Guest) -> None:
        """Take a guest as it really is."""
        self._context = context
        self.guest = guest
        self.ctid = ctid.ctid_of(guest)

    @property
    def is_running(self) -> bool:
        """Return whether it runs, be it held still."""
        return self.guest.state.is_up

    @property
    def status(self) -> str:
        """Return OpenVZ's word for what it does."""
        return "suspended" if is_suspended(self.guest) else self.status_2006

    @property
    def status_2006(self) -> str:
        """Return the word of 2006, which had none for what is suspended."""
        return "running" if self.is_running else self.guest.state.value

    @property
    def name(self) -> str | None:
        """Return its name, if it has one besides its number."""
        return None if self.guest.name == str(self.ctid) else self.guest.name

    @property
    def private(self) -> str:
        """Return the directory of its own things."""
        return self._context.home.guest(self.guest.id)

    @cached_property
    def config(self) -> ConfigFile:
        """Return its file, or an empty one."""
        return conf.read_or_warn(self._context.home, self.ctid)

    @cached_property
    def disk(self) -> dict[str, tuple[int | None, int | None, int | None]]:
        """Return what it uses of its disk, and its soft and hard limits: KiB and inodes."""
        used = disk_usage(self._context, self.guest)
        space, inodes = self.pair("diskspace"), self.pair("diskinodes")
        return {
            "diskspace": (
                used.bytes // 1024 if used else None,
                space.barrier if space else None,
                space.limit if space else self.guest.limits.disk // 1024,
            ),
            "diskinodes": (
                used.inodes if used else None,
                inodes.barrier if inodes else None,
                inodes.limit if inodes else None,
            ),
        }

    @cached_property
    def account(self) -> Account:
        """Return its beancounters."""
        return read_account(self._context, self.guest, self.config)

    @cached_property
    def load(self) -> tuple[float, ...] | None:
        """Return how busy it is, over one, five and fifteen minutes."""
        # It may have ended meanwhile.
        with suppress(Failed):
            return read_load(self._context, self.guest)
        return None

    def pair(self, parameter: str) -> ubc.Pair | None:
        """Return what its file says of a beancounter or a quota; None if nothing that can be read."""
        return pair_of(self.config, parameter)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field."""

    name: str
    head: str
    width: int
    """Characters; below zero: set to the left."""
    value: Callable[[Row], Value]
    whole: Callable[[Row], object] | None = None
    """What JSON has for it, where that is more than the value."""
    is_part: bool = False
    """It is a part of another field, which JSON shows as a whole."""
    is_cut: bool = False
    """A value that is too long is cut."""

    def show(self, row: Row, *, is_last: bool, is_cut: bool) -> str:
        """Return the cell of a container."""
        found = self.value(row)
        if isinstance(found, list):
            found = (" " if is_last else "").join(found if is_last else found[:1]) or None
        text = _text(found)
        if self.is_cut and is_cut and not is_last:
            text = text[: abs(self.width)]
        return text.ljust(-self.width) if self.width < 0 else text.rjust(self.width)


def _text(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "/".join(f"{one:.2f}" for one in value)
    return str(value)


def _from_file(key: str, row: Row) -> str | None:
    return row.config.get(key) or None


def _number_from_file(key: str, row: Row) -> int | None:
    text = row.config.get(key) or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _counter(parameter: str, part: str, row: Row) -> int | None:
    # Of one that does not run nothing is counted: its file, which has the bounds, need not be read.
    if not row.is_running and part not in ("barrier", "limit"):
        return None
    value: int | None = getattr(row.account[parameter], part)
    return value


def _whole_counter(parameter: str, row: Row) -> object:
    found = msgspec.structs.asdict(row.account[parameter])
    return found if any(value is not None for value in found.values()) else None


def _quota(parameter: str, place: int, row: Row) -> int | None:
    return row.disk[parameter][place]


def _whole_quota(parameter: str, row: Row) -> object:
    return dict(zip(("usage", "softlimit", "hardlimit"), row.disk[parameter], strict=True))


def _uptime(row: Row) -> float | None:
    handle = row.guest.handle
    if not row.is_running or handle is None or handle.started is None:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - handle.started / os.sysconf("SC_CLK_TCK")


def _uptime_text(row: Row) -> str | None:
    seconds = _uptime(row)
    if seconds is None:
        return None
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day:03d}d{hour:02d}h:{minute:02d}m:{second:02d}s"


def _load(row: Row) -> tuple[float, ...] | None:
    return row.load


def _load_whole(row: Row) -> object:
    """Return it as vzlist writes it: JSON has no numbers with two digits behind the point but as text."""
    if row.load is None:
        return None
    return msgspec.Raw(f"[{','.join(f'{one:.2f}' for one in row.load)}]".encode())


def _is_vswap(row: Row) -> bool:
    pair = row.pair("physpages")
    return pair is not None and pair.limit not in (ubc.UNLIMITED, ubc.UNLIMITED_2006)


_PARTS = {"": "held", ".m": "maxheld", ".b": "barrier", ".l": "limit", ".f": "failcnt"}
_UBC = {
    "kmemsize": "KMEMSIZE",
    "lockedpages": "LOCKEDP",
    "privvmpages": "PRIVVMP",
    "shmpages": "SHMP",
    "numproc": "NPROC",
    "physpages": "PHYSP",
    "vmguarpages": "VMGUARP",
    "oomguarpages": "OOMGUARP",
    "numtcpsock": "NTCPSOCK",
    "numflock": "NFLOCK",
    "numpty": "NPTY",
    "numsiginfo": "NSIGINFO",
    "tcpsndbuf": "TCPSNDB",
    "tcprcvbuf": "TCPRCVB",
    "othersockbuf": "OTHSOCKB",
    "dgramrcvbuf": "DGRAMRB",
    "numothersock": "NOTHSOCK",
    "dcachesize": "DCACHESZ",
    "numfile": "NFILE",
    "numiptent": "NIPTENT",
    "swappages": "SWAPP",
}


def _text_field(name: str, value: Callable[[Row], Value], width: int = -32) -> Field:
    return Field(name=name, head=name.upper(), width=width, value=value, is_cut=True)


def _plain(name: str, head: str, width: int, value: Callable[[Row], Value]) -> Field:
    return Field(name=name, head=head, width=width, value=value)


def _counters() -> list[Field]:
    return [
        Field(
            name=f"{name}{suffix}",
            head=f"{head}{suffix.upper()}",
            width=10,
            value=partial(_counter, name, part),
            whole=partial(_whole_counter, name),
            is_part=bool(suffix),
        )
        for name, head in _UBC.items()
        for suffix, part in _PARTS.items()
    ]


def _quotas(heads: Mapping[str, str]) -> list[Field]:
    return [
        Field(
            name=f"{name}{suffix}",
            head=f"{head}{suffix.upper()}",
            width=10,
            value=partial(_quota, name, place),
            whole=partial(_whole_quota, name),
            is_part=bool(suffix),
        )
        for name, head in heads.items()
        for place, suffix in enumerate(("", ".s", ".h"))
    ]


def _numbers(head: str, *names: str) -> list[Field]:
    return [_plain(name, head, 10, lambda row: row.ctid) for name in names]


_HOSTNAME = _text_field("hostname", lambda row: row.guest.naming.hostname or row.guest.name)
_NAME = _text_field("name", lambda row: row.name)
_IP = Field(
    name="ip",
    head="IP_ADDR",
    width=-15,
    value=lambda row: list(row.guest.card.addresses),
    is_cut=True,
)
_CPULIMIT = _plain("cpulimit", "CPULIM", 7, partial(_number_from_file, "CPULIMIT"))
_CPUUNITS = _plain("cpuunits", "CPUUNI", 7, lambda row: units_of(row.guest.limits))
_LOAD = Field(name="laverage", head="LAVERAGE", width=14, value=_load, whole=_load_whole)


def _by_name(fields: list[Field]) -> dict[str, Field]:
    return {field.name: field for field in fields}


FIELDS = _by_name(
    [
        *_numbers("CTID", "ctid", "veid", "vpsid"),
        _text_field("private", lambda row: row.private),
        _text_field("root", partial(_from_file, "VE_ROOT")),
        _text_field("mount_opts", partial(_from_file, "MOUNT_OPTS"), -16),
        _text_field("origin_sample", partial(_from_file, "ORIGIN_SAMPLE"), 32),
        _HOSTNAME,
        _NAME,
        Field(
            name="smart_name",
            head="SMARTNAME",
            width=10,
            value=lambda row: row.name or row.ctid,
            is_cut=True,
        ),
        _text_field("description", partial(_from_file, "DESCRIPTION")),
        _text_field("ostemplate", lambda row: row.config.get("OSTEMPLATE") or row.guest.template),
        _IP,
        _text_field("nameserver", lambda row: list(row.guest.naming.dns), -15),
        _text_field("searchdomain", lambda row: list(row.guest.naming.search), -15),
        _plain("status", "STATUS", -9, lambda row: row.status),
        *_counters(),
        *_quotas({"diskspace": "DSPACE", "diskinodes": "DINODES"}),
        _LOAD,
        Field(name="uptime", head="UPTIME", width=15, value=_uptime_text, whole=_uptime),
        _CPULIMIT,
        _CPUUNITS,
        _plain("cpus", "CPUS", 5, lambda row: row.guest.limits.cpus),
        _plain("ioprio", "IOP", 3, partial(_number_from_file, "IOPRIO")),
        _plain("iolimit", "IOLIMIT", 10, partial(_number_from_file, "IOLIMIT")),
        _plain("iopslimit", "IOPS", 4, partial(_number_from_file, "IOPSLIMIT")),
        _plain("onboot", "ONBOOT", 6, lambda row: row.guest.boot_order is not None),
        _plain("bootorder", "BOOTORDER", 10, partial(_number_from_file, "BOOTORDER")),
        _plain("layout", "LAYOUT", 6, lambda row: "simfs"),
        _text_field("features", partial(_from_file, "FEATURES"), -15),
        _plain("vswap", "VSWAP", 5, _is_vswap),
        _plain("disabled", "DISABL", 6, lambda row: row.config.get("DISABLED") == "yes"),
        _plain("vm_overcommit", "VM_OVC", 6, partial(_from_file, "VM_OVERCOMMIT")),
        _text_field("netfilter", partial(_from_file, "NETFILTER"), -9),
        _text_field("capability", partial(_from_file, "CAPABILITY"), -15),
    ]
)
"""Those of vzlist 4.11, by name and in the order in which JSON shows them."""

FIELDS_2006 = _by_name(
    [
        *_numbers("VPSID", "vpsid"),
        _HOSTNAME,
        _NAME,
        _IP,
        _plain("status", "STATUS", -7, lambda row: row.status_2006),
        *(field for field in _counters() if not field.name.startswith("swappages")),
        *_quotas({"diskspace": "DQBLOCKS", "diskinodes": "DQINODES"}),
        _LOAD,
        _CPULIMIT,
        _CPUUNITS,
    ]
)
"""Those of the vzlist of 2006."""
