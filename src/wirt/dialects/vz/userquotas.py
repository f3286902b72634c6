"""What ``vzquota stat -t`` says of users and groups of a container, made from values alone.

The tables are vzquota's. The kernel counts for every user, so none is loaded or left out here, and its file has no flags.
"""

from collections.abc import Iterable

from wirt.model.quota import Owner, Quota
from wirt.units import UNBOUNDED

_GRACE = "7days"
"""What the kernel's quotas have unless somebody changes it by its own programs."""


def render_user_quotas(quotas: Iterable[Quota], limit: int) -> str:
    """Return the tables.

    Args:
        quotas: what each holds and may hold.
        limit: of how many the container's file wants (QUOTAUGIDLIMIT), which bounds nothing here.
    """
    found = list(quotas)
    lines = [
        "User/group quota: on,active",
        f"Ugids: loaded {len(found)}, total {len(found)}, limit {limit}",
        "Ugid limit was exceeded: no",
        "",
        "User/group grace times and quotafile flags:",
        _times("type", "block_exp_time", "inode_exp_time", "dqi_flags"),
        *(_times(owner, _GRACE, _GRACE, "0h") for owner in Owner),
    ]
    if found:
        heads = ("resource", "usage", "softlimit", "hardlimit", "grace", "status")
        lines += ["", "User/group objects:", _object("ID", "type", *heads)]
    for one in found:
        bounds = one.bounds
        for resource, usage, soft, hard in (
            (
                "1k-blocks",
                -(-one.bytes // 1024),
                _kibibytes(bounds.bytes_soft),
                _kibibytes(bounds.bytes),
            ),
            ("inodes", one.inodes, _number(bounds.inodes_soft), _number(bounds.inodes)),
        ):
            words = (resource, str(usage), str(soft), str(hard), "", "loaded")
            lines.append(_object(str(one.number), one.owner, *words))
    return "\n".join(lines)


def _times(kind: str, blocks: str, inodes: str, flags: str) -> str:
    return f"{kind:>5} {blocks:>14} {inodes:>14} {flags:>10}"


def _object(
    number: str,
    kind: str,
    resource: str,
    usage: str,
    soft: str,
    hard: str,
    grace: str,
    status: str,
) -> str:
    return (
        f"{number:<11} {kind:>5} {resource:>9} {usage:>11} {soft:>11} {hard:>11} "
        f"{grace:>8} {status:>6}"
    )


def _kibibytes(bound: int) -> int:
    return 0 if bound == UNBOUNDED else bound // 1024


def _number(bound: int) -> int:
    """Return a bound as vzquota writes it: 0 is none."""
    return 0 if bound == UNBOUNDED else bound
