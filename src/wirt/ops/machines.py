"""``template from-machine``: a template of a machine that runs, this one or another."""

from collections.abc import Callable, Sequence

from wirt.errors import OutOfSpace
from wirt.host import files, interrupts
from wirt.model.machine import Machine, path_below
from wirt.model.template import Template
from wirt.ops.context import Context
from wirt.ops.template import check_new
from wirt.transport.machine import packing, survey
from wirt.units import render_bytes


def take_machine(
    context: Context,
    machine: Machine,
    name: str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    progress: Callable[[str], None],
) -> Template:
    """Make a template of a machine's root and return it; the machine goes on, and nothing of it is changed.

    Args:
        context: the home.
        machine: which.
        name: what the template is called.
        include: directories of its that lie on further file systems, and are taken too.
        exclude: paths of its that are not taken.
        progress: is told what stays behind, what was put right, and what guests will lack.

    Raises:
        NotFound, Conflict, InvalidInput, Busy, LinkLost: nothing was changed.
        OutOfSpace, Failed: it could not be made; nothing of it is left.
    """
    check_new(context, name)
    taken = [path_below(machine, path) for path in include]
    left = [path_below(machine, path) for path in exclude] + _homes(context, machine)
    with interrupts.allowed():
        found = survey(machine, include=taken, exclude=left)
        room = files.free_bytes(context.home.data)
        if found.used > room:
            raise OutOfSpace(
                f"{machine.place} holds {render_bytes(found.used)}, and {render_bytes(room)} are free in "
                f"{context.home.templates}",
                hint="leave something out with --exclude, or set WIRT_HOME to a larger disk",
            )
        for path in found.others:
            progress(f"left out: {path}, another file system; --include takes it along")
        with packing(machine, include=taken, exclude=left) as tar:
            made = context.templates.take_tree(
                tar, name, origin=f"machine {machine.place}", of_machine=True, progress=progress
            )
    if not made.has_kernel:
        progress("lacking for qemu and kvm: a kernel with its modules")
    return made


def _homes(context: Context, machine: Machine) -> list[str]:
    """Return what is Wirt's own on a machine: what its guests hold is not the machine's."""
    if machine.ssh is not None:
        return ["./var/lib/wirt"]
    base = machine.root.rstrip("/")
    ours = (context.home.data, context.home.run)
    return [f".{path.removeprefix(base)}" for path in ours if path.startswith(f"{base}/")]
