"""``vzquota``: how much of its disk a container uses, and what bounds that.

OpenVZ turned quotas on and off for a directory. Here a root's size is bounded by the pool that it is on, always or never, so
there is nothing to turn.
"""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.options import read_options
from wirt.dialects.vz.userquotas import render_user_quotas
from wirt.ops import inodes
from wirt.ops.observing import disk_usage
from wirt.ops.quotas import list_quotas
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.softlimit import grace_left
from wirt.storage.base import MeasuresRoots
from wirt.units import UNBOUNDED

USAGE = """\
Usage: vzquota stat | show <CTID> [-t]
       vzquota setlimit <CTID> [-b <soft KiB>] -B <hard KiB> [-i <soft inodes>] [-I <hard inodes>]
                [-e <grace seconds>]"""
_REFUSED = {
    "init": Code.QUOTA_INIT,
    "on": Code.QUOTA_ON,
    "off": Code.QUOTA_OFF,
    "drop": Code.QUOTA_OFF,
    "reload2": Code.UGID_QUOTA,
}
_USERS = "user-group"
_SHORT = {"-t": _USERS}
_VALUED = {
    "-b": "block-softlimit",
    "-B": "block-hardlimit",
    "-i": "inode-softlimit",
    "-I": "inode-hardlimit",
    "-e": "block-exptime",
    "-n": "inode-exptime",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        output.say(USAGE)
        return Code.OK if arguments else Code.SYNTAX
    verb, *others = arguments
    options, rest = read_options(
        others, [_USERS], list(_VALUED.values()), short={**_SHORT, **_VALUED}
    )
    given = dict(options)
    if len(rest) != 1:
        raise Refused(Code.SYNTAX, "give one CT ID", hint=USAGE.splitlines()[0])
    if verb in _REFUSED:
        raise Refused(
            _REFUSED[verb], f"{verb} cannot be done: a disk is bounded by its pool, always or never"
        )
    match verb:
        case "stat" | "show":
            return _show(rest[0], has_users=_USERS in given)
        case "setlimit":
            return _set_limit(rest[0], given)
        case _:
            raise Refused(Code.SYNTAX, f"Bad command: {verb}")


def _show(text: str, *, has_users: bool) -> int:
    with app.open_context() as context:
        guest = ctid.find(context, text)
        used = disk_usage(context, guest)
    if used is None and isinstance(context.pool(guest.pool), MeasuresRoots):
        raise Refused(
            Code.QUOTA_USAGE,
            f"it is not known what container {text} uses: its disk is not mounted",
            hint="start it first",
        )
    if used is None:
        raise Refused(
            Code.QUOTA_USAGE,
            f"it is not known what container {text} uses: pool {guest.pool} does not count it",
            hint="pools image and btrfs do",
        )
    hard = None if used.bytes_limit is None else guest.limits.disk // 1024
    soft = hard if guest.limits.disk_soft == UNBOUNDED else guest.limits.disk_soft // 1024
    most = guest.limits.disk_inodes
    hard_inodes = used.inodes_limit if most == UNBOUNDED else most
    few = guest.limits.disk_inodes_soft
    soft_inodes = hard_inodes if few == UNBOUNDED else few
    rows = [
        ("resource", "usage", "softlimit", "hardlimit", "grace"),
        ("1k-blocks", used.bytes // 1024, soft, hard, _grace(grace_left(guest))),
        ("inodes", used.inodes, soft_inodes, hard_inodes, _grace(inodes.grace_left(guest))),
    ]
    widths = (11, 15, 16, 15, 9)
    for row in rows:
        cells = ("-" if cell is None else str(cell) for cell in row)
        line = "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        output.say(line.rstrip())
    if has_users:
        _show_users(text)
    return Code.OK


def _show_users(text: str) -> None:
    with app.open_context() as context, ends_with(Code.UGID_QUOTA):
        guest = ctid.find(context, text)
        found = list_quotas(context, guest.name)
        limit = conf.read_config(context.home, ctid.ctid_of(guest)).get("QUOTAUGIDLIMIT") or "0"
    output.say(render_user_quotas(found, int(limit) if limit.isdecimal() else 0))


def _grace(left: float | None) -> str:
    """Return the seconds that are left, nothing for who holds no more than its soft limit."""
    return "" if left is None else "none" if left <= 0 else str(int(left))


def _set_limit(text: str, options: dict[str, str]) -> int:
    given = {
        option: _number(option, value) for option, value in options.items() if option != _USERS
    }
    hard, soft = given.get("block-hardlimit"), given.get("block-softlimit")
    if hard is None:
        raise _bad("block-hardlimit", "")
    if soft is not None:
        soft = soft * 1024 if soft < hard else UNBOUNDED
    grace = given.get("block-exptime", given.get("inode-exptime"))
    if grace is not None and given.get("inode-exptime", grace) != grace:
        raise Refused(
            Code.QUOTA_LIMIT,
            "--inode-exptime cannot be done: a disk has one grace, for bytes and inodes",
            hint="give both the same",
        )
    most, few = given.get("inode-hardlimit"), given.get("inode-softlimit")
    with app.open_context() as context:
        guest = ctid.find(context, text)
        request = SetRequest(
            # One that it has need not be given again: not every disk can be changed now.
            disk=None if guest.limits.disk == hard * 1024 else hard * 1024,
            disk_soft=soft,
            disk_inodes=most,
            disk_inodes_soft=UNBOUNDED if few is not None and few == most else few,
            disk_grace=None if grace is None else float(grace),
        )
        if request == SetRequest():
            return Code.OK
        with ends_with(Code.QUOTA_LIMIT):
            set_limits(context, guest.name, request)
    return Code.OK


def _number(option: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise _bad(option, value)
    return int(value)


def _bad(option: str, value: str) -> Refused:
    unit = "seconds" if option.endswith("time") else "KiB" if "block" in option else "a number"
    return Refused(Code.VALUE, f"Bad parameter for --{option}: {value}", hint=f"give {unit}")
