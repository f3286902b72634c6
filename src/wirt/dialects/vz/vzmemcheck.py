"""``vzmemcheck``: how much of the node's memory the running containers use and are promised."""

from collections.abc import Iterable, Mapping, Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program
from wirt.dialects.vz.account import read_account
from wirt.dialects.vz.capacity import Node, Shares, percents_of, shares_of, sum_of, wholes_of
from wirt.dialects.vz.codes import Code
from wirt.dialects.vz.node import probe_capacity
from wirt.dialects.vz.options import read_options
from wirt.errors import InvalidInput
from wirt.ops.guests import observed
from wirt.units import MIB

USAGE = "Usage: vzmemcheck [-v] [-A] [--compat=2006]"
_HEADS = (
    " LowMem  LowMem     RAM MemSwap MemSwap   Alloc   Alloc   Alloc",
    "   util  commit    util    util  commit    util  commit   limit",
)
_LINE = "-" * 74


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    options, rest = read_options(
        arguments, ["v", "A", "help"], ["compat"], short={"-v": "v", "-A": "A", "-h": "help"}
    )
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if rest:
        raise InvalidInput(f"{rest[0]} is not understood", hint=USAGE)
    first = "veid       " if program.is_2006(given.get("compat")) else "CTID       "
    node = probe_capacity()
    with app.open_context() as context:
        containers = {}
        for guest in context.store.guests():
            if observed(context, guest).state.is_up:
                number = ctid.ctid_of(guest)
                config = conf.read_or_warn(context.home, number)
                containers[number] = shares_of(read_account(context, guest, config), node)
    output.say(
        render(
            containers,
            node,
            is_long="v" in given,
            is_absolute="A" in given,
            first=first,
        )
    )
    return Code.OK


def render(
    containers: Mapping[int, Shares], node: Node, *, is_long: bool, is_absolute: bool, first: str
) -> str:
    """Return the table of what containers, by their CTIDs, use and are promised of a node."""

    def values(shares: Shares) -> Iterable[float]:
        if is_absolute:
            return (getattr(shares, field) / MIB for field in Shares.__struct_fields__)
        return percents_of(shares, node).values()

    before = first if is_long else ""
    lines = [f"Output values in {'Mbytes' if is_absolute else '%'}", before + _HEADS[0]]
    lines.append(" " * len(before) + _HEADS[1])
    if is_long:
        lines += [
            f"{number:<10d}" + "".join(f" {value:7.2f}" for value in values(shares))
            for number, shares in sorted(containers.items())
        ]
        lines.append(_LINE)
    total = sum_of(list(containers.values()))
    lines.append(("Summary:   " if is_long else "") + _row(values(total)))
    if is_absolute:
        wholes = (whole / MIB for whole in wholes_of(node).values())
        lines.append(" " * len(before) + _row(wholes))
    return "\n".join(lines)


def _row(values: Iterable[float]) -> str:
    return "".join(f"{value:7.2f} " for value in values)
