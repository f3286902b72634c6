"""``wirt set``."""

from typing import Any

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.limits import Limits
from wirt.ops import set as verb
from wirt.units import UNBOUNDED, render_bytes, render_cpus


@click.command("set")
@click.argument("name")
@click.option("--cpus", type=int, help="CPUs.")
@click.option("--cpu-weight", type=int, help="What it gets of CPUs that several want: 1 to 10000.")
@click.option("--cpu-pin", type=options.CPUS, help="CPUs to run on, such as 0,2-3, or all.")
@click.option("--memory", type=options.BYTES, help="Memory.")
@click.option("--memory-guarantee", type=options.BYTES, help="Memory that is taken from it last.")
@click.option("--swap", type=options.BOUND, help="Swap beside its memory, or unlimited.")
@click.option("--processes", type=int, help="Processes and threads, of a container.")
@click.option("--disk", type=options.BYTES, help="Disk.")
@click.option("--snapshot", is_flag=True, help="Keep its root and limits first, for wirt undo.")
def set_limits(name: str, snapshot: bool, **changes: Any) -> None:
    """Change what the guest NAME may use; it is kept."""
    with app.open_context() as context:
        request = verb.SetRequest(**changes)
        limits = verb.set_limits(context, name, request, snapshot=snapshot).limits
    has = _described(limits)
    changed = [text for field, text in has.items() if changes[field] is not None]
    output.say(f"guest {name} has {', '.join(changed)} now")


def _described(limits: Limits) -> dict[str, str]:
    """Return what a guest with these limits has, by the names of the options."""
    pin = f"CPUs {render_cpus(limits.cpu_pin)}" if limits.cpu_pin else "all CPUs"
    return {
        "cpus": f"{limits.cpus} CPU{'s' * (limits.cpus > 1)}",
        "cpu_weight": f"a CPU weight of {limits.cpu_weight}",
        "cpu_pin": f"{pin} to run on",
        "memory": f"{render_bytes(limits.memory)} of memory",
        "memory_guarantee": f"{_size(limits.memory_guarantee)} memory guaranteed",
        "swap": f"{_size(limits.swap)} swap",
        "processes": f"{limits.processes} processes",
        "disk": f"a disk of {render_bytes(limits.disk)}",
    }


def _size(size: int) -> str:
    """Return how much of something a guest has, if it is bounded."""
    if size == UNBOUNDED:
        return "unlimited"
    return f"{render_bytes(size)} of" if size else "no"
