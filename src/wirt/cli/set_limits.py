"""``wirt set``."""

from typing import Any

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.guest import Guest
from wirt.model.limits import Limits
from wirt.model.privileges import parse_device, parse_right
from wirt.model.route import Route
from wirt.ops import set as verb
from wirt.ops.cards import CardRequest
from wirt.ops.naming import NamesRequest, can_be_called_at_once
from wirt.ops.privileges import PrivilegesRequest
from wirt.ops.rates import RatesRequest
from wirt.ops.routes import RoutesRequest
from wirt.units import UNBOUNDED, render_bytes, render_cpus, render_rate, render_seconds

NONE = "none"
"""Takes away what was set."""


@click.command("set")
@click.argument("name")
@click.option("--cpus", type=int, help="CPUs.")
@click.option("--memory", type=options.BYTES, help="Memory.")
@options.held
@click.option("--disk", type=options.BYTES, help="Disk.")
@click.option(
    "--disk-soft", type=options.BOUND, help="Disk that it may hold for long, or unlimited."
)
@click.option("--disk-grace", type=options.SECONDS, help="How long it may hold more than that.")
@click.option(
    "--disk-inodes-soft", type=options.COUNT, help="How many it may hold for long, or unlimited."
)
@click.option("--user-quotas", type=options.SWITCH, help="Quotas of its users: on or off.")
@click.option("--rate-in", type=options.RATE, help="What it is sent, per second, or unlimited.")
@click.option("--rate-out", type=options.RATE, help="What it sends, per second, or unlimited.")
@click.option("--ip-add", multiple=True, help="Another address; may be repeated.")
@click.option("--ip-remove", multiple=True, help="One that goes; may be repeated; all: all others.")
@click.option("--mtu", type=options.MTU, help="Bytes of a packet, or none for the bridge's own.")
@options.routes
@click.option("--hostname", help="Host name inside, or none for the guest's own name.")
@click.option("--dns", multiple=True, help="Name server; may be repeated; none: as the guest says.")
@click.option("--search", multiple=True, help="Domain to search; may be repeated; none: as above.")
@click.option("--capability", multiple=True, help="A right of its root: sys_time:on, net_raw:off.")
@click.option(
    "--device", multiple=True, help="A device of the node, such as /dev/fuse:rw; or none."
)
@click.option("--force", is_flag=True, help="Guarantee more than the node has.")
@click.option("--snapshot", is_flag=True, help="Keep its root and limits first, for wirt undo.")
def set_limits(
    name: str,
    snapshot: bool,
    force: bool,
    rate_in: int | None,
    rate_out: int | None,
    ip_add: tuple[str, ...],
    ip_remove: tuple[str, ...],
    mtu: int | None,
    route_add: tuple[Route, ...],
    route_remove: tuple[str, ...],
    hostname: str | None,
    dns: tuple[str, ...],
    search: tuple[str, ...],
    capability: tuple[str, ...],
    device: tuple[str, ...],
    **changes: Any,
) -> None:
    """Change what the guest NAME may use, its addresses and how names are found in it; it is kept."""
    names = NamesRequest(
        hostname="" if hostname == NONE else hostname, dns=_list_of(dns), search=_list_of(search)
    )
    if names != NamesRequest():
        changes["names"] = names
    devices = _list_of(device)
    privileges = PrivilegesRequest(
        rights=dict(map(parse_right, capability)) or None,
        devices=None if devices is None else tuple(map(parse_device, devices)),
    )
    if privileges != PrivilegesRequest():
        changes["privileges"] = privileges
    rates = RatesRequest(inward=rate_in, outward=rate_out)
    if rates != RatesRequest():
        changes["rates"] = rates
    card = CardRequest(add=ip_add, remove=ip_remove, mtu=mtu)
    if card != CardRequest():
        changes["card"] = card
    routes = RoutesRequest(add=route_add, remove=route_remove)
    if routes != RoutesRequest():
        changes["routes"] = routes
    with app.open_context() as context:
        request = verb.SetRequest(**changes)
        guest = verb.set_limits(context, name, request, snapshot=snapshot, force=force)
        options.note_unbounding_memory(context, guest)
        is_called_so = can_be_called_at_once(context, guest)
    has = {
        **_described(guest.limits),
        "rates": _described_rates(guest, rates),
        "names": _described_names(guest, names, is_called_so=is_called_so),
        "privileges": _described_privileges(guest, privileges),
        "card": _described_card(guest, card),
        "routes": options.described_routes(guest.routes),
    }
    changed = [text for field, text in has.items() if changes.get(field) is not None]
    output.say(f"guest {name} has {', '.join(changed)} now")


