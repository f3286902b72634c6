"""How much of the node containers use and are promised: the formulas of ``vzmemcheck`` and ``vzcalc``.

Source: the OpenVZ documentation on the configuration of user beancounters for the whole system. Pure: values in, shares out.
What nobody knows of a container counts as nothing.
"""

from collections.abc import Sequence

import msgspec

from wirt.dialects.vz.account import Account
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006
from wirt.model.counter import PAGE

LOW_SHARE = 0.4
"""What part of low memory may be used for containers."""
_ENDLESS = -1
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


def shares_of(account: Account, node: Node) -> Shares:
    """Return what one container uses of a node and is promised.

    OpenVZ's limits of kernel memory and of what may be asked for were each a bound of its own. Here all of it comes out of the container's
    memory: so one that is unlimited ends where that does, or the node.
    """
    ram = _bounded(account, "physpages", node.memory)
    everything = ram + _bounded(account, "swappages", node.swap)
    held, limits = _kernel(account, "held"), _kernel(account, "limit")
    return Shares(
        low_util=sum(held),
        low_commit=_promised(limits, most=min(ram, node.low)),
        ram_util=sum([*_pages(account, "physpages", "held"), *held]),
        all_util=sum([*_pages(account, "oomguarpages", "held"), *held]),
        all_commit=_promised(
            [*_pages(account, "oomguarpages", "barrier"), *limits], most=everything
        ),
        alloc_util=sum([*_pages(account, "privvmpages", "held"), *held]),
        alloc_commit=_promised(
            [*_pages(account, "vmguarpages", "barrier"), *limits], most=everything
        ),
        alloc_limit=_promised([*_pages(account, "privvmpages", "limit"), *limits], most=everything),
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


def is_endless(value: int) -> bool:
    """Return whether a barrier or limit holds nothing back, as either version of OpenVZ writes it."""
    return value in (UNLIMITED, UNLIMITED_2006)


def _promised(bounds: Sequence[int], *, most: int) -> int:
    """Return what bounds allow together; if one of them is endless, no less than ``most``."""
    finite = sum(one for one in bounds if one != _ENDLESS)
    return finite if _ENDLESS not in bounds else max(finite, most)


def _bounded(account: Account, parameter: str, whole: int) -> int:
    """Return the bytes that a limit in pages leaves a container of a whole."""
    (limit,) = _pages(account, parameter, "limit") or [_ENDLESS]
    return whole if limit == _ENDLESS else min(limit, whole)


def _kernel(account: Account, part: str) -> list[int]:
    found = (getattr(account[name], part) for name in _KERNEL)
    return [_ENDLESS if is_endless(value) else value for value in found if value is not None]


def _pages(account: Account, parameter: str, part: str) -> list[int]:
    value = getattr(account[parameter], part)
    return [] if value is None else [_ENDLESS if is_endless(value) else value * PAGE]
