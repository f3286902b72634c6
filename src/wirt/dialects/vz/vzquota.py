"""``vzquota``: how much of its disk a container uses, and what bounds that.

OpenVZ turned quotas on and off for a directory. Here a root's size is bounded by the pool that it is on, always or never, so
there is nothing to turn.
"""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program
from wirt.dialects.vz.account import pair_of
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.options import read_options
from wirt.ops.guests import disk_usage
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.softlimit import grace_left
from wirt.storage.base import MeasuresRoots
from wirt.units import UNBOUNDED

USAGE = """\
Usage: vzquota stat | show <CTID>
       vzquota setlimit <CTID> [-b <soft KiB>] -B <hard KiB> [-e <grace seconds>]"""
_REFUSED = {
    "init": Code.QUOTA_INIT,
    "on": Code.QUOTA_ON,
    "off": Code.QUOTA_OFF,
    "drop": Code.QUOTA_OFF,
    "reload2": Code.USER_QUOTA,
}
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
    options, rest = read_options(others, valued=list(_VALUED.values()), short=_VALUED)
    if len(rest) != 1:
        raise Refused(Code.SYNTAX, "give one CT ID", hint=USAGE.splitlines()[0])
    if verb in _REFUSED:
        raise Refused(
            _REFUSED[verb], f"{verb} cannot be done: a disk is bounded by its pool, always or never"
        )
    match verb:
        case "stat" | "show":
            return _show(rest[0])
        case "setlimit":
            return _set_limit(rest[0], dict(options))
        case _:
            raise Refused(Code.SYNTAX, f"Bad command: {verb}")


def _show(text: str) -> int:
    with app.open_context() as context:
        guest = ctid.find(context, text)
        used = disk_usage(context, guest)
        config = conf.read_config(context.home, ctid.ctid_of(guest))
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
    inodes = pair_of(config, "diskinodes")
    hard = None if used.bytes_limit is None else guest.limits.disk // 1024
    soft = hard if guest.limits.disk_soft == UNBOUNDED else guest.limits.disk_soft // 1024
    left = grace_left(guest)
    grace = "" if left is None else "none" if left <= 0 else str(int(left))
    rows = [
        ("resource", "usage", "softlimit", "hardlimit", "grace"),
        ("1k-blocks", used.bytes // 1024, soft, hard, grace),
        ("inodes", used.inodes, inodes and inodes.barrier, used.inodes_limit, ""),
    ]
    widths = (11, 15, 16, 15, 9)
    for row in rows:
        cells = ("-" if cell is None else str(cell) for cell in row)
        line = "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        output.say(line.rstrip())
    return Code.OK


def _set_limit(text: str, options: dict[str, str]) -> int:
    for option in ("inode-softlimit", "inode-hardlimit", "inode-exptime"):
        if option in options:
            raise Refused(
                Code.QUOTA_LIMIT,
                f"--{option} cannot be done: a pool bounds a disk by its size alone",
                hint="leave it out",
            )
    given = {option: _number(option, value) for option, value in options.items()}
    hard, soft = given.get("block-hardlimit"), given.get("block-softlimit")
    if hard is None:
        raise _bad("block-hardlimit", "")
    if soft is not None:
        soft = soft * 1024 if soft < hard else UNBOUNDED
    grace = given.get("block-exptime")
    with app.open_context() as context:
        guest = ctid.find(context, text)
        request = SetRequest(
            # One that it has need not be given again: not every disk can be changed now.
            disk=None if guest.limits.disk == hard * 1024 else hard * 1024,
            disk_soft=soft,
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
    unit = "seconds" if option.endswith("time") else "KiB"
    return Refused(Code.VALUE, f"Bad parameter for --{option}: {value}", hint=f"give {unit}")
