"""Which of the node's processors a guest is pinned to that is to have as many of them as it has CPUs, whichever they are.

Programs ask the kernel on how many processors they may run (``nproc``), and it says what a guest is pinned to, not how much time of
them it gets. So a guest that is to see its CPUs has to be pinned, to those that other guests are pinned to the least.
"""

from collections.abc import Sequence

import msgspec

from wirt.approaches.base import Approach
from wirt.model.guest import Guest
from wirt.model.limits import CHOSEN, Limits
from wirt.ops.checks.sizes import processors_for
from wirt.ops.context import Context


def with_chosen(context: Context, approach: Approach, limits: Limits, guest_id: str = "") -> Limits:
    """Return limits in which a choice that is left to the node is made; without one they are returned as they are.

    Args:
        context: the home.
        approach: the guest's.
        limits: of the guest.
        guest_id: of the guest, whose own pinning is not counted.
    """
    if limits.cpu_pin != CHOSEN:
        return limits
    others = [guest for guest in context.store.guests() if guest.id != guest_id]
    return msgspec.structs.replace(
        limits, cpu_pin=choose(processors_for(approach), limits.cpus, others)
    )


def choose(usable: Sequence[int], count: int, others: Sequence[Guest]) -> tuple[int, ...]:
    """Return so many processors, those with the least time that guests which are pinned to them may want; none if all are needed."""
    if count >= len(usable):
        return ()
    claims = dict.fromkeys(usable, 0.0)
    for guest in others:
        for cpu in guest.limits.cpu_pin:
            if cpu in claims:
                claims[cpu] += guest.limits.cpu_time / len(guest.limits.cpu_pin)
    return tuple(sorted(sorted(usable, key=lambda cpu: (claims[cpu], cpu))[:count]))
