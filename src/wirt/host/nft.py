"""The packet filter of the node, changed by ``nft``: each call is one transaction, done whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from wirt.host import run

_NFTABLES = 10 << 8
"""NFNL_SUBSYS_NFTABLES, in the upper half of a message's type."""
_NEW_RULE, _GET_RULE = 6, 7


def apply(commands: str) -> None:
    """Do the commands, of which there is one a line or block.

    Raises:
        Failed: the kernel refused one; its words are the message's.
        Unsupported: nft is not installed.
    """
    run.check(["nft", "-f", "-"], stdin=commands)


@contextmanager
def applying(commands: str) -> Iterator[None]:
    """Do the commands while the block runs; they are done when it ends.

    For what deletes: the kernel lets go of nft only when no packet can be looking at it any more, which takes it longer
    than all else that nft does (16 ms to 2 ms).

    Raises:
        Failed, Unsupported: as ``apply``.
    """
    started = run.spawn(["nft", commands])
    try:
        yield
    finally:
        status = started.wait()
    # Ctrl-C on a terminal may have ended it: again is no error, and says what is the matter if it was refused.
    if status != 0:
        apply(commands)


def has_table(family: str, table: str) -> bool:
    """Return whether there is a table of this name."""
    return run.run(["nft", "list", "table", family, table]).status == 0


def find_elements(family: str) -> dict[tuple[str, str], list[Any]]:
    """Return what the sets and maps of a family's tables hold, by table and name, as libnftables-json(5) writes it."""
    said = run.check(["nft", "-j", "list", "ruleset", family])
    found = {}
    for entry in msgspec.json.decode(said)["nftables"]:
        for kind in ("set", "map"):
            if kind in entry:
                one = entry[kind]
                found[one["table"], one["name"]] = one.get("elem", [])
    return found


def count_rules(pid: int) -> int:
    """Return the number of rules in the network namespace of a process, of every family and table.

    Source: the kernel's uapi header linux/netfilter/nf_tables.h.

    Raises:
        Failed: the process is gone, or the kernel has no nftables.
    """
    # Loaded here: every guest's start needs this module, and none this function.
    from wirt.host import netlink

    every_family = b"\0\0\0\0"
    with netlink.opened_in(pid, netlink.NETFILTER) as asked:
        answers = netlink.dump(asked, _NFTABLES | _GET_RULE, every_family)
        return sum(kind == _NFTABLES | _NEW_RULE for kind, _ in answers)
