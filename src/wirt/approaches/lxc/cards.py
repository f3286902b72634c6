"""The cards of a container that runs, changed in its network from the node.

LXC's monitor keeps the configuration of the container's start: to one that reboots by itself it gives the cards of then, and what
has changed since is made anew by the hooks of ``reboots``.
"""

import shlex
import sys
from collections.abc import Sequence

from wirt.approaches import addressing
from wirt.approaches.lxc import reboots, veth
from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import lending, links
from wirt.model.card import MOST_CARDS
from wirt.model.launch import Place
from wirt.model.resources import Nic, NicKind

_INSIDE = "nsenter --net=/proc/$LXC_PID/ns/net ip"


def change(place: Place, before: Nic, after: Nic) -> None:
    """Give a card other addresses, another MTU and other routes: a device of the node, which keeps its own, only those.

    Raises:
        Failed: the container has ended, or its kernel refused.
    """
    init = find_init(place.name)
    if after.kind is NicKind.DEVICE:
        _reroute(init, before, after)
        return
    mtu = after.mtu or addressing.USUAL_MTU
    links.batch([f"link set {after.interface} mtu {mtu}"])
    links.batch(addressing.change(before, after, mtu=mtu), inside=init)
    if after.is_routed and after.table is None:
        # With its last address a card loses what leads out.
        links.batch(veth.routes(after, "replace"), inside=init)
    _reroute(init, before, after)
    if after.table is not None:
        lead(init, before, after)


def _reroute(init: int, before: Nic, after: Nic) -> None:
    """Give a card other routes, whatever of them is there."""
    left = [route.to for route in after.routes]
    gone = [route for route in before.routes if route.to not in left]
    for ipv6 in (False, True):
        ended = [f"route delete {one} dev {after.name}" for one in gone if (":" in one.to) == ipv6]
        links.attempt(ended, inside=init, ipv6=ipv6)
    links.batch(veth.static(after, "replace"), inside=init)


def lead(init: int, before: Nic, after: Nic) -> None:
    """Have a further routed card's addresses sent from by its own table, whatever of it is there."""
    links.batch(veth.routes(after, "replace"), inside=init)
    for ipv6 in (False, True):
        gone = [line for nic in (before, after) for line in veth.rules("delete", nic, ipv6=ipv6)]
        links.attempt(gone, inside=init, ipv6=ipv6)
        links.batch(veth.rules("add", after, ipv6=ipv6), inside=init, ipv6=ipv6)


def plug(place: Place, nic: Nic) -> None:
    """Give a running container another card; one of that name on the node is what is left of a killed command.

    Raises:
        Failed: the container has ended, has a card of this name, or the kernel refused.
    """
    init = find_init(place.name)
    if nic.kind is NicKind.DEVICE:
        lending.lend(nic.interface, init, place.run_dir)
    else:
        links.delete(nic.interface)
        up = f"link set {nic.interface} up"
        links.batch([*veth.make(nic, str(init)), veth.join(nic), up, *veth.name_too(nic)])
    links.batch([*addressing.set_up(nic, "replace"), *veth.static(nic, "replace")], inside=init)
    if nic.table is not None:
        lead(init, nic, nic)


def unplug(place: Place, nic: Nic) -> None:
    """Take a card from a running container; no error if it has none of this name.

    Raises:
        Failed: the container has ended, or the kernel refused.
    """
    if nic.kind is not NicKind.DEVICE:
        links.delete(nic.interface)
        if nic.table is not None:
            init = find_init(place.name)
            for ipv6 in (False, True):
                links.attempt(veth.rules("delete", nic, ipv6=ipv6), inside=init, ipv6=ipv6)
    elif not links.exists(nic.interface):
        lending.fetch(nic.name, network_of(place), place.run_dir)


def remember(place: Place, nics: Sequence[Nic]) -> None:
    """Have a container begin with these cards when it reboots by itself, the first one first."""
    reboots.remember(place, "cards", build_making(nics), ended=build_taking(place, nics))
    remember_ways(place, nics)


def remember_ways(place: Place, nics: Sequence[Nic]) -> None:
    """Have a container that is made anew, or the first time, lead where its cards do besides their networks.

    Further routed cards send from their addresses by tables of their own.

    By the order of their names this script comes after that of the cards.
    """
    own = [nic for nic in nics if nic.table is not None]
    script = ""
    for ipv6 in (False, True):
        ways = []
        if not ipv6:
            ways += [line for nic in own for line in veth.routes(nic, "replace")]
            ways += [line for nic in nics for line in veth.static(nic, "replace")]
        ways += [line for nic in own for line in veth.rules("add", nic, ipv6=ipv6)]
        if ways:
            script += _batch(f"{_INSIDE} {'-6 ' if ipv6 else ''}-force -batch -", ways)
    reboots.remember(place, "ways", script)


def build_making(nics: Sequence[Nic]) -> str:
    """Return the script that gives a container that LXC has just made these cards, in the place of those of its start.

    LXC names the container's first process, which does not run yet, in the environment.
    """
    first, *others = nics
    outside, inside = (
        [],
        [_flush(first), *addressing.set_up(first, "replace"), *veth.routes(first, "replace")],
    )
    for nic in others:
        if nic.kind is NicKind.DEVICE:
            outside.append(f"link set {nic.interface} netns $LXC_PID")
        else:
            outside += [
                *veth.make(nic, "$LXC_PID"),
                veth.join(nic),
                f"link set {nic.interface} up",
                *veth.name_too(nic),
            ]
        inside += addressing.set_up(nic, "replace")
    mtu = f"link set {first.interface} mtu {first.mtu or addressing.USUAL_MTU}"
    return (
        _delete_others(first)
        + _batch("ip -force -batch -", [mtu, *outside])
        + _batch(f"{_INSIDE} -force -batch -", inside)
    )


def build_taking(place: Place, nics: Sequence[Nic]) -> str:
    """Return the script that takes a container's cards away when it has ended by itself, and fetches devices of the node.

    Its network goes only when nobody holds it any more, perhaps after LXC has begun to make it anew; and a device of no hardware
    would go with it. The script's arguments are the container's namespaces.
    """
    first, *others = nics
    lent = [nic.name for nic in others if nic.kind is NicKind.DEVICE]
    script = _delete_others(first)
    if lent:
        script += (
            "for argument; do case $argument in net:*) network=${argument#net:} ;; esac; done\n"
        )
    for name in lent:
        python = f"{shlex.quote(sys.executable)} -I -m wirt.host.lending"
        script += f'{python} {name} "$network" {shlex.quote(place.run_dir)}\n'
    return script


def _flush(nic: Nic) -> str:
    return f"address flush dev {nic.name} scope global"


def _delete_others(first: Nic) -> str:
    """Return what deletes every card but the first, whichever there are: of those that are not there ``ip`` says so to nobody."""
    numbers = range(1, MOST_CARDS + 1)
    commands = [f"link delete {first.interface}.{number}" for number in numbers]
    return _batch("ip -force -batch - >/dev/null 2>&1", commands)


def _batch(program: str, commands: Sequence[str]) -> str:
    return "\n".join([f"{program} <<END", *commands, "END"]) + "\n"


def network_of(place: Place) -> str:
    """Return the path of a running container's network namespace.

    Raises:
        Failed: it has ended.
    """
    return f"/proc/{find_init(place.name)}/ns/net"
