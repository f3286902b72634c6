"""Whether a new guest can have the CPUs and the disk that it is to have, told before anything of it is made."""

import msgspec

from wirt.approaches.base import Approach, Needs
from wirt.approaches.hypervisor import MachineSize, OnHypervisor
from wirt.errors import Unsupported
from wirt.host import affinity
from wirt.model.limits import Limits
from wirt.model.template import Template
from wirt.ops.context import Context
from wirt.storage.base import Pool
from wirt.storage.powers import BoundsImages, CountsTemplates
from wirt.units import render_bytes


def machine_of(context: Context, approach: Approach) -> MachineSize:
    """Return what there is of processors and memory for guests of an approach: what the node has, or what is below it."""
    if isinstance(approach, OnHypervisor):
        return approach.ask_machine()
    return MachineSize(processors=tuple(range(context.cpus)), memory=context.memory)


def processors_for(approach: Approach) -> tuple[int, ...]:
    """Return the numbers of the processors that guests of an approach can be pinned to."""
    return (
        approach.ask_machine().processors
        if isinstance(approach, OnHypervisor)
        else affinity.usable()
    )


def check_cpus(name: str, approach: str, needs: Needs, cpus: int) -> None:
    """Check that a guest's kernel knows as many processors.

    Raises:
        Unsupported: it does not.
    """
    if needs.most_cpus is not None and cpus > needs.most_cpus:
        raise Unsupported(
            f"guest {name} cannot have {cpus} CPUs: the kernel of approach {approach} knows "
            f"{needs.most_cpus}",
            hint="leave --cpus out, or use the approach qemu or kvm",
        )


def fit_disk(name: str, limits: Limits, template: Template, pool: Pool, root: str) -> Limits:
    """Return a guest's limits with the size that its disk will have, which is an image above the template's.

    The usual size is as good as none: then it is made as large as it has to be.

    Raises:
        Unsupported: it cannot have the size that is asked for.
    """
    least = template.image_bytes
    if limits.disk == Limits().disk and limits.disk < least:
        return msgspec.structs.replace(limits, disk=least)
    most = pool.most_bytes(root, least) if isinstance(pool, BoundsImages) else None
    if limits.disk < least or (most is not None and limits.disk > most):
        exactly = "" if most is not None else "at least "
        raise Unsupported(
            f"guest {name} cannot have a disk of {render_bytes(limits.disk)}: on pool {pool.name} it is "
            f"{exactly}as large as its template's image, which has {render_bytes(least)}",
            hint="leave --disk out" if most is not None else "leave --disk out, or ask for more",
        )
    return limits


def check_holds_template(name: str, limits: Limits, template: Template, pool: Pool) -> None:
    """Check that a tree's disk is no smaller than what is on it from the start.

    Raises:
        Unsupported: it is, so that nothing could be written to it.
    """
    least = template.unpacked_bytes
    if limits.disk < least and isinstance(pool, CountsTemplates) and pool.counts_templates():
        raise Unsupported(
            f"guest {name} cannot have a disk of {render_bytes(limits.disk)}: on pool {pool.name} it is at "
            f"least as large as its template, which has {render_bytes(least)}",
            hint="ask for more with --disk",
        )
