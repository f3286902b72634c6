"""How much of the node containers use and are promised: the formulas of ``vzmemcheck`` and ``vzcalc``.

Source: the OpenVZ documentation on the configuration of user beancounters for the whole system. Pure: values in, shares out.
What nobody knows of a container counts as nothing.
"""

from collections.abc import Sequence

import msgspec

from wirt.dialects.vz.account import Account
from wirt.model.counter import PAGE

LOW_SHARE = 0.4
"""What part of low memory may be used for containers."""
_KERNEL = ("kmemsize", "tcprcvbuf", "tcpsndbuf", "dgramrcvbuf", "othersockbuf")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What the node has, in bytes."""

    low: int
    """Low memory: on 64 bits all of it."""
    memory: int
    swap: int


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that containers use (``util``) and are promised (``commit``, ``limit``), by kind of memory."""

    low_util: int = 0
    low_commit: int = 0
    ram_util: int = 0
    all_util: int = 0
    all_commit: int = 0
    alloc_util: int = 0
    alloc_commit: int = 0
    alloc_limit: int = 0


def shares_of(account: Account) -> Shares:
    """Return what one container uses and is promised."""
    held, limit = _kernel(account, "held"), _kernel(account, "limit")
    return Shares(
        low_util=held,
        low_commit=limit,
        ram_util=_pages(account, "physpages", "held") + held,
        all_util=_pages(account, "oomguarpages", "held") + held,
        all_commit=_pages(account, "oomguarpages", "barrier") + limit,
        alloc_util=_pages(account, "privvmpages", "held") + held,
        alloc_commit=_pages(account, "vmguarpages", "barrier") + limit,
        alloc_limit=_pages(account, "privvmpages", "limit") + limit,
    )


def sum_of(shares: Sequence[Shares]) -> Shares:
    """Return what containers use and are promised together."""
    fields = Shares.__struct_fields__
    return Shares(**{field: sum(getattr(one, field) for one in shares) for field in fields})


def wholes_of(node: Node) -> dict[str, int]:
    """Return for each of the shares what it is a share of, in bytes."""
    low, ram, everything = int(node.low * LOW_SHARE), node.memory, node.memory + node.swap
    return {
        field: low if field.startswith("low") else ram if field == "ram_util" else everything
        for field in Shares.__struct_fields__
    }


def percents_of(shares: Shares, node: Node) -> dict[str, float]:
    """Return the shares in percent of what the node has."""
    wholes = wholes_of(node)
    return {field: 100 * getattr(shares, field) / wholes[field] for field in wholes}


def _kernel(account: Account, part: str) -> int:
    return sum(getattr(account[name], part) or 0 for name in _KERNEL)


def _pages(account: Account, parameter: str, part: str) -> int:
    return (getattr(account[parameter], part) or 0) * PAGE