def _list_of(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the values of an option that may be repeated: None if it was not given."""
    return None if not values else () if values == (NONE,) else values


def _described_rates(guest: Guest, asked: RatesRequest) -> str:
    told = {"in": (asked.inward, guest.rates.inward), "out": (asked.outward, guest.rates.outward)}
    return ", ".join(
        f"{'unlimited' if has is None else render_rate(has)} {way}"
        for way, (wanted, has) in told.items()
        if wanted is not None
    )


def _described_card(guest: Guest, asked: CardRequest) -> str:
    has = []
    if asked.add or asked.remove:
        has.append(f"the addresses {', '.join(guest.card.addresses)}")
    if asked.mtu is not None:
        has.append(f"an MTU of {guest.mtu}" if guest.mtu else "the bridge's MTU")
    return ", ".join(has)


def _described_names(guest: Guest, asked: NamesRequest, *, is_called_so: bool) -> str:
    naming = guest.naming
    since = "" if is_called_so else " from its next start"
    has = {
        "hostname": f"the host name {naming.hostname or guest.name}{since}",
        "dns": f"the name servers {', '.join(naming.dns)}" if naming.dns else "no name servers set",
        "search": f"the domains {', '.join(naming.search)}" if naming.search else "no domains set",
    }
    return ", ".join(text for field, text in has.items() if getattr(asked, field) is not None)


def _described_privileges(guest: Guest, asked: PrivilegesRequest) -> str:
    told = [f"{name} {'on' if on else 'off'}" for name, on in (asked.rights or {}).items()]
    if asked.devices is not None:
        devices = ", ".join(map(str, guest.privileges.devices))
        told.append(f"the devices {devices}" if devices else "no devices")
    return f"{', '.join(told)} from its next start"


def _described(limits: Limits) -> dict[str, str]:
    """Return what a guest with these limits has, by the names of the options."""
    guaranteed = f"{limits.cpu_guarantee:g}" if limits.cpu_guarantee else "no"
    pin = f"CPUs {render_cpus(limits.cpu_pin)}" if limits.cpu_pin else "all CPUs"
    return {
        "cpus": f"{limits.cpus} CPU{'s' * (limits.cpus > 1)}",
        "cpu_weight": f"a CPU weight of {limits.cpu_weight}",
        "cpu_limit": f"at most {limits.cpu_time:g} CPUs' time",
        "cpu_guarantee": f"{guaranteed} CPUs guaranteed",
        "cpu_pin": f"{pin} to run on",
        "memory": f"{render_bytes(limits.memory)} of memory",
        "memory_max": f"{_size(limits.memory_max)} memory at most",
        "memory_guarantee": f"{_size(limits.memory_guarantee)} memory guaranteed",
        "swap": f"{_size(limits.swap)} swap",
        "processes": f"{limits.processes} processes",
        "io_read": f"{_bandwidth(limits.io_read)} from disk",
        "io_write": f"{_bandwidth(limits.io_write)} to disk",
        "iops_read": f"{_iops(limits.iops_read)} from disk",
        "iops_write": f"{_iops(limits.iops_write)} to disk",
        "io_weight": f"a weight of {limits.io_weight} at its disk",
        "files": f"{_count(limits.files)} open files for each process",
        "terminals": f"{limits.terminals} terminals",
        "disk": f"a disk of {render_bytes(limits.disk)}",
        "disk_soft": _soft(limits),
        "disk_inodes": "any number of inodes"
        if limits.disk_inodes == UNBOUNDED
        else f"{limits.disk_inodes} inodes",
        "disk_inodes_soft": "no soft limit of its inodes"
        if limits.disk_inodes_soft == UNBOUNDED
        else f"a soft limit of {limits.disk_inodes_soft} inodes",
        "user_quotas": f"{'' if limits.user_quotas else 'no '}quotas of users from its next start",
        "disk_grace": f"a grace of {render_seconds(limits.disk_grace)}"
        if limits.disk_grace
        else "no grace",
    }


def _soft(limits: Limits) -> str:
    if limits.disk_soft == UNBOUNDED:
        return "no soft limit of its disk"
    return f"a soft limit of {render_bytes(limits.disk_soft)} of its disk"


def _size(size: int) -> str:
    """Return how much of something a guest has, if it is bounded."""
    if size == UNBOUNDED:
        return "unlimited"
    return f"{render_bytes(size)} of" if size else "no"


def _bandwidth(size: int) -> str:
    return "any bandwidth" if size == UNBOUNDED else f"{render_bytes(size)} a second"


def _iops(number: int) -> str:
    return "any number of transfers" if number == UNBOUNDED else f"{number} transfers a second"


def _count(number: int) -> str:
    return "the node's limit of" if number == UNBOUNDED else str(number)
