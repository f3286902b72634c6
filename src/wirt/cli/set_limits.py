"""``wirt set``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.ops import set as verb
from wirt.units import render_bytes


@click.command("set")
@click.argument("name")
@click.option("--cpus", type=int, help="CPUs.")
@click.option("--memory", type=options.BYTES, help="Memory.")
@click.option("--processes", type=int, help="Processes and threads, of a container.")
@click.option("--disk", type=options.BYTES, help="Disk.")
@click.option("--snapshot", is_flag=True, help="Keep its root and limits first, for wirt undo.")
def set_limits(
    name: str,
    cpus: int | None,
    memory: int | None,
    processes: int | None,
    disk: int | None,
    snapshot: bool,
) -> None:
    """Change what the guest NAME may use; it is kept."""
    request = verb.SetRequest(cpus=cpus, memory=memory, processes=processes, disk=disk)
    with app.open_context() as context:
        limits = verb.set_limits(context, name, request, snapshot=snapshot).limits
    has = {
        "cpus": f"{limits.cpus} CPU{'s' * (limits.cpus > 1)}",
        "memory": f"{render_bytes(limits.memory)} of memory",
        "processes": f"{limits.processes} processes",
        "disk": f"a disk of {render_bytes(limits.disk)}",
    }
    changed = [text for field, text in has.items() if getattr(request, field) is not None]
    output.say(f"guest {name} has {', '.join(changed)} now")
