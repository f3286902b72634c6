"""Renders what ``wirt node`` found as a table."""

from collections.abc import Callable

from wirt.console.output import columns
from wirt.ops.node import NodeReport, Resource
from wirt.units import render_bytes

_HEADS = ("", "HAS", "RESERVED", "GUARANTEED", "LIMITED", "IN USE")


def render_node(report: NodeReport) -> str:
    """Return a row for each resource, and how many guests there are."""
    rows = [
        _row("CPUs", report.cpus, lambda number: f"{number:.4g}"),
        _row("memory", report.memory, lambda size: render_bytes(int(size))),
        _row("disk", report.disk, lambda size: render_bytes(int(size))),
    ]
    guests = f"{report.guests} guest{'s' * (report.guests != 1)}, {report.running} running"
    return f"{columns(_HEADS, rows, right=_HEADS[1:])}\n\n{guests}"


def _row(name: str, resource: Resource, render: Callable[[float], str]) -> list[str]:
    values = (
        resource.has,
        resource.reserved,
        resource.guaranteed,
        resource.limited,
        resource.used,
    )
    return [name, *("-" if value is None else render(value) for value in values)]
