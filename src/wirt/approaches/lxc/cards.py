"""The cards of a container that runs, changed in its network from the node.

LXC's monitor keeps the configuration of the container's start: one that reboots by itself has the cards of then.
"""

from wirt.approaches.lxc import veth
from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import links
from wirt.model.launch import Place
from wirt.model.resources import Nic, NicKind

USUAL_MTU = 1500


def change(place: Place, before: Nic, after: Nic) -> None:
    """Give a card other addresses and another MTU.

    Raises:
        Failed: the container has ended, or its kernel refused.
    """
    init = find_init(place.name)
    mtu = after.mtu or USUAL_MTU
    links.batch([f"link set {after.interface} mtu {mtu}"])
    links.batch(build_change(before, after, mtu=mtu), inside=init)


def build_change(before: Nic, after: Nic, *, mtu: int) -> list[str]:
    """Return what ``ip`` does inside for that; all of it can be done again."""
    name = after.name
    gone = [one for one in before.addresses if one not in after.addresses]
    return [
        f"link set {name} mtu {mtu}",
        # Once more what is to go: there is no deleting of what may not be there.
        *(veth.address("replace", one, name) for one in (*after.addresses, *gone)),
        *(veth.address("delete", one, name) for one in gone),
    ]


def plug(place: Place, nic: Nic) -> None:
    """Give a running container another card; one of that name on the node is what is left of a killed command.

    Raises:
        Failed: the container has ended, has a card of this name, or the kernel refused.
    """
    init = find_init(place.name)
    if nic.kind is NicKind.DEVICE:
        if links.exists(nic.interface):
            links.batch([f"link set {nic.interface} netns {init}"])
    else:
        links.delete(nic.interface)
        links.batch([*veth.make(nic, str(init)), veth.join(nic), f"link set {nic.interface} up"])
    links.batch(veth.set_up(nic, "replace"), inside=init)


def unplug(place: Place, nic: Nic) -> None:
    """Take a card from a running container; no error if it has none of this name.

    Raises:
        Failed: the container has ended, or the kernel refused.
    """
    if nic.kind is not NicKind.DEVICE:
        links.delete(nic.interface)
    elif not links.exists(nic.interface):
        links.fetch(nic.name, network_of(place))


def network_of(place: Place) -> str:
    """Return the path of a running container's network namespace.

    Raises:
        Failed: it has ended.
    """
    return f"/proc/{find_init(place.name)}/ns/net"
