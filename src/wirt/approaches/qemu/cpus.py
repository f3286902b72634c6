"""Processors that are put into a running machine; none is taken out of one: an emulated one that gets it again dies of that.

The machine has a place for each processor that the node has. The guest's kernel is told by ACPI; it uses a new one once its system
has switched it on, which the agent is asked for.
"""

from typing import Any

from wirt.approaches import ownkernel
from wirt.approaches.qemu.monitor import talking
from wirt.errors import Failed
from wirt.model.guest import Handle
from wirt.model.launch import Place


def plug(place: Place, handle: Handle, wanted: int) -> None:
    """Have a running machine have ``wanted`` processors, and its guest use them.

    Raises:
        Failed: it was not made for so many, it has more, or the guest does not use one; some may have been put in.
    """
    with talking(ownkernel.private_directory(place)) as monitor:
        places = sorted(monitor.execute("query-hotpluggable-cpus"), key=_number)
        has = [one for one in places if "qom-path" in one]
        if wanted == len(has):
            return
        if wanted < len(has):
            raise Failed(
                f"the machine has {len(has)} CPUs, and none can be taken out while it runs",
                hint="stop the guest first",
            )
        if wanted > len(places):
            raise Failed(
                f"the machine was started with places for {len(places)} CPUs",
                hint="stop the guest to give it more",
            )
        for free in [one for one in places if "qom-path" not in one][: wanted - len(has)]:
            monitor.execute("device_add", {"driver": free["type"], **free["props"]})
    ownkernel.switch_on(place, handle, wanted)


def _number(place: dict[str, Any]) -> tuple[int, ...]:
    props: dict[str, int] = place["props"]
    return tuple(props.get(part, 0) for part in ("socket-id", "die-id", "core-id", "thread-id"))
